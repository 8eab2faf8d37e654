#include "mesh/delays.h"

#include <stdlib.h>

struct packet {
    uint64_t due_us;
    uint64_t number; /* in the order of adding */
    size_t target;
    size_t len;
    uint8_t data[MESH_PACKET_BYTES_MAX];
};

/* The first `count` of `order` are a heap of what is under way, the rest is free. */
struct mesh_delays {
    struct packet *packets;
    struct packet **order;
    size_t count;
    size_t capacity;
    uint64_t added;
};

struct mesh_delays *mesh_delays_new(size_t packets_max) {
    struct mesh_delays *delays = calloc(1, sizeof *delays);
    CHECK(delays && packets_max > 0);
    delays->packets = calloc(packets_max, sizeof *delays->packets);
    delays->order = calloc(packets_max, sizeof(struct packet *));
    CHECK(delays->packets && delays->order);
    delays->capacity = packets_max;
    for (size_t i = 0; i < packets_max; i++)
        delays->order[i] = &delays->packets[i];
    return delays;
}

void mesh_delays_free(struct mesh_delays *delays) {
    if (!delays)
        return;
    free(delays->packets);
    free(delays->order);
    free(delays);
}

uint8_t *mesh_delays_room(struct mesh_delays *delays) {
    return delays->count < delays->capacity ? delays->order[delays->count]->data : NULL;
}

static bool is_before(const struct packet *a, const struct packet *b) {
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

void mesh_delays_add(struct mesh_delays *delays, size_t len, size_t target, uint64_t due_us) {
    CHECK(delays->count < delays->capacity && len <= MESH_PACKET_BYTES_MAX);
    struct packet *packet = delays->order[delays->count];
    packet->due_us = due_us;
    packet->number = ++delays->added;
    packet->target = target;
    packet->len = len;
    size_t at = delays->count++;
    while (at > 0 && is_before(packet, delays->order[(at - 1) / 2])) {
        delays->order[at] = delays->order[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    delays->order[at] = packet;
}

/* The last of the heap goes where there is a hole at its top. */
static void sink(struct mesh_delays *delays, struct packet *last) {
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= delays->count)
            break;
        if (child + 1 < delays->count && is_before(delays->order[child + 1], delays->order[child]))
            child++;
        if (!is_before(delays->order[child], last))
            break;
        delays->order[at] = delays->order[child];
        at = child;
    }
    delays->order[at] = last;
}

bool mesh_delays_take(struct mesh_delays *delays, uint64_t now_us, size_t *ret_target,
                      struct bytes *ret_packet) {
    if (delays->count == 0 || delays->order[0]->due_us > now_us)
        return false;
    struct packet *first = delays->order[0];
    struct packet *last = delays->order[--delays->count];
    if (delays->count > 0)
        sink(delays, last);
    delays->order[delays->count] = first;
    *ret_target = first->target;
    *ret_packet = bytes_of(first->data, first->len);
    return true;
}

uint64_t mesh_delays_next_us(const struct mesh_delays *delays) {
    return delays->count > 0 ? delays->order[0]->due_us : UINT64_MAX;
}
