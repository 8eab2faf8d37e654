#include "raft/raft.h"

#include "deadline.h"
#include "raft/engine.h"

#include <stdlib.h>

static bool log_is_valid(const struct raft_config *config) {
    if ((config->run_count > 0) != (config->last_index > config->cut_index) ||
        config->run_count > RAFT_RUNS_MAX || config->configuration.index > config->last_index ||
        config->configuration_before.index > config->configuration.index)
        return false;
    raft_index from = config->cut_index + 1;
    raft_term term = config->cut_term;
    for (size_t i = 0; i < config->run_count; i++) {
        const struct raft_term_run *run = &config->runs[i];
        bool is_in_place = i == 0 ? run->first == from : run->first >= from;
        if (!is_in_place || run->first > config->last_index || run->term < term)
            return false;
        from = run->first + 1;
        term = run->term;
    }
    return term <= config->hard.term;
}

static bool config_is_valid(const struct raft_config *config) {
    return log_is_valid(config) && config->self != 0 &&
           config->cut_index <= config->applied_index &&
           config->applied_index <= config->last_index && config->election_timeout_ms > 0 &&
           config->heartbeat_ms > 0 && config->heartbeat_ms <= config->election_timeout_ms;
}

static bool is_sole_voter(const struct raft *r) {
    for (size_t i = 0; i < r->configuration.count; i++) {
        const struct raft_member *member = &r->configuration.members[i];
        if (member->id != r->self && member->rights != RAFT_LEARNER)
            return false;
    }
    return raft__is_voter(&r->configuration, r->self);
}

/* The term of the newest configuration's entry, at most: of what was cut, the last one's. */
static raft_term configured_term(const struct raft *r, const struct raft_config *config) {
    raft_index index = r->configuration.index;
    if (config->configuration_term != 0)
        return config->configuration_term;
    if (index == 0)
        return 0;
    return index < r->trail.cut_index ? r->trail.cut_term : raft__trail_term(&r->trail, index);
}

/* Thesis 6.4.1 gives a leader a lease on the silence of its voters, so a node that starts must not
 * help to elect another within one timeout. Only a sole voter that was itself the last leader it
 * knew has nobody else's lease to break. Its vote for itself does not say that it won: it must have
 * been the only voter already when its term began. */
static uint64_t silence_ms(const struct raft *r, const struct raft_config *config) {
    bool has_led_alone = is_sole_voter(r) && config->hard.vote == r->self &&
                         configured_term(r, config) < config->hard.term;
    return has_led_alone || PLANTED(no_silence) ? 0 : config->silence_ms;
}

static void init(struct raft *r, const struct raft_config *config) {
    r->self = config->self;
    r->election_timeout_ms = config->election_timeout_ms;
    r->heartbeat_ms = config->heartbeat_ms;
    r->commit_tell_ms = config->commit_tell_ms;
    r->has_lease_reads = config->has_lease_reads;
    r->random = config->seed;
    r->now_ms = config->now_ms;
    r->hard = config->hard;
    r->configuration = config->configuration;
    r->configuration_before = config->configuration_before;
    r->handed_index = config->last_index;
    r->durable_term = config->hard.term;
    r->status = (struct raft_status){
        .role = RAFT_FOLLOWER,
        .term = config->hard.term,
        .last_index = config->last_index,
        .durable_index = config->last_index,
        .commit_index = config->applied_index,
        .is_member = raft_configuration_find(&config->configuration, config->self) != NULL,
    };
    r->matched_index = config->applied_index;
    r->silent_until_ms = config->now_ms + silence_ms(r, config);
    r->read_salt = raft__random(r) | (uint64_t)1 << 63; /* no token on the wire is 0 */
    raft__election_timer_reset(r);
    if (r->silent_until_ms == config->now_ms && r->configuration.count == 1)
        r->election_deadline_ms = config->now_ms; /* nobody to wait for */
}

enum status raft_new(const struct raft_config *config, struct raft **ret_raft) {
    if (!config_is_valid(config))
        return STATUS_INVALID;
    struct raft *r = calloc(1, sizeof *r);
    if (!r || raft__trail_init(&r->trail, config) != STATUS_OK) {
        raft_free(r);
        return STATUS_NO_MEMORY;
    }
    init(r, config);
    raft_check(r);
    *ret_raft = r;
    return STATUS_OK;
}

void raft_free(struct raft *r) {
    if (!r)
        return;
    raft__trail_close(&r->trail);
    free(r);
}

static enum status step(struct raft *r, const struct raft_event *event) {
    switch (event->kind) {
    case RAFT_EVENT_TIMEOUT: raft__timeout(r); return STATUS_OK;
    case RAFT_EVENT_RECEIVE: return raft__receive(r, event->message);
    case RAFT_EVENT_PROPOSE: return raft__propose(r, event->propose.payload_bytes);
    case RAFT_EVENT_CONFIGURE: return raft__configure(r, event->target);
    case RAFT_EVENT_TRANSFER: return raft__transfer(r, event->transferee);
    case RAFT_EVENT_READ: return raft__read(r, event->read_token);
    case RAFT_EVENT_DURABLE: return raft__batch_durable(r, event);
    case RAFT_EVENT_DELAYED: raft__batch_delayed(r, event); return STATUS_OK;
    case RAFT_EVENT_CUT: raft__cut(r, event->cut_index); return STATUS_OK;
    case RAFT_EVENT_PEER_LOST: raft__peer_lost(r, event->lost_peer); return STATUS_OK;
    case RAFT_EVENT_PEER_FOUND: raft__peer_found(r); return STATUS_OK;
    case RAFT_EVENT_SNAPSHOT_SENT: raft__snapshot_sent(r, event); return STATUS_OK;
    case RAFT_EVENT_INSTALLED: return raft__installed(r, event);
    }
    CHECK(!"an event of a known kind");
    return STATUS_INVALID;
}

enum status raft_step(struct raft *r, const struct raft_event *event) {
    CHECK(!r->is_ready_made);
    CHECK(event->now_ms >= r->now_ms);
    r->now_ms = event->now_ms;
    r->accepted = (struct raft_accepted){.own = r->own};
    enum status status = step(r, event);
    r->status.last_index = r->trail.last_index;
    raft_check(r);
    return status;
}

const struct raft_accepted *raft_accepted(const struct raft *r) {
    return &r->accepted;
}

static raft_index apply_to(const struct raft *r) {
    const struct raft_status *s = &r->status;
    if (PLANTED(apply_before_durable))
        return s->commit_index;
    return s->commit_index < s->durable_index ? s->commit_index : s->durable_index;
}

/* What only now is decided: a turn's many events make one round and few appends. */
static void make_ready(struct raft *r) {
    if (r->is_ready_made)
        return;
    raft__reads_pump(r);
    raft__transfer_pursue(r);
    if (r->wants_round)
        raft__round_send(r);
    raft__replicate(r);
    r->ready = (struct raft_ready){
        .messages = r->out,
        .message_count = r->out_count,
        .apply_to = apply_to(r),
        .reads = r->reads,
        .read_count = r->read_count,
        .snapshots = r->snapshots,
        .snapshot_count = r->snapshot_count,
    };
    r->ready.has_batch = raft__next_batch(r, &r->ready.batch);
    r->is_ready_made = true;
}

void raft_ready(struct raft *r, struct raft_ready *ret_ready) {
    make_ready(r);
    *ret_ready = r->ready;
}

void raft_advance(struct raft *r) {
    make_ready(r);
    if (r->ready.has_batch)
        raft__batch_handed(r, &r->ready.batch);
    r->out_count = 0;
    r->read_count = 0;
    r->snapshot_count = 0;
    r->is_ready_made = false;
    raft_check(r);
}

bool raft_has_work(const struct raft *r) {
    struct raft_batch batch;
    if (r->out_count > 0 || r->read_count > 0 || r->snapshot_count > 0 || r->wants_round)
        return true;
    return raft__next_batch(r, &batch) || raft__replication_is_due(r) || raft__read_is_due(r) ||
           raft__timeout_now_is_due(r);
}

uint64_t raft_deadline_ms(const struct raft *r) {
    uint64_t deadline = r->election_deadline_ms;
    if (r->status.role == RAFT_LEADER)
        deadline = earliest(r->heartbeat_deadline_ms, raft__tell_deadline_ms(r));
    if (r->transferee != 0)
        deadline = earliest(deadline, r->transfer_deadline_ms);
    bool is_asking = r->question.token != 0 && r->question.asked == r->status.leader;
    if (is_asking && r->status.role != RAFT_LEADER)
        deadline = earliest(deadline, r->question_deadline_ms);
    return deadline;
}

const struct raft_status *raft_status(const struct raft *r) {
    return &r->status;
}

const struct raft_configuration *raft_configuration(const struct raft *r) {
    return &r->configuration;
}

static enum raft_feeding feeding_of(const struct raft_progress *peer) {
    switch (peer->state) {
    case RAFT_PROBE: return RAFT_FEEDING_PROBE;
    case RAFT_REPLICATE: return RAFT_FEEDING_REPLICATE;
    case RAFT_SNAPSHOT: return RAFT_FEEDING_SNAPSHOT;
    }
    return RAFT_FEEDING_PROBE;
}

bool raft_peer_status(const struct raft *r, raft_id id, struct raft_peer_status *ret_status) {
    for (size_t i = 0; i < r->peer_count; i++) {
        const struct raft_progress *peer = &r->peers[i];
        if (peer->id != id)
            continue;
        *ret_status = (struct raft_peer_status){.id = id,
                                                .is_voter = raft__is_voter(&r->configuration, id),
                                                .feeding = feeding_of(peer),
                                                .match_index = peer->match_index,
                                                .next_index = peer->next_index,
                                                .in_flight = peer->window_count,
                                                .in_flight_bytes = peer->window_bytes,
                                                .acked_ms = peer->acked_ms};
        return true;
    }
    return false;
}
