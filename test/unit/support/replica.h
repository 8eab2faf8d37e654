/* One node of a story about the state machine: the machine, its base in memory, and the log that it
 * was given. What must work by the story's premises is asserted here. */
#ifndef PHALANX_TEST_REPLICA_H
#define PHALANX_TEST_REPLICA_H

#include "support/memory_base.h"

struct replica {
    struct memory_base *base;
    struct kv_machine *machine;
    const struct kv_flush *flush; /* under way, else NULL */
    bool is_stored;               /* the flush is durable */
    struct kv_machine_config config;
    uint64_t now_ms;        /* logged time of the next command */
    struct raft_entry *log; /* payloads owned */
    size_t log_count;
    size_t log_capacity;
};

/* cmocka setup and teardown: an empty replica in `*state`. */
int replica_setup(void **state);
int replica_teardown(void **state);

struct replica *replica_new(void);
void replica_free(struct replica *r);

/* Append a write to the log, and apply it. */
struct kv_response replica_write(struct replica *r, const struct kv_request *request);
/* Append an entry of any type, and say what applying it gave. */
enum status replica_try(struct replica *r, enum raft_entry_type type, struct bytes payload,
                        struct kv_response *ret_response);

/* Take the newest entry, which could not be applied, out of the log. */
void replica_forget(struct replica *r);

struct kv_response replica_put(struct replica *r, const char *key, const char *value);
struct kv_response replica_delete(struct replica *r, const char *key);
/* Compare-and-set. */
struct kv_response replica_put_at(struct replica *r, const char *key, const char *value,
                                  int64_t prev_revision);
struct kv_response replica_delete_at(struct replica *r, const char *key, int64_t prev_revision);
/* With a request id. */
struct kv_response replica_put_as(struct replica *r, uint64_t client_id, uint64_t sequence,
                                  const char *key, const char *value);

struct kv_response replica_get(struct replica *r, const char *key);
struct kv_response replica_scan(struct replica *r, const char *start, const char *end,
                                int64_t limit);
/* What is there under a key, as text that is good until the next call; "" when nothing is. */
const char *replica_value(struct replica *r, const char *key);

const struct kv_meta *replica_meta(const struct replica *r);

/* A flush step by step, and all of it. */
void replica_freeze(struct replica *r);
void replica_store(struct replica *r);
void replica_finish(struct replica *r);
void replica_flush(struct replica *r);

/* Die, start from what was stored, and replay the log from there on. */
void replica_restart(struct replica *r);

#endif
