#include "server/state_holder.h"

#include <pthread.h>
#include <stdlib.h>

struct state_holder {
    pthread_mutex_t mutex;
    struct held_state *current; /* one of its holds is the holder's */
};

static struct held_state *held_new(struct kv_state *store, uint64_t generation) {
    struct held_state *held = calloc(1, sizeof *held);
    if (held)
        *held = (struct held_state){.store = store, .generation = generation, .holds = 1};
    return held;
}

struct state_holder *state_holder_new(struct kv_state *store, uint64_t generation) {
    struct state_holder *holder = calloc(1, sizeof *holder);
    struct held_state *held = held_new(store, generation);
    if (!holder || !held) {
        free(holder);
        free(held);
        return NULL;
    }
    CHECK(pthread_mutex_init(&holder->mutex, NULL) == 0);
    holder->current = held;
    return holder;
}

void state_holder_free(struct state_holder *holder) {
    if (!holder)
        return;
    CHECK(holder->current->holds == 1);
    state_release(holder, holder->current);
    CHECK(pthread_mutex_destroy(&holder->mutex) == 0);
    free(holder);
}

struct held_state *state_hold(struct state_holder *holder) {
    CHECK(pthread_mutex_lock(&holder->mutex) == 0);
    struct held_state *held = holder->current;
    held->holds++;
    CHECK(pthread_mutex_unlock(&holder->mutex) == 0);
    return held;
}

void state_release(struct state_holder *holder, struct held_state *held) {
    CHECK(pthread_mutex_lock(&holder->mutex) == 0);
    bool is_last = --held->holds == 0;
    CHECK(pthread_mutex_unlock(&holder->mutex) == 0);
    if (!is_last)
        return;
    kv_state_close(held->store);
    free(held);
}

void state_replace(struct state_holder *holder, struct kv_state *store, uint64_t generation) {
    struct held_state *held = held_new(store, generation);
    CHECK(held);
    CHECK(pthread_mutex_lock(&holder->mutex) == 0);
    struct held_state *old = holder->current;
    holder->current = held;
    CHECK(pthread_mutex_unlock(&holder->mutex) == 0);
    state_release(holder, old);
}
