/* Clients' requests: admitted, waiting, answered. */
#include "server/parts.h"

/* Of a write: a precondition that did not hold is an answer like others. */
static bool is_failure(enum status status) {
    return status != STATUS_OK && status != STATUS_PRECONDITION;
}

static void reply(struct turn *t, struct turn_request *request, struct kv_response response) {
    if (!kv_request_is_write(request->request))
        response.is_not_applied = false; /* says something of writes only */
    else
        t->status.proposals_failed_total += is_failure(response.status);
    t->ports->reply(t->ports->context, request, &response);
}

/* For what was certainly not applied. */
static void refuse(struct turn *t, struct turn_request *request, enum status status,
                   const char *detail) {
    reply(t, request,
          (struct kv_response){.status = status, .is_not_applied = true, .detail = detail});
}

static void enlist(struct turn *t, struct turn_requests *list, struct turn_request *request) {
    TAILQ_INSERT_TAIL(list, request, link);
    if (request->deadline_ms < t->earliest_deadline_ms)
        t->earliest_deadline_ms = request->deadline_ms;
}

/* The last logged value plus the monotonic time in office: never a wall clock. */
static uint64_t logged_ms(const struct turn *t) {
    return t->logged_base_ms + (t->now_ms - t->office_since_ms);
}

/* Make the request the next entry. */
static enum status propose(struct turn *t, struct turn_request *request) {
    size_t size = kv_command_size(request->request);
    if (!trail_has_room(&t->trail, size))
        return STATUS_OVERLOAD;
    uint8_t *payload = trail_payload_new(size);
    if (!payload)
        return STATUS_NO_MEMORY;
    struct raft_event event = {.kind = RAFT_EVENT_PROPOSE, .now_ms = t->now_ms};
    event.propose.payload_bytes = size;
    enum status status = turn__step(t, &event);
    if (status != STATUS_OK) {
        trail_payload_free(payload);
        return status;
    }
    kv_command_encode(request->request, logged_ms(t), payload, size);
    const struct raft_status *raft = raft_status(t->raft);
    struct raft_entry entry = {.index = raft->last_index,
                               .term = raft->term,
                               .type = RAFT_ENTRY_COMMAND,
                               .payload = bytes_of(payload, size)};
    trail_push(&t->trail, &entry, request);
    retention_append(&t->retention, entry.index, size);
    request->index = entry.index;
    return STATUS_OK;
}

/* The leader answers what this node cannot. Nobody leads, or the leader was just asked in vain:
 * there may be a new one soon. */
static void go_to_leader(struct turn *t, struct turn_request *request) {
    raft_id leader = raft_status(t->raft)->leader;
    bool is_away = leader != 0 && leader != t->config.identity.id;
    if (is_away && request->is_forwarded) {
        refuse(t, request, STATUS_NOT_LEADER, NULL);
    } else if (is_away && t->now_ms >= request->not_before_ms) {
        t->ports->forward(t->ports->context, request, leader);
    } else {
        if (request->not_before_ms > t->now_ms && request->not_before_ms < t->retry_ms)
            t->retry_ms = request->not_before_ms;
        enlist(t, &t->waiting, request);
    }
}

/* A follower's own disk is no reason to refuse: the leader knows how the others stand. */
static bool is_leader(const struct turn *t) {
    return raft_status(t->raft)->role == RAFT_LEADER;
}

static void write_request(struct turn *t, struct turn_request *request) {
    if (is_leader(t) && turn__disk_is_full(t)) {
        refuse(t, request, STATUS_DISK_FULL, "the disk is nearly full");
        return;
    }
    enum status status = propose(t, request);
    if (status == STATUS_OK) {
        t->status.proposals_total++;
        enlist(t, &t->pending, request);
    } else if (status == STATUS_NOT_LEADER) {
        go_to_leader(t, request);
    } else if (status ==
               STATUS_BUSY) { /* leadership is being handed over: there is a leader soon */
        enlist(t, &t->waiting, request);
    } else {
        refuse(t, request, STATUS_OVERLOAD, "too much is not yet committed");
    }
}

/* One question for all reads of this turn. */
static bool ask_for_index(struct turn *t) {
    struct raft_event event = {.kind = RAFT_EVENT_READ, .now_ms = t->now_ms};
    event.read_token = ++t->read_token;
    t->has_asked = turn__step(t, &event) == STATUS_OK;
    return t->has_asked;
}

static void read_request(struct turn *t, struct turn_request *request) {
    t->status.reads_total++;
    if (request->request->is_stale) {
        request->index = 0;
        enlist(t, &t->reading, request);
        return;
    }
    if (!is_leader(t) && turn__disk_is_full(t)) {
        go_to_leader(t, request); /* what it cannot append, it never applies */
        return;
    }
    bool is_asked = t->has_asked || ask_for_index(t);
    request->token = t->read_token;
    enlist(t, is_asked ? &t->asking : &t->waiting, request);
}

void turn__request(struct turn *t, struct turn_request *request) {
    if (t->is_stopping)
        refuse(t, request, STATUS_UNAVAILABLE, "the server is stopping");
    else if (kv_request_is_write(request->request))
        write_request(t, request);
    else
        read_request(t, request);
}

void turn__requests_resume(struct turn *t) {
    struct turn_requests waiting = TAILQ_HEAD_INITIALIZER(waiting);
    TAILQ_CONCAT(&waiting, &t->waiting, link);
    t->retry_ms = UINT64_MAX;
    while (!TAILQ_EMPTY(&waiting)) {
        struct turn_request *request = TAILQ_FIRST(&waiting);
        TAILQ_REMOVE(&waiting, request, link);
        turn__request(t, request);
    }
}

void turn__read_confirmed(struct turn *t, const struct raft_read *read) {
    struct turn_request *request = TAILQ_FIRST(&t->asking);
    while (request && request->token <= read->token) {
        TAILQ_REMOVE(&t->asking, request, link);
        request->index = read->index;
        TAILQ_INSERT_TAIL(&t->reading, request, link);
        request = TAILQ_FIRST(&t->asking);
    }
}

/* Another leader's entry took its place here; elsewhere it may live on. */
void turn__request_lost(struct turn *t, struct turn_request *request) {
    TAILQ_REMOVE(&t->pending, request, link);
    reply(t, request, (struct kv_response){.status = STATUS_ABORTED, .detail = "leader lost"});
}

void turn__reads_answer(struct turn *t) {
    raft_index applied = kv_machine_meta(t->machine)->applied_index;
    struct turn_request *request = TAILQ_FIRST(&t->reading);
    while (request) {
        struct turn_request *next = TAILQ_NEXT(request, link);
        if (request->index <= applied) {
            struct kv_response response;
            TAILQ_REMOVE(&t->reading, request, link);
            kv_machine_read(t->machine, request->request, &response);
            reply(t, request, response);
        }
        request = next;
    }
}

void turn__request_done(struct turn *t, struct turn_request *request,
                        const struct kv_response *response) {
    TAILQ_REMOVE(&t->pending, request, link);
    reply(t, request, *response);
}

/* Take the requests whose deadline has passed out of a list; the others' earliest is kept. */
static void take_expired(struct turn *t, struct turn_requests *list,
                         struct turn_requests *ret_expired) {
    TAILQ_INIT(ret_expired);
    struct turn_request *request = TAILQ_FIRST(list);
    while (request) {
        struct turn_request *next = TAILQ_NEXT(request, link);
        if (request->deadline_ms <= t->now_ms) {
            TAILQ_REMOVE(list, request, link);
            TAILQ_INSERT_TAIL(ret_expired, request, link);
        } else if (request->deadline_ms < t->earliest_deadline_ms) {
            t->earliest_deadline_ms = request->deadline_ms;
        }
        request = next;
    }
}

static void expire_waiting(struct turn *t) {
    struct turn_requests expired;
    take_expired(t, &t->waiting, &expired);
    struct turn_request *request;
    while ((request = TAILQ_FIRST(&expired))) {
        TAILQ_REMOVE(&expired, request, link);
        refuse(t, request, STATUS_UNAVAILABLE, "no leader within the deadline");
    }
}

/* Their entry may still be applied: nobody waits for it any more. */
static void expire_pending(struct turn *t) {
    struct turn_requests expired;
    take_expired(t, &t->pending, &expired);
    struct turn_request *request;
    while ((request = TAILQ_FIRST(&expired))) {
        TAILQ_REMOVE(&expired, request, link);
        trail_at(&t->trail, request->index)->request = NULL;
        reply(t, request, (struct kv_response){.status = STATUS_TIMEOUT});
    }
}

static void expire_reads(struct turn *t, struct turn_requests *list) {
    struct turn_requests expired;
    take_expired(t, list, &expired);
    struct turn_request *request;
    while ((request = TAILQ_FIRST(&expired))) {
        TAILQ_REMOVE(&expired, request, link);
        reply(t, request, (struct kv_response){.status = STATUS_TIMEOUT});
    }
}

void turn__requests_expire(struct turn *t) {
    if (t->now_ms < t->earliest_deadline_ms)
        return;
    t->earliest_deadline_ms = UINT64_MAX;
    expire_waiting(t);
    expire_pending(t);
    expire_reads(t, &t->asking);
    expire_reads(t, &t->reading);
}

bool turn__requests_is_idle(const struct turn *t) {
    return TAILQ_EMPTY(&t->waiting) && TAILQ_EMPTY(&t->pending) && TAILQ_EMPTY(&t->asking) &&
           TAILQ_EMPTY(&t->reading);
}

/* What is pending may still be applied after the next start. */
void turn__requests_abandon(struct turn *t) {
    struct turn_request *request;
    while ((request = TAILQ_FIRST(&t->pending))) {
        TAILQ_REMOVE(&t->pending, request, link);
        trail_at(&t->trail, request->index)->request = NULL;
        reply(t, request, (struct kv_response){.status = STATUS_ABORTED});
    }
    TAILQ_CONCAT(&t->waiting, &t->asking, link);
    TAILQ_CONCAT(&t->waiting, &t->reading, link);
    while ((request = TAILQ_FIRST(&t->waiting))) {
        TAILQ_REMOVE(&t->waiting, request, link);
        refuse(t, request, STATUS_UNAVAILABLE, "the server is stopping");
    }
}
