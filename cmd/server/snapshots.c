#include "server/snapshots.h"

#include "log.h"

#include <stdlib.h>

struct snapshots {
    struct state_holder *states;
    const struct kv_identity *identity;
    struct inbox *inbox;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    size_t count;
};

struct job {
    struct turn_snapshot snapshot; /* first: the turn gives it back as this */
    struct snapshots *snapshots;
    struct rpc_stream *stream;
};

enum status snapshots_new(struct state_holder *states, const struct kv_identity *identity,
                          struct inbox *inbox, struct snapshots **ret_snapshots) {
    struct snapshots *s = calloc(1, sizeof *s);
    if (!s)
        return STATUS_NO_MEMORY;
    s->states = states;
    s->identity = identity;
    s->inbox = inbox;
    CHECK(pthread_mutex_init(&s->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&s->ended, NULL) == 0);
    *ret_snapshots = s;
    return STATUS_OK;
}

void snapshots_free(struct snapshots *s) {
    if (!s)
        return;
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    while (s->count > 0)
        CHECK(pthread_cond_wait(&s->ended, &s->mutex) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    CHECK(pthread_cond_destroy(&s->ended) == 0);
    CHECK(pthread_mutex_destroy(&s->mutex) == 0);
    free(s);
}

static bool take_place(struct snapshots *s) {
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    bool has_place = s->count < SNAPSHOT_STREAMS_MAX;
    if (has_place)
        s->count++;
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
    return has_place;
}

static void give_place_back(struct snapshots *s) {
    CHECK(pthread_mutex_lock(&s->mutex) == 0);
    s->count--;
    CHECK(pthread_cond_signal(&s->ended) == 0);
    CHECK(pthread_mutex_unlock(&s->mutex) == 0);
}

static void end_job(struct job *job, enum status status, const char *detail) {
    struct snapshots *s = job->snapshots;
    rpc_stream_finish(job->stream, status, detail);
    free(job);
    give_place_back(s);
}

void snapshots_ask(struct snapshots *s, struct rpc_stream *stream) {
    if (!take_place(s)) {
        rpc_stream_finish(stream, STATUS_OVERLOAD, "as many snapshots as allowed are under way");
        return;
    }
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        rpc_stream_finish(stream, STATUS_NO_MEMORY, NULL);
        give_place_back(s);
        return;
    }
    job->snapshot.event.kind = TURN_SNAPSHOT;
    job->snapshots = s;
    job->stream = stream;
    if (inbox_post_request(s->inbox, &job->snapshot.event) != STATUS_OK)
        end_job(job, STATUS_UNAVAILABLE, "the server is stopping");
}

static enum status write_chunk(void *context, struct bytes chunk) {
    return rpc_stream_write(context, chunk);
}

static void *run(void *context) {
    struct job *job = context;
    struct held_state *held = state_hold(job->snapshots->states);
    enum status status = kv_snapshot_save(held->store, job->snapshots->identity->cluster_id,
                                          SNAPSHOT_GROWTH_BYTES_MAX, write_chunk, job->stream);
    state_release(job->snapshots->states, held);
    if (status != STATUS_OK)
        log_warn("snapshot not sent", log_status("status", status));
    end_job(job, status, NULL);
    return NULL;
}

void snapshots_start(struct snapshots *s, struct turn_snapshot *snapshot) {
    struct job *job = (struct job *)snapshot;
    pthread_t thread;
    CHECK(job->snapshots == s);
    if (pthread_create(&thread, NULL, run, job) != 0) {
        end_job(job, STATUS_NO_MEMORY, "no thread left");
        return;
    }
    CHECK(pthread_detach(thread) == 0);
}

void snapshots_refuse(struct snapshots *s, struct turn_snapshot *snapshot) {
    struct job *job = (struct job *)snapshot;
    CHECK(job->snapshots == s);
    end_job(job, STATUS_UNAVAILABLE, "this node belongs to no cluster yet");
}
