/* Simulated time: one queue of what will happen, in order of time, then of planning. */
#ifndef PHALANX_SIM_EVENTS_H
#define PHALANX_SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void sim_action(void *context, void *data, uint64_t tag);

struct sim_event {
    uint64_t at_us;
    uint64_t number; /* in the order of planning */
    sim_action *action;
    void *context;
    void *data; /* from malloc when is_owned: freed with an event that never fires */
    uint64_t tag;
    bool is_owned;
};

struct sim_events {
    struct sim_event *heap;
    size_t count;
    size_t capacity;
    uint64_t planned;
};

void sim_events_close(struct sim_events *events);
void sim_events_add(struct sim_events *events, struct sim_event event);

/* False: nothing is planned. */
bool sim_events_take(struct sim_events *events, struct sim_event *ret_event);

#endif
