#include "raft/raft.h"

#include "raft/engine.h"

#include <stdlib.h>

static bool config_is_valid(const struct raft_config *config) {
    return config->self != 0 && config->applied_index <= config->last_index &&
           config->last_term <= config->hard.term &&
           (config->last_index == 0) == (config->last_term == 0);
}

/* Thesis 6.4.1 gives a leader a lease on the silence of its voters, so a node that starts must not
 * help to elect another within one timeout. Only a sole voter that was itself the last leader it
 * knew has nobody else's lease to break. */
static uint64_t first_deadline(const struct raft_config *config) {
    bool was_leader = config->hard.vote == config->self;
    bool is_new = config->hard.term == 0;
    return was_leader || is_new ? config->now_ms : config->now_ms + config->election_timeout_ms;
}

enum status raft_new(const struct raft_config *config, struct raft **ret_raft) {
    if (!config_is_valid(config))
        return STATUS_INVALID;
    struct raft *r = calloc(1, sizeof *r);
    if (!r)
        return STATUS_NO_MEMORY;
    r->self = config->self;
    r->election_timeout_ms = config->election_timeout_ms;
    r->deadline_ms = first_deadline(config);
    r->hard = config->hard;
    r->handed_index = config->last_index;
    r->applied_index = config->applied_index;
    r->status = (struct raft_status){
        .role = RAFT_FOLLOWER,
        .term = config->hard.term,
        .last_index = config->last_index,
        .durable_index = config->last_index,
        .commit_index = config->applied_index,
    };
    raft_check(r);
    *ret_raft = r;
    return STATUS_OK;
}

void raft_free(struct raft *r) {
    free(r);
}

static enum status timeout(struct raft *r, uint64_t now_ms) {
    if (now_ms >= r->deadline_ms)
        raft__become_candidate(r);
    return STATUS_OK;
}

static enum status step(struct raft *r, const struct raft_event *event) {
    switch (event->kind) {
    case RAFT_EVENT_TIMEOUT:
        return timeout(r, event->now_ms);
    case RAFT_EVENT_PROPOSE:
        return raft__propose(r, event);
    case RAFT_EVENT_READ:
        return raft__read(r);
    case RAFT_EVENT_DURABLE:
        return raft__batch_durable(r, event);
    }
    CHECK(!"an event of a known kind");
    return STATUS_INVALID;
}

enum status raft_step(struct raft *r, const struct raft_event *event) {
    enum status status = step(r, event);
    raft_check(r);
    return status;
}

static raft_index apply_to(const struct raft *r) {
    const struct raft_status *s = &r->status;
    return s->commit_index < s->durable_index ? s->commit_index : s->durable_index;
}

void raft_ready(struct raft *r, struct raft_ready *ret_ready) {
    *ret_ready = (struct raft_ready){
        .apply_to = apply_to(r),
        .has_read = r->has_read,
        .read_index = r->status.commit_index,
    };
    ret_ready->has_batch = raft__next_batch(r, &ret_ready->batch);
}

void raft_advance(struct raft *r) {
    struct raft_batch batch;
    if (raft__next_batch(r, &batch))
        raft__batch_handed(r, &batch);
    r->applied_index = apply_to(r);
    r->has_read = false;
    raft_check(r);
}

uint64_t raft_deadline_ms(const struct raft *r) {
    return r->deadline_ms;
}

const struct raft_status *raft_status(const struct raft *r) {
    return &r->status;
}
