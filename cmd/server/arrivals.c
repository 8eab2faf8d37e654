#include "server/arrivals.h"

#include <stdlib.h>

static void lock(struct arrivals *a) {
    CHECK(pthread_mutex_lock(&a->mutex) == 0);
}

static void unlock(struct arrivals *a) {
    CHECK(pthread_mutex_unlock(&a->mutex) == 0);
}

enum status arrivals_init(struct arrivals *a) {
    *a = (struct arrivals){.ring = calloc(ARRIVALS_MAX, sizeof *a->ring)};
    if (!a->ring)
        return STATUS_NO_MEMORY;
    CHECK(pthread_mutex_init(&a->mutex, NULL) == 0);
    return STATUS_OK;
}

void arrivals_close(struct arrivals *a) {
    if (!a->ring)
        return;
    CHECK(pthread_mutex_destroy(&a->mutex) == 0);
    free(a->ring);
    a->ring = NULL;
}

static bool is_known(const struct arrivals *a, const struct gossip_address *address) {
    for (size_t i = 0; i < a->known_count; i++)
        if (gossip_address_equal(&a->known[i], address))
            return true;
    return false;
}

static bool has_place(const struct arrivals *a, const struct gossip_address *from) {
    if (a->count < ARRIVALS_STRANGERS_MAX)
        return true;
    return a->count < ARRIVALS_MAX && is_known(a, from);
}

bool arrivals_put(struct arrivals *a, const struct arrival *arrival) {
    bool is_to_call = false;
    lock(a);
    if (has_place(a, &arrival->from)) {
        a->ring[(a->first + a->count++) % ARRIVALS_MAX] = *arrival;
        is_to_call = !a->is_called;
        a->is_called = true;
    } else {
        a->dropped_total++;
    }
    unlock(a);
    return is_to_call;
}

void arrivals_drop(struct arrivals *a) {
    lock(a);
    a->dropped_total++;
    unlock(a);
}

bool arrivals_take(struct arrivals *a, struct arrival *ret_arrival) {
    lock(a);
    bool has_one = a->count > 0;
    if (has_one) {
        *ret_arrival = a->ring[a->first];
        a->first = (a->first + 1) % ARRIVALS_MAX;
        a->count--;
    }
    unlock(a);
    return has_one;
}

bool arrivals_leave(struct arrivals *a) {
    lock(a);
    a->is_called = a->count > 0;
    bool has_more = a->is_called;
    unlock(a);
    return has_more;
}

void arrivals_set_known(struct arrivals *a, const struct gossip_address *known, size_t count) {
    CHECK(count <= ARRIVALS_KNOWN_MAX);
    lock(a);
    memcpy(a->known, known, count * sizeof *known);
    a->known_count = count;
    unlock(a);
}

uint64_t arrivals_dropped_total(struct arrivals *a) {
    lock(a);
    uint64_t total = a->dropped_total;
    unlock(a);
    return total;
}
