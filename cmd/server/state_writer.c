#include "server/state_writer.h"

#include "log.h"

#include <stdlib.h>
#include <unistd.h>

struct state_writer {
    struct kv_state *state;
    struct inbox *inbox;
    struct log_writer *log_writer;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct turn_flush *flush; /* NULL: none asked for */
    struct turn_room *room;   /* likewise */
    bool is_stopping;
};

/* False when the writer stops and nothing is left. */
static bool take_work(struct state_writer *w, struct turn_flush **ret_flush,
                      struct turn_room **ret_room) {
    CHECK(pthread_mutex_lock(&w->mutex) == 0);
    while (!w->flush && !w->room && !w->is_stopping)
        CHECK(pthread_cond_wait(&w->work, &w->mutex) == 0);
    *ret_flush = w->flush;
    *ret_room = w->room;
    w->flush = NULL;
    w->room = NULL;
    CHECK(pthread_mutex_unlock(&w->mutex) == 0);
    return *ret_flush || *ret_room;
}

static void write_flush(struct state_writer *w, struct turn_flush *flush) {
    flush->status = kv_state_flush(w->state, flush->flush);
    if (flush->status != STATUS_OK && flush->status != STATUS_DISK_FULL) {
        log_error("state flush failed", log_status("status", flush->status));
        _exit(EXIT_FAILURE);
    }
    flush->has_room = kv_state_has_room(w->state);
    flush->page_count = kv_state_page_count(w->state);
    flush->file_bytes = kv_state_file_bytes(w->state);
    inbox_post(w->inbox, &flush->event);
}

static void *run(void *context) {
    struct state_writer *w = context;
    struct turn_flush *flush;
    struct turn_room *room;
    while (take_work(w, &flush, &room)) {
        if (flush)
            write_flush(w, flush);
        if (room) {
            room->state_has_room = kv_state_has_room(w->state);
            log_writer_check_room(w->log_writer, room);
        }
    }
    return NULL;
}

enum status state_writer_new(struct kv_state *state, struct inbox *inbox,
                             struct log_writer *log_writer, struct state_writer **ret_writer) {
    struct state_writer *w = calloc(1, sizeof *w);
    if (!w)
        return STATUS_NO_MEMORY;
    w->state = state;
    w->inbox = inbox;
    w->log_writer = log_writer;
    CHECK(pthread_mutex_init(&w->mutex, NULL) == 0);
    CHECK(pthread_cond_init(&w->work, NULL) == 0);
    CHECK(pthread_create(&w->thread, NULL, run, w) == 0);
    *ret_writer = w;
    return STATUS_OK;
}

void state_writer_free(struct state_writer *w) {
    if (!w)
        return;
    CHECK(pthread_mutex_lock(&w->mutex) == 0);
    w->is_stopping = true;
    CHECK(pthread_cond_signal(&w->work) == 0);
    CHECK(pthread_mutex_unlock(&w->mutex) == 0);
    CHECK(pthread_join(w->thread, NULL) == 0);
    CHECK(pthread_cond_destroy(&w->work) == 0);
    CHECK(pthread_mutex_destroy(&w->mutex) == 0);
    free(w);
}

void state_writer_flush(struct state_writer *w, struct turn_flush *flush) {
    CHECK(pthread_mutex_lock(&w->mutex) == 0);
    CHECK(!w->flush);
    w->flush = flush;
    CHECK(pthread_cond_signal(&w->work) == 0);
    CHECK(pthread_mutex_unlock(&w->mutex) == 0);
}

void state_writer_check_room(struct state_writer *w, struct turn_room *room) {
    CHECK(pthread_mutex_lock(&w->mutex) == 0);
    CHECK(!w->room);
    w->room = room;
    CHECK(pthread_cond_signal(&w->work) == 0);
    CHECK(pthread_mutex_unlock(&w->mutex) == 0);
}
