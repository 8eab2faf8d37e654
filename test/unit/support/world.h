/* A world for one turn: a disk that does what the story says, clients that remember their answers,
 * and a clock that only moves when told. */
#ifndef PHALANX_TEST_WORLD_H
#define PHALANX_TEST_WORLD_H

#include "server/turn.h"
#include "support/memory_base.h"

#define WORLD_ENTRIES_MAX 20000
#define WORLD_CLIENTS_MAX 9000
#define WORLD_SENT_MAX 512

struct world_client {
    struct turn_request turn; /* first: the turn gives it back as this */
    struct kv_request request;
    bool is_answered;
    struct kv_response response;
    char value[64]; /* of the answer to a get */
    /* It was passed on, and is the story's until world_comes_back(). */
    bool is_forwarded;
    raft_id forwarded_to;
};

struct world_entry {
    struct raft_entry entry; /* payload from malloc */
};

struct world {
    struct turn *turn;
    struct turn_config config;
    uint64_t now_ms;
    struct turn_events inbox;

    /* The disk: what was synced, and what the writers hold. */
    struct raft_hard_state hard;
    struct world_entry entries[WORLD_ENTRIES_MAX]; /* by index */
    raft_term cut_term;
    raft_index first_index;
    raft_index last_index;
    struct turn_events batches; /* with the log writer */
    struct turn_cut *cut;
    struct turn_flush *flush;
    struct turn_room *room;
    bool is_full; /* writes find no room */
    struct memory_base *base;
    struct kv_meta meta;

    struct world_client *clients;
    size_t client_count;
    size_t snapshots;
    struct node_status status;
    enum status failure;

    /* The others (world_peers.h): whom the configuration names, what they were sent. */
    struct raft_configuration members;
    struct raft_message sent[WORLD_SENT_MAX]; /* a ring */
    size_t sent_count;                        /* ever */
    size_t messages_done;
    struct turn_transfer *transfers[MEMBERS_MAX]; /* under way */
    size_t transfer_count;
    struct turn_install *install; /* with the log writer */
    size_t installs_done;
    enum status install_status; /* of the last */
    size_t orders_done;
    struct raft_configuration told; /* the members, as last told */
    size_t told_count;
};

/* A new node on an empty disk, or on what `world_power_off` left: a sole voter, unless the story
 * changes `members` before it boots. */
struct world *world_new(void);
void world_free(struct world *w);
void world_boot(struct world *w);

/* Kill the process: what was synced stays. */
void world_power_off(struct world *w);

/* A client asks; the request is there in the next turn. */
struct world_client *world_put(struct world *w, const char *key, const char *value);
struct world_client *world_get(struct world *w, const char *key);
struct world_client *world_ask(struct world *w, const struct kv_request *request, uint64_t wait_ms);

/* What was passed on was not taken there, and is not to be passed on again before that time. */
void world_comes_back(struct world *w, struct world_client *client, uint64_t not_before_ms);

/* One turn, with everything that waits; then those that are due at once. */
void world_turn(struct world *w);
void world_elapse(struct world *w, uint64_t ms);

/* The writers answer: all batches, one of them, the cut, the flush, the question about room. */
void world_log_syncs(struct world *w);
bool world_log_syncs_one(struct world *w);
void world_cut_done(struct world *w);
void world_state_syncs(struct world *w);
void world_room_answers(struct world *w);

/* A snapshot's installation: the log goes up to `index`, and what follows it too unless kept. */
void world_forget_log(struct world *w, raft_index index, raft_term term, bool is_kept);

/* Turns and syncs until nothing is left to do at this time. */
void world_settle(struct world *w);

#endif
