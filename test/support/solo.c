#include "support/solo.h"

#include "check.h"

#include <stdio.h>

struct raft_config solo_config(size_t voters) {
    struct raft_config config = {.self = 1,
                                 .election_timeout_ms = SOLO_TIMEOUT_MS,
                                 .heartbeat_ms = SOLO_HEARTBEAT_MS,
                                 .has_lease_reads = true,
                                 .seed = 42,
                                 .now_ms = 10000};
    config.configuration.count = voters;
    for (size_t i = 0; i < voters; i++) {
        struct raft_member *member = &config.configuration.members[i];
        *member = (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
        (void)snprintf(member->name, sizeof member->name, "n%zu", i + 1); /* always fits */
    }
    config.configuration_before = config.configuration;
    return config;
}

void solo_start(struct solo *s, const struct raft_config *config) {
    *s = (struct solo){.now_ms = config->now_ms};
    CHECK(raft_new(config, &s->raft) == STATUS_OK);
}

void solo_start_with_log(struct solo *s, raft_index last, raft_term term) {
    struct raft_term_run run = {.first = 1, .term = term};
    struct raft_config config = solo_config(3);
    config.hard.term = term;
    config.runs = &run;
    config.run_count = 1;
    config.last_index = last;
    solo_start(s, &config);
}

void solo_stop(struct solo *s) {
    raft_free(s->raft);
    s->raft = NULL;
}

enum status solo_step_only(struct solo *s, struct raft_event event) {
    event.now_ms = s->now_ms;
    return raft_step(s->raft, &event);
}

void solo_take(struct solo *s) {
    struct raft_ready ready;
    raft_ready(s->raft, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        if (s->out_count < sizeof s->out / sizeof s->out[0])
            s->out[s->out_count++] = ready.messages[i];
    for (size_t i = 0; i < ready.read_count; i++)
        s->reads[s->read_count++ % 32] = ready.reads[i];
    for (size_t i = 0; i < ready.snapshot_count; i++)
        s->snapshots[s->snapshot_count++ % 16] = ready.snapshots[i];
    if (ready.has_batch)
        s->batches[s->batch_count++] = ready.batch;
    s->apply_to = ready.apply_to;
    raft_advance(s->raft);
}

enum status solo_step(struct solo *s, struct raft_event event) {
    enum status status = solo_step_only(s, event);
    solo_take(s);
    return status;
}

enum status solo_receive(struct solo *s, struct raft_message message) {
    message.to = 1;
    return solo_step(s, (struct raft_event){.kind = RAFT_EVENT_RECEIVE, .message = &message});
}

enum status solo_propose(struct solo *s) {
    return solo_step(s, (struct raft_event){.kind = RAFT_EVENT_PROPOSE, .propose = {10}});
}

void solo_elapse(struct solo *s, uint64_t ms) {
    s->now_ms += ms;
    CHECK(solo_step(s, (struct raft_event){.kind = RAFT_EVENT_TIMEOUT}) == STATUS_OK);
}

void solo_sync(struct solo *s) {
    CHECK(s->batch_count > 0);
    struct raft_batch batch = s->batches[0];
    s->batch_count--;
    for (size_t i = 0; i < s->batch_count; i++)
        s->batches[i] = s->batches[i + 1];
    struct raft_event event = {.kind = RAFT_EVENT_DURABLE, .durable = {batch.number, batch.term}};
    CHECK(solo_step(s, event) == STATUS_OK);
}

void solo_sync_all(struct solo *s) {
    while (s->batch_count > 0)
        solo_sync(s);
}

void solo_forget(struct solo *s) {
    s->out_count = 0;
    s->read_count = 0;
    s->snapshot_count = 0;
}

const struct raft_message *solo_sent(const struct solo *s, enum raft_message_kind kind,
                                     raft_id to) {
    for (size_t i = s->out_count; i > 0; i--)
        if (s->out[i - 1].kind == kind && (to == 0 || s->out[i - 1].to == to))
            return &s->out[i - 1];
    return NULL;
}

size_t solo_sent_count(const struct solo *s, enum raft_message_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < s->out_count; i++)
        count += s->out[i].kind == kind;
    return count;
}

/* ---- A leader -------------------------------------------------------------------------------- */

static void answer_votes(struct solo *s, enum raft_message_kind kind, size_t voters) {
    raft_term term = raft_status(s->raft)->term + (kind == RAFT_PRE_VOTE_ANSWER);
    for (raft_id id = 2; id <= voters; id++)
        (void)solo_receive(s, (struct raft_message){.kind = kind,
                                                    .from = id,
                                                    .term = term,
                                                    .vote_answer = {true}}); /* late ones too */
}

void solo_start_as_leader(struct solo *s, size_t voters) {
    struct raft_config config = solo_config(voters);
    solo_start(s, &config);
    solo_elapse(s, 2 * SOLO_TIMEOUT_MS);
    answer_votes(s, RAFT_PRE_VOTE_ANSWER, voters);
    solo_sync_all(s);
    answer_votes(s, RAFT_VOTE_ANSWER, voters);
    solo_sync_all(s);
    for (raft_id id = 2; id <= voters; id++)
        CHECK(solo_receive(s, from_ack(id, 1, 1)) == STATUS_OK);
    CHECK(raft_status(s->raft)->is_in_office);
    solo_forget(s);
}

/* ---- Messages -------------------------------------------------------------------------------- */

struct raft_message from_vote(raft_id from, raft_term term, raft_index last, raft_term last_term) {
    return (struct raft_message){.kind = RAFT_VOTE,
                                 .from = from,
                                 .term = term,
                                 .vote = {.last_index = last, .last_term = last_term}};
}

struct raft_message from_append(raft_id from, raft_term term, raft_index prev, raft_term prev_term,
                                const struct raft_entry *entries, size_t count, raft_index commit) {
    return (struct raft_message){.kind = RAFT_APPEND,
                                 .from = from,
                                 .term = term,
                                 .append = {.prev_index = prev,
                                            .prev_term = prev_term,
                                            .commit_index = commit,
                                            .last_index = prev + count,
                                            .entries = entries,
                                            .count = count}};
}

struct raft_message from_ack(raft_id from, raft_term term, raft_index index) {
    return (struct raft_message){.kind = RAFT_APPEND_ANSWER,
                                 .from = from,
                                 .term = term,
                                 .append_answer = {.is_match = true, .index = index}};
}

struct raft_message from_heartbeat(raft_id from, raft_term term, uint64_t round,
                                   raft_index commit) {
    return (struct raft_message){.kind = RAFT_HEARTBEAT,
                                 .from = from,
                                 .term = term,
                                 .heartbeat = {.round = round, .commit_index = commit}};
}

struct raft_message from_heartbeat_answer(raft_id from, raft_term term, uint64_t round,
                                          uint64_t election_timeout_ms) {
    return (struct raft_message){.kind = RAFT_HEARTBEAT_ANSWER,
                                 .from = from,
                                 .term = term,
                                 .heartbeat_answer = {round, election_timeout_ms}};
}

struct raft_entry an_entry(raft_index index, raft_term term) {
    return (struct raft_entry){.index = index, .term = term, .type = RAFT_ENTRY_COMMAND};
}
