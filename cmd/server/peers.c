/* The other nodes: what they say, what they are sent, and what an operator changes about them. */
#include "server/parts.h"

#include <stdlib.h>

/* Entries of one append that are read back from the log; what does not fit is sent later. */
#define READ_BACK_BYTES (4 * MIB)

enum status turn__step(struct turn *t, const struct raft_event *event) {
    enum status status = raft_step(t->raft, event);
    turn__entries_accept(t, event->kind == RAFT_EVENT_RECEIVE ? event->message : NULL);
    return status;
}

/* An append that the trail cannot hold is as if the network had lost it; so is one that comes
 * while the log is about to be replaced, and everything while it is. */
static bool is_taken(const struct turn *t, const struct raft_message *message) {
    size_t bytes = 0;
    if (message->kind != RAFT_APPEND)
        return !t->is_installing;
    if (t->install)
        return false;
    for (size_t i = 0; i < message->append.count; i++)
        bytes += message->append.entries[i].payload.len;
    return trail_has_room_for(&t->trail, message->append.count, bytes);
}

void turn_peer_lost(struct turn *t, raft_id peer) {
    if (t->lost_count < MEMBERS_MAX)
        t->lost[t->lost_count++] = peer;
}

bool turn__peer_is_gone(const struct turn *t, raft_id peer) {
    for (size_t i = 0; i < t->gone_count; i++)
        if (t->gone[i] == peer)
            return true;
    return false;
}

static void note_gone(struct turn *t, raft_id peer) {
    if (!turn__peer_is_gone(t, peer) && t->gone_count < MEMBERS_MAX)
        t->gone[t->gone_count++] = peer;
}

static void note_heard(struct turn *t, raft_id peer) {
    for (size_t i = 0; i < t->gone_count; i++)
        if (t->gone[i] == peer)
            t->gone[i--] = t->gone[--t->gone_count];
}

void turn_peer_found(struct turn *t) {
    t->has_found = true;
}

static void look_at_lost(struct turn *t) {
    struct raft_event event = {.kind = RAFT_EVENT_PEER_LOST, .now_ms = t->now_ms};
    for (size_t i = 0; i < t->lost_count; i++) {
        note_gone(t, t->lost[i]);
        event.lost_peer = t->lost[i];
        CHECK(turn__step(t, &event) == STATUS_OK);
    }
    t->lost_count = 0;
}

void turn__peers_look(struct turn *t) {
    struct raft_event found = {.kind = RAFT_EVENT_PEER_FOUND, .now_ms = t->now_ms};
    look_at_lost(t);
    if (t->has_found)
        CHECK(turn__step(t, &found) == STATUS_OK);
    t->has_found = false;
}

void turn__message(struct turn *t, struct turn_message *message) {
    struct raft_event event = {.kind = RAFT_EVENT_RECEIVE,
                               .now_ms = t->now_ms,
                               .message = &message->message};
    note_heard(t, message->message.from);
    if (is_taken(t, &message->message) && turn__step(t, &event) == STATUS_INVALID)
        t->status.refused_messages_total++;
    t->ports->message_done(t->ports->context, message);
}

/* ---- Appends going out ----------------------------------------------------------------------- */

static enum status read_back(void *context, const struct raft_entry *entry) {
    struct turn *t = context;
    struct turn_outgoing *out = &t->outgoing;
    if (out->bytes + entry->payload.len > READ_BACK_BYTES)
        return STATUS_OVERLOAD;
    struct raft_entry copy = *entry;
    copy.payload.data = out->payloads + out->bytes;
    if (entry->payload.len > 0)
        memcpy(out->payloads + out->bytes, entry->payload.data, entry->payload.len);
    out->bytes += entry->payload.len;
    out->entries[out->count++] = copy;
    return STATUS_OK;
}

/* Applied entries are durable and lie in the log; the others are in memory. False: some are not
 * to be had (any more, or for want of memory). A node whose log is damaged must not go on. */
static bool collect(struct turn *t, raft_index first, raft_index last) {
    struct turn_outgoing *out = &t->outgoing;
    out->count = 0;
    out->bytes = 0;
    raft_index read_to = last < t->trail.first ? last : t->trail.first - 1;
    if (first <= read_to) {
        if (!out->payloads)
            out->payloads = malloc(READ_BACK_BYTES);
        if (!out->payloads)
            return false;
        enum status status = t->ports->log_read(t->ports->context, first, read_to, read_back, t);
        if (status == STATUS_CORRUPT || status == STATUS_IO)
            t->ports->fail(t->ports->context, status, first);
        if (status != STATUS_OK)
            return status == STATUS_OVERLOAD && out->count > 0;
        first = read_to + 1;
    }
    for (raft_index index = first; index <= last; index++)
        out->entries[out->count++] = trail_at(&t->trail, index)->entry;
    return true;
}

void turn__send(struct turn *t, const struct raft_message *message) {
    t->status.messages_sent_total++;
    if (message->kind != RAFT_APPEND) {
        t->ports->send(t->ports->context, message, NULL, 0);
        return;
    }
    if (collect(t, message->append.prev_index + 1, message->append.last_index))
        t->ports->send(t->ports->context, message, t->outgoing.entries, t->outgoing.count);
}
