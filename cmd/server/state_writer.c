#include "server/state_writer.h"

#include "log.h"
#include "server/worker.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* A quarter of the share that the loop gets of a processor both want. */
#define FLUSH_NICE 6

struct state_writer {
    struct state_holder *states;
    struct inbox *inbox;
    struct log_writer *log_writer;
    struct worker worker;
    /* Under the worker's mutex: */
    struct turn_flush *flush; /* NULL: none asked for */
    struct turn_room *room;   /* likewise */
};

/* False when the writer stops and nothing is left. */
static bool take_work(struct state_writer *w, struct turn_flush **ret_flush,
                      struct turn_room **ret_room) {
    worker_lock(&w->worker);
    while (!w->flush && !w->room && !w->worker.is_stopping)
        worker_wait(&w->worker);
    *ret_flush = w->flush;
    *ret_room = w->room;
    w->flush = NULL;
    w->room = NULL;
    worker_unlock(&w->worker);
    return *ret_flush || *ret_room;
}

static void write_flush(struct state_writer *w, struct turn_flush *flush) {
    struct held_state *held = state_hold(w->states);
    CHECK(held->generation == flush->flush->generation);
    flush->is_done = false;
    flush->status = kv_state_flush(held->store, flush->flush, &flush->is_done);
    if (flush->status != STATUS_OK && flush->status != STATUS_DISK_FULL) {
        log_error("state flush failed", log_status("status", flush->status));
        _exit(EXIT_FAILURE);
    }
    flush->has_room = kv_state_has_room(held->store);
    flush->file_bytes = kv_state_file_bytes(held->store);
    state_release(w->states, held);
    inbox_post(w->inbox, &flush->event);
}

static void check_room(struct state_writer *w, struct turn_room *room) {
    struct held_state *held = state_hold(w->states);
    room->state_has_room = kv_state_has_room(held->store);
    state_release(w->states, held);
    log_writer_check_room(w->log_writer, room);
}

/* A flush has time; requests have not. */
static void give_way(void) {
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), FLUSH_NICE); /* Linux: of this thread */
}

static void *run(void *context) {
    struct state_writer *w = context;
    give_way();
    struct turn_flush *flush;
    struct turn_room *room;
    while (take_work(w, &flush, &room)) {
        if (flush)
            write_flush(w, flush);
        if (room)
            check_room(w, room);
    }
    return NULL;
}

enum status state_writer_new(struct state_holder *states, struct inbox *inbox,
                             struct log_writer *log_writer, struct state_writer **ret_writer) {
    struct state_writer *w = calloc(1, sizeof *w);
    if (!w)
        return STATUS_NO_MEMORY;
    w->states = states;
    w->inbox = inbox;
    w->log_writer = log_writer;
    worker_start(&w->worker, run, w);
    *ret_writer = w;
    return STATUS_OK;
}

void state_writer_free(struct state_writer *w) {
    if (!w)
        return;
    worker_stop(&w->worker);
    free(w);
}

void state_writer_flush(struct state_writer *w, struct turn_flush *flush) {
    worker_lock(&w->worker);
    CHECK(!w->flush);
    w->flush = flush;
    worker_unlock_and_wake(&w->worker);
}

void state_writer_check_room(struct state_writer *w, struct turn_room *room) {
    worker_lock(&w->worker);
    CHECK(!w->room);
    w->room = room;
    worker_unlock_and_wake(&w->worker);
}
