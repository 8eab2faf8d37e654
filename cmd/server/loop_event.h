/* What the loop does besides the turn: an event that brings its own action along. It comes through
 * the same inbox, so that there is one order of everything. */
#ifndef PHALANX_SERVER_LOOP_EVENT_H
#define PHALANX_SERVER_LOOP_EVENT_H

#include "container.h"
#include "server/turn.h"

struct loop_event {
    struct turn_event event;               /* of kind LOOP_EVENT */
    void (*run)(struct loop_event *event); /* on the loop, between two turns */
};

#define LOOP_EVENT TURN_EVENT_KINDS

static inline struct turn_event *loop_event_of(struct loop_event *event,
                                               void (*run)(struct loop_event *event)) {
    event->event.kind = LOOP_EVENT;
    event->run = run;
    return &event->event;
}

#endif
