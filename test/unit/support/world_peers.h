/* The world's other nodes: the story plays them, message by message. This node is 7, the others are
 * 8, 9 and so on. */
#ifndef PHALANX_TEST_WORLD_PEERS_H
#define PHALANX_TEST_WORLD_PEERS_H

#include "support/solo.h"
#include "support/world.h"

/* Voters 7 .. 7 + voters - 1, called n7 and so on; not yet booted. */
struct world *world_with_peers(size_t voters);
/* Boot it as a follower of 8, which leads in term 3 and has heard nothing of a log. */
void world_follow(struct world *w);
/* Boot it, and let 8 and those after it vote for it: it leads, and its no-op is committed. */
void world_lead(struct world *w);
/* It leads no more: 8 does, in the next term. Then the others vote for it again. */
void world_depose(struct world *w);
void world_lead_again(struct world *w);

/* A peer's message is there in the next turn; `to` is filled in. */
void world_receive(struct world *w, struct raft_message message);
/* `count` no-ops of term 3 after `prev`, from 8; `prev_term` is 3 as well, 0 at the log's start. */
void world_receive_entries(struct world *w, raft_index prev, size_t count, raft_index commit);

/* The last of a kind to a peer (0: to anybody); NULL: none. And how many ever. */
const struct raft_message *world_sent(const struct world *w, enum raft_message_kind kind,
                                      raft_id to);
size_t world_sent_count(const struct world *w, enum raft_message_kind kind, raft_id to);

/* A peer answers its last heartbeat; it has everything that it was sent, and says so. */
void world_answer_heartbeat(struct world *w, raft_id peer);
void world_answer(struct world *w, raft_id peer);
/* All members but `silent` (0: all) do, until nothing is left to say. */
void world_agree(struct world *w, raft_id silent);
/* Time passes, a heartbeat at a time, and all but `silent` are heard. */
void world_elapse_with(struct world *w, uint64_t ms, raft_id silent);

/* An operator's order is there in the next turn; the story's. It may take five seconds. */
struct turn_order world_order_of(enum turn_order_kind kind, raft_id member);
void world_order(struct world *w, struct turn_order *order);

const struct raft_status *world_raft(const struct world *w);
const struct raft_configuration *world_members(const struct world *w); /* the newest */

#endif
