/* The lobby: requests that arrive while this node belongs to no cluster yet wait here, each for as
 * long as its caller does. Belongs to the loop. */
#ifndef PHALANX_SERVER_LOBBY_H
#define PHALANX_SERVER_LOBBY_H

#include "server/turn.h"

struct lobby {
    struct turn_events requests;
};

void lobby_init(struct lobby *lobby);

void lobby_enter(struct lobby *lobby, struct turn_request *request);

/* Take those whose deadline has passed; all of them with UINT64_MAX. */
void lobby_take_expired(struct lobby *lobby, uint64_t now_ms, struct turn_events *ret_expired);

/* The earliest of their deadlines; UINT64_MAX: nobody is there. */
uint64_t lobby_deadline_ms(const struct lobby *lobby);

/* The turn is there: all go in, before what came after them. */
void lobby_leave(struct lobby *lobby, struct turn_events *events);

#endif
