#include "server/lobby.h"

void lobby_init(struct lobby *lobby) {
    STAILQ_INIT(&lobby->requests);
}

void lobby_enter(struct lobby *lobby, struct turn_request *request) {
    STAILQ_INSERT_TAIL(&lobby->requests, &request->event, link);
}

static uint64_t deadline_of(const struct turn_event *event) {
    return ((const struct turn_request *)event)->deadline_ms;
}

void lobby_take_expired(struct lobby *lobby, uint64_t now_ms, struct turn_events *ret_expired) {
    struct turn_events all = STAILQ_HEAD_INITIALIZER(all);
    STAILQ_INIT(ret_expired);
    STAILQ_CONCAT(&all, &lobby->requests);
    while (!STAILQ_EMPTY(&all)) {
        struct turn_event *event = STAILQ_FIRST(&all);
        STAILQ_REMOVE_HEAD(&all, link);
        bool is_over = now_ms == UINT64_MAX || deadline_of(event) <= now_ms;
        struct turn_events *to = is_over ? ret_expired : &lobby->requests;
        STAILQ_INSERT_TAIL(to, event, link);
    }
}

uint64_t lobby_deadline_ms(const struct lobby *lobby) {
    const struct turn_event *event;
    uint64_t earliest = UINT64_MAX;
    STAILQ_FOREACH (event, &lobby->requests, link)
        if (deadline_of(event) < earliest)
            earliest = deadline_of(event);
    return earliest;
}

void lobby_leave(struct lobby *lobby, struct turn_events *events) {
    STAILQ_CONCAT(&lobby->requests, events);
    STAILQ_CONCAT(events, &lobby->requests);
}
