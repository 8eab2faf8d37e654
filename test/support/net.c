#include "support/net.h"

#include "check.h"

#include <stdarg.h>
#include <stdlib.h>

#define TIMEOUT_MS 1000
#define HEARTBEAT_MS 100
#define EVENTS_MAX 1000000 /* in one instant; beyond, something goes round in circles */

__attribute__((format(printf, 2, 3))) static void trace(struct net *net, const char *format, ...) {
    if (!net->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(net->trace, format, arguments);
    va_end(arguments);
}

uint64_t net_chance(struct net *net, uint64_t below) {
    uint64_t z = net->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return below == 0 ? 0 : (z ^ (z >> 31)) % below;
}

struct net_node *net_node(struct net *net, raft_id id) {
    CHECK(id >= 1 && id <= net->node_count);
    return &net->nodes[id - 1];
}

uint64_t net_local_ms(const struct net *net, const struct net_node *node) {
    return net->now_ms * node->clock_permille / 1000;
}

static struct bytes keep(struct net *net, struct bytes payload) {
    if (net->kept_count == net->kept_capacity) {
        net->kept_capacity = net->kept_capacity * 2 + 64;
        net->kept = realloc(net->kept, net->kept_capacity * sizeof *net->kept);
        CHECK(net->kept);
    }
    uint8_t *data = malloc(payload.len + 1);
    CHECK(data);
    if (payload.len > 0)
        memcpy(data, payload.data, payload.len);
    net->kept[net->kept_count++] = data;
    return bytes_of(data, payload.len);
}

/* ---- Logs ------------------------------------------------------------------------------------ */

static struct net_entry *entry_at(struct net_log *log, raft_index index) {
    CHECK(index >= 1 && index <= NET_LOG_MAX);
    return &log->entries[index - 1];
}

static raft_term term_at(struct net_log *log, raft_index index) {
    return index == 0 ? 0 : entry_at(log, index)->term;
}

/* "If two entries in different logs have the same index and term, they store the same command, and
 * the logs are identical in all preceding entries." (thesis 3.5) By induction, the one before. */
static void check_match(struct net *net, struct net_node *node, raft_index index) {
    const struct net_entry *entry = entry_at(&node->log, index);
    for (size_t i = 0; i < net->node_count; i++) {
        struct net_node *other = &net->nodes[i];
        if (other == node || !other->raft || other->log.last_index < index ||
            entry_at(&other->log, index)->term != entry->term)
            continue;
        if (!bytes_equal(entry_at(&other->log, index)->payload, entry->payload) ||
            term_at(&other->log, index - 1) != term_at(&node->log, index - 1))
            net_broken(net, "two logs do not match");
    }
}

static void push(struct net *net, struct net_node *node, struct net_entry entry) {
    raft_index index = ++node->log.last_index;
    *entry_at(&node->log, index) = entry;
    check_match(net, node, index);
}

/* The node's copy of the log does what its engine did. */
static void follow_accepted(struct net *net, struct net_node *node,
                            const struct raft_message *message) {
    const struct raft_accepted *accepted = raft_accepted(node->raft);
    if (accepted->truncate_from != 0)
        node->log.last_index = accepted->truncate_from - 1;
    for (size_t i = 0; i < accepted->count; i++) {
        const struct raft_entry *entry = &message->append.entries[accepted->skip + i];
        push(net, node, (struct net_entry){entry->term, entry->type, entry->payload});
    }
    for (size_t i = 0; i < accepted->own_count; i++) {
        const struct raft_entry *own = &accepted->own[i];
        push(net, node, (struct net_entry){own->term, own->type, keep(net, own->payload)});
    }
    CHECK(node->log.last_index == raft_status(node->raft)->last_index);
}

static void founding_configuration(const struct net *net, struct raft_configuration *ret) {
    *ret = (struct raft_configuration){.count = net->founder_count};
    for (size_t i = 0; i < net->founder_count; i++) {
        ret->members[i] = (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
        (void)snprintf(ret->members[i].name, NAME_BYTES_MAX, "n%zu", i + 1); /* always fits */
    }
}

void net_configuration_at(struct net *net, const struct net_node *node, const struct net_log *log,
                          raft_index index, struct raft_configuration *ret_configuration) {
    for (; index > 0; index--) {
        const struct net_entry *entry = &log->entries[index - 1];
        if (entry->type != RAFT_ENTRY_CONFIGURATION)
            continue;
        CHECK(raft_configuration_decode(entry->payload, ret_configuration) == STATUS_OK);
        ret_configuration->index = index;
        return;
    }
    if (node->id <= net->founder_count)
        founding_configuration(net, ret_configuration);
    else
        *ret_configuration = (struct raft_configuration){0};
}

/* ---- The disk -------------------------------------------------------------------------------- */

static void write_batch(struct net *net, struct net_node *node, struct net_batch *b) {
    const struct raft_batch *batch = &b->batch;
    if (batch->has_hard_state && batch->hard.term >= node->disk_hard.term)
        node->disk_hard = batch->hard;
    if (batch->truncate_from != 0 && batch->truncate_from <= node->disk.last_index)
        node->disk.last_index = batch->truncate_from - 1;
    for (raft_index i = batch->first; i <= batch->last; i++) {
        if (i <= node->disk.cut_index)
            continue; /* a snapshot came in between */
        if (i != node->disk.last_index + 1)
            net_broken(net, "a batch overwrites the log or leaves a gap");
        *entry_at(&node->disk, i) = b->entries[i - batch->first];
        node->disk.last_index = i;
    }
    b->is_written = true;
}

static void hand_batch(struct net *net, struct net_node *node, const struct raft_batch *batch) {
    CHECK(node->batch_count < NET_BATCHES_MAX);
    struct net_batch *b = &node->batches[node->batch_count++];
    *b = (struct net_batch){.batch = *batch, .due_ms = NET_FOREVER};
    if (node->disk_ms != NET_FOREVER)
        b->due_ms = net->now_ms + node->disk_ms;
    size_t count = batch->last + 1 - batch->first;
    b->entries = calloc(count + 1, sizeof *b->entries);
    CHECK(b->entries);
    for (size_t i = 0; i < count; i++)
        b->entries[i] = *entry_at(&node->log, batch->first + i);
}

static void complete_oldest(struct net *net, struct net_node *node) {
    struct net_batch b = node->batches[0];
    if (!b.is_written)
        write_batch(net, node, &b);
    free(b.entries);
    node->batch_count--;
    for (size_t i = 0; i < node->batch_count; i++)
        node->batches[i] = node->batches[i + 1];
    trace(net, "%lu syncs %lu..%lu\n", node->id, b.batch.first, b.batch.last);
    struct raft_event event = {.kind = RAFT_EVENT_DURABLE};
    event.durable.batch = b.batch.number;
    event.durable.term = b.batch.term;
    enum status status = net_step(net, node->id, &event);
    CHECK(status == STATUS_OK);
}

/* ---- The network ----------------------------------------------------------------------------- */

static void enqueue(struct net *net, struct net_message *message) {
    raft_id from = message->message.from, to = message->message.to;
    uint64_t delay_ms = net->delay_ms[from][to];
    message->due_ms = delay_ms == NET_FOREVER
                          ? NET_FOREVER
                          : net->now_ms + delay_ms + net_chance(net, net->jitter_ms);
    message->number = ++net->message_count;
    struct net_message **at = &net->messages;
    while (*at)
        at = &(*at)->next;
    *at = message;
}

static struct net_message *copy_of(const struct raft_message *m) {
    struct net_message *message = calloc(1, sizeof *message);
    CHECK(message);
    message->message = *m;
    if (m->kind == RAFT_APPEND && m->append.count > 0) {
        message->entries = calloc(m->append.count, sizeof *message->entries);
        CHECK(message->entries);
        memcpy(message->entries, m->append.entries, m->append.count * sizeof *message->entries);
        message->message.append.entries = message->entries;
    }
    return message;
}

static void send(struct net *net, struct net_node *node, const struct raft_message *out) {
    struct raft_entry entries[RAFT_APPEND_ENTRIES_MAX];
    struct raft_message m = *out;
    net_check_promise(net, node, &m);
    if (m.kind == RAFT_APPEND) {
        raft_index first = m.append.prev_index + 1;
        m.append.count = m.append.last_index + 1 - first;
        m.append.entries = entries;
        for (size_t i = 0; i < m.append.count; i++) {
            const struct net_entry *entry = entry_at(&node->log, first + i);
            entries[i] = (struct raft_entry){first + i, entry->term, entry->type, entry->payload};
        }
    }
    enqueue(net, copy_of(&m));
    if (net_chance(net, 1000) < net->doubled_permille)
        enqueue(net, copy_of(&m));
}

static void send_state(struct net *net, struct net_node *node, raft_id to) {
    struct net_message *message = calloc(1, sizeof *message);
    CHECK(message);
    message->message = (struct raft_message){.from = node->id, .to = to};
    message->state = node;
    message->state_index = node->applied_index;
    enqueue(net, message);
}

static void message_free(struct net_message *message) {
    free(message->entries);
    free(message);
}

static const char *kind_text(enum raft_message_kind kind) {
    switch (kind) {
    case RAFT_PRE_VOTE: return "pre-vote";
    case RAFT_PRE_VOTE_ANSWER: return "pre-vote answer";
    case RAFT_VOTE: return "vote";
    case RAFT_VOTE_ANSWER: return "vote answer";
    case RAFT_APPEND: return "append";
    case RAFT_APPEND_ANSWER: return "append answer";
    case RAFT_HEARTBEAT: return "heartbeat";
    case RAFT_HEARTBEAT_ANSWER: return "heartbeat answer";
    case RAFT_TIMEOUT_NOW: return "timeout now";
    case RAFT_READ: return "read";
    case RAFT_READ_ANSWER: return "read answer";
    }
    return "?";
}

static void trace_details(struct net *net, const struct raft_message *m) {
    switch (m->kind) {
    case RAFT_PRE_VOTE:
    case RAFT_VOTE:
        trace(net, " last %lu of term %lu%s", m->vote.last_index, m->vote.last_term,
              m->vote.is_transfer ? " transfer" : "");
        return;
    case RAFT_PRE_VOTE_ANSWER:
    case RAFT_VOTE_ANSWER: trace(net, " %s", m->vote_answer.is_granted ? "yes" : "no"); return;
    case RAFT_APPEND:
        trace(net, " after %lu of term %lu, %zu entries, commit %lu", m->append.prev_index,
              m->append.prev_term, m->append.count, m->append.commit_index);
        return;
    case RAFT_APPEND_ANSWER:
        if (m->append_answer.is_match)
            trace(net, " holds %lu", m->append_answer.index);
        else
            trace(net, " refuses %lu, hint %lu of term %lu", m->append_answer.index,
                  m->append_answer.hint_index, m->append_answer.hint_term);
        return;
    case RAFT_HEARTBEAT:
        trace(net, " round %lu, commit %lu", m->heartbeat.round, m->heartbeat.commit_index);
        return;
    case RAFT_HEARTBEAT_ANSWER: trace(net, " round %lu", m->heartbeat_answer.round); return;
    case RAFT_READ_ANSWER: trace(net, " index %lu", m->read.index); return;
    case RAFT_TIMEOUT_NOW:
    case RAFT_READ: return;
    }
}

static void trace_message(struct net *net, const struct net_message *message, const char *fate) {
    const struct raft_message *m = &message->message;
    bool is_heartbeat = m->kind == RAFT_HEARTBEAT || m->kind == RAFT_HEARTBEAT_ANSWER;
    if (!net->trace || (is_heartbeat && net->hides_heartbeats))
        return;
    if (message->state) {
        trace(net, "%lu -> %lu: state up to %lu%s\n", m->from, m->to, message->state_index, fate);
        return;
    }
    trace(net, "%lu -> %lu: %s, term %lu", m->from, m->to, kind_text(m->kind), m->term);
    trace_details(net, m);
    trace(net, "%s\n", fate);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* One synced transaction, behind the batches before it: whether the log survives is decided by what
 * it holds (figure 5.3). */
static void install_on_disk(struct net *net, struct net_node *node, struct net_log *source,
                            raft_index index) {
    for (size_t i = 0; i < node->batch_count; i++)
        if (!node->batches[i].is_written)
            write_batch(net, node, &node->batches[i]);
    bool is_held =
        index <= node->disk.last_index && term_at(&node->disk, index) == term_at(source, index);
    memcpy(node->disk.entries, source->entries, index * sizeof source->entries[0]);
    if (!is_held)
        node->disk.last_index = index;
    if (node->disk_hard.term < term_at(source, index))
        node->disk_hard = (struct raft_hard_state){.term = term_at(source, index)};
    node->disk.cut_index = index;
    node->flushed_index = index;
}

static bool install(struct net *net, struct net_node *node, const struct net_message *message) {
    struct net_log *source = &message->state->disk;
    raft_index index = message->state_index;
    struct raft_configuration configuration;
    net_configuration_at(net, message->state, source, index, &configuration);
    struct raft_event event = {.kind = RAFT_EVENT_INSTALLED};
    event.installed.index = index;
    event.installed.term = term_at(source, index);
    event.installed.configuration = &configuration;
    if (node->is_dirty || index <= raft_status(node->raft)->commit_index ||
        raft_status(node->raft)->role == RAFT_LEADER)
        return false;
    install_on_disk(net, node, source, index);
    bool is_held =
        index <= node->log.last_index && term_at(&node->log, index) == event.installed.term;
    memcpy(node->log.entries, source->entries, index * sizeof source->entries[0]);
    if (!is_held)
        node->log.last_index = index;
    node->log.cut_index = index;
    node->applied_index = index;
    CHECK(net_step(net, node->id, &event) == STATUS_OK);
    CHECK(node->log.last_index == raft_status(node->raft)->last_index);
    struct raft_event cut = {.kind = RAFT_EVENT_CUT, .cut_index = index};
    CHECK(net_step(net, node->id, &cut) == STATUS_OK);
    return true;
}

static void state_arrives(struct net *net, const struct net_message *message, bool is_lost) {
    struct net_node *to = net_node(net, message->message.to);
    struct net_node *from = message->state;
    bool is_installed = !is_lost && to->raft && install(net, to, message);
    if (!from->raft)
        return;
    struct raft_event event = {.kind = RAFT_EVENT_SNAPSHOT_SENT};
    event.snapshot_sent.peer = to->id;
    event.snapshot_sent.index = message->state_index;
    event.snapshot_sent.is_installed = is_installed;
    CHECK(net_step(net, from->id, &event) == STATUS_OK);
}

void net_cut_log(struct net *net, raft_id id, raft_index through) {
    struct net_node *node = net_node(net, id);
    CHECK(through <= node->applied_index);
    struct raft_event event = {.kind = RAFT_EVENT_CUT, .cut_index = through};
    if (through > node->flushed_index)
        node->flushed_index = through;
    node->disk.cut_index = node->log.cut_index = through;
    CHECK(net_step(net, id, &event) == STATUS_OK);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static void take_reads(struct net *net, struct net_node *node, const struct raft_ready *ready) {
    for (size_t i = 0; i < ready->read_count; i++) {
        const struct raft_read *read = &ready->reads[i];
        trace(net, "%lu may read at %lu\n", node->id, read->index);
        if (read->index < net->asked[node->id][read->token % 64].index)
            net_broken(net, "a stale read");
        node->confirmed_token = read->token;
        node->confirmed_index = read->index;
        node->confirmed_count++;
    }
}

static void take_apply(struct net *net, struct net_node *node, raft_index apply_to) {
    if (apply_to < node->applied_index)
        net_broken(net, "apply_to went back");
    if (apply_to > node->disk.last_index ||
        term_at(&node->disk, apply_to) != term_at(&node->log, apply_to))
        net_broken(net, "applied before it is durable");
    if (apply_to > node->applied_index)
        trace(net, "%lu applies up to %lu\n", node->id, apply_to);
    node->applied_index = apply_to;
}

static void flush(struct net *net, struct net_node *node) {
    struct raft_ready ready;
    bool has_work = raft_has_work(node->raft);
    raft_ready(node->raft, &ready);
    bool has_some = ready.message_count + ready.read_count + ready.snapshot_count > 0;
    if ((has_some || ready.has_batch) && !has_work)
        net_broken(net, "raft_has_work() saw no work");
    node->is_dirty = false;
    for (size_t i = 0; i < ready.message_count; i++)
        send(net, node, &ready.messages[i]);
    if (ready.has_batch)
        hand_batch(net, node, &ready.batch);
    take_apply(net, node, ready.apply_to);
    take_reads(net, node, &ready);
    for (size_t i = 0; i < ready.snapshot_count; i++)
        send_state(net, node, ready.snapshots[i]);
    raft_advance(node->raft);
}

const char *net_role_text(enum raft_role role) {
    switch (role) {
    case RAFT_FOLLOWER: return "follower";
    case RAFT_PRE_CANDIDATE: return "pre-candidate";
    case RAFT_CANDIDATE: return "candidate";
    case RAFT_LEADER: return "leader";
    }
    return "?";
}

static void trace_role(struct net *net, const struct net_node *node) {
    const struct raft_status *s = raft_status(node->raft);
    if (s->role != node->seen_role)
        trace(net, "%lu becomes %s, term %lu\n", node->id, net_role_text(s->role), s->term);
    else if (s->term != node->seen_term)
        trace(net, "%lu is in term %lu\n", node->id, s->term);
    if (s->commit_index != node->seen_commit_index)
        trace(net, "%lu knows %lu committed\n", node->id, s->commit_index);
}

enum status net_step(struct net *net, raft_id id, struct raft_event *event) {
    struct net_node *node = net_node(net, id);
    event->now_ms = net_local_ms(net, node);
    enum status status = raft_step(node->raft, event);
    if (event->kind != RAFT_EVENT_PROPOSE && event->kind != RAFT_EVENT_INSTALLED)
        follow_accepted(net, node, event->message);
    if (event->kind != RAFT_EVENT_PROPOSE) {
        trace_role(net, node);
        net_check_node(net, node);
    }
    node->is_dirty = true;
    if (!net->has_long_turns)
        flush(net, node);
    return status;
}

enum status net_propose(struct net *net, raft_id id, const char *text) {
    struct net_node *node = net_node(net, id);
    struct raft_event event = {.kind = RAFT_EVENT_PROPOSE, .now_ms = net_local_ms(net, node)};
    event.propose.payload_bytes = strlen(text);
    enum status status = raft_step(node->raft, &event);
    if (status != STATUS_OK)
        return status;
    struct bytes payload = keep(net, bytes_of_text(text));
    push(net, node, (struct net_entry){raft_status(node->raft)->term, RAFT_ENTRY_COMMAND, payload});
    node->is_dirty = true;
    if (!net->has_long_turns)
        flush(net, node);
    return status;
}

static void receive(struct net *net, struct net_message *message) {
    struct net_node *to = net_node(net, message->message.to);
    bool is_lost = !to->raft || net->is_cut[message->message.from][to->id] ||
                   net_chance(net, 1000) < net->loss_permille;
    trace_message(net, message, is_lost ? " (lost)" : "");
    if (message->state) {
        state_arrives(net, message, is_lost);
    } else if (!is_lost) {
        struct raft_event event = {.kind = RAFT_EVENT_RECEIVE, .message = &message->message};
        (void)net_step(net, to->id, &event); /* what it says is for the sender's ears */
    }
    message_free(message);
}

bool net_deliver_one(struct net *net) {
    struct net_message **best = NULL;
    for (struct net_message **at = &net->messages; *at; at = &(*at)->next) {
        bool is_earlier = !best || (*at)->due_ms < (*best)->due_ms;
        if ((*at)->due_ms <= net->now_ms && is_earlier)
            best = at;
    }
    if (!best)
        return false;
    struct net_message *message = *best;
    *best = message->next;
    receive(net, message);
    return true;
}

static bool complete_due(struct net *net) {
    bool has_done = false;
    for (size_t i = 0; i < net->node_count; i++)
        while (net->nodes[i].raft && net->nodes[i].batch_count > 0 &&
               net->nodes[i].batches[0].due_ms <= net->now_ms) {
            complete_oldest(net, &net->nodes[i]);
            has_done = true;
        }
    return has_done;
}

static bool flush_dirty(struct net *net) {
    bool has_done = false;
    for (size_t i = 0; i < net->node_count; i++)
        if (net->nodes[i].raft && net->nodes[i].is_dirty) {
            flush(net, &net->nodes[i]);
            has_done = true;
        }
    return has_done;
}

void net_settle(struct net *net) {
    size_t events = 0;
    while (net_deliver_one(net) || complete_due(net) || flush_dirty(net)) {
        net_check_leases(net);
        if (++events > EVENTS_MAX)
            net_broken(net, "an instant without end");
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

static uint64_t net_deadline_ms(const struct net_node *node) {
    uint64_t deadline = raft_deadline_ms(node->raft);
    if (deadline == UINT64_MAX)
        return deadline;
    return (deadline * 1000 + node->clock_permille - 1) / node->clock_permille;
}

static uint64_t next_ms(const struct net *net) {
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < net->node_count; i++) {
        const struct net_node *node = &net->nodes[i];
        if (!node->raft)
            continue;
        if (net_deadline_ms(node) < next)
            next = net_deadline_ms(node);
        if (node->batch_count > 0 && node->batches[0].due_ms < next)
            next = node->batches[0].due_ms;
    }
    for (const struct net_message *m = net->messages; m; m = m->next)
        if (m->due_ms < next)
            next = m->due_ms;
    return next;
}

static void fire_timers(struct net *net) {
    for (size_t i = 0; i < net->node_count; i++) {
        struct net_node *node = &net->nodes[i];
        if (!node->raft || net_deadline_ms(node) > net->now_ms)
            continue;
        struct raft_event event = {.kind = RAFT_EVENT_TIMEOUT};
        CHECK(net_step(net, node->id, &event) == STATUS_OK);
        if (node->is_dirty)
            flush(net, node);
        if (net_deadline_ms(node) <= net->now_ms)
            net_broken(net, "a timer stays in the past");
    }
}

void net_elapse(struct net *net, uint64_t ms) {
    uint64_t end_ms = net->now_ms + ms;
    net_settle(net);
    while (next_ms(net) <= end_ms) {
        if (next_ms(net) > net->now_ms)
            net->now_ms = next_ms(net);
        net_settle(net);
        fire_timers(net);
        net_settle(net);
    }
    net->now_ms = end_ms;
    net_check_leases(net);
}

/* ---- Orders ---------------------------------------------------------------------------------- */

void net_elect(struct net *net, raft_id id) {
    net_settle(net);
    uint64_t longest_ms = 0;
    for (size_t i = 0; i < net->node_count; i++)
        if (net->nodes[i].election_timeout_ms > longest_ms)
            longest_ms = net->nodes[i].election_timeout_ms;
    net->now_ms += 2 * longest_ms;
    struct raft_event event = {.kind = RAFT_EVENT_TIMEOUT};
    CHECK(net_step(net, id, &event) == STATUS_OK);
    net_settle(net);
}

enum status net_transfer(struct net *net, raft_id id, raft_id transferee) {
    struct raft_event event = {.kind = RAFT_EVENT_TRANSFER, .transferee = transferee};
    return net_step(net, id, &event);
}

enum status net_configure(struct net *net, raft_id id, const char *members) {
    struct raft_configuration target = {0};
    char *end;
    for (const char *at = members; *at; at = end + (*end == ' ')) {
        struct raft_member *member = &target.members[target.count++];
        member->id = strtoul(at, &end, 10);
        CHECK(end != at);
        member->rights = *end == 'l' ? RAFT_LEARNER : RAFT_VOTER_NEW;
        end += *end == 'l';
        (void)snprintf(member->name, NAME_BYTES_MAX, "n%lu", member->id); /* always fits */
    }
    struct raft_event event = {.kind = RAFT_EVENT_CONFIGURE, .target = &target};
    return net_step(net, id, &event);
}

enum status net_read(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    uint64_t token = ++node->token;
    net->asked[id][token % 64].token = token;
    net->asked[id][token % 64].index = net->committed_index;
    struct raft_event event = {.kind = RAFT_EVENT_READ, .read_token = token};
    return net_step(net, id, &event);
}

void net_cut_way(struct net *net, raft_id from, raft_id to) {
    net->is_cut[from][to] = true;
}

void net_cut(struct net *net, raft_id a, raft_id b) {
    net_cut_way(net, a, b);
    net_cut_way(net, b, a);
}

void net_isolate(struct net *net, raft_id id) {
    for (raft_id other = 1; other <= net->node_count; other++)
        if (other != id)
            net_cut(net, id, other);
}

void net_heal(struct net *net) {
    memset(net->is_cut, 0, sizeof net->is_cut);
}

void net_hold(struct net *net, raft_id from, raft_id to) {
    net->delay_ms[from][to] = NET_FOREVER;
}

void net_release(struct net *net, raft_id from, raft_id to) {
    net->delay_ms[from][to] = 0;
    for (struct net_message *m = net->messages; m; m = m->next)
        if (m->message.from == from && m->message.to == to && m->due_ms == NET_FOREVER)
            m->due_ms = net->now_ms;
}

void net_drop(struct net *net, raft_id from, raft_id to) {
    struct net_message **at = &net->messages;
    while (*at) {
        struct net_message *message = *at;
        if (message->message.from != from || message->message.to != to) {
            at = &message->next;
            continue;
        }
        *at = message->next;
        trace_message(net, message, " (lost)");
        if (message->state)
            state_arrives(net, message, true);
        message_free(message);
    }
}

/* ---- Crashes and disks ----------------------------------------------------------------------- */

void net_crash(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    CHECK(node->raft);
    trace(net, "%lu crashes\n", id);
    raft_free(node->raft);
    node->raft = NULL;
    node->is_dirty = false;
    for (size_t i = 0; i < node->batch_count; i++)
        free(node->batches[i].entries);
    node->batch_count = 0;
}

void net_restart(struct net *net, raft_id id) {
    net_start(net, id);
}

void net_disk_hold(struct net *net, raft_id id) {
    net_node(net, id)->disk_ms = NET_FOREVER;
}

bool net_sync(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    if (node->batch_count == 0)
        return false;
    complete_oldest(net, node);
    return true;
}

bool net_disk_write(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    for (size_t i = 0; i < node->batch_count; i++) {
        if (node->batches[i].is_written)
            continue;
        write_batch(net, node, &node->batches[i]);
        return true;
    }
    return false;
}

void net_disk_heal(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    node->disk_ms = 0;
    for (size_t i = 0; i < node->batch_count; i++)
        node->batches[i].due_ms = net->now_ms;
}

/* ---- Given ----------------------------------------------------------------------------------- */

struct net *net_unstarted(size_t count, size_t founders, uint64_t seed) {
    CHECK(count <= NET_NODES_MAX && founders <= count);
    struct net *net = calloc(1, sizeof *net);
    CHECK(net);
    *net = (struct net){.seed = seed, .random = seed, .now_ms = 1000, .node_count = count};
    net->founder_count = founders;
    net->nodes = calloc(count, sizeof *net->nodes);
    net->committed = calloc(NET_LOG_MAX + 1, sizeof *net->committed);
    CHECK(net->nodes && net->committed);
    for (size_t i = 0; i < count; i++) {
        struct net_node *node = &net->nodes[i];
        node->id = i + 1;
        node->election_timeout_ms = TIMEOUT_MS;
        node->heartbeat_ms = HEARTBEAT_MS;
        node->has_lease_reads = true;
        node->clock_permille = 1000;
    }
    return net;
}

void net_prepare(struct net *net, raft_id id, const char *log, raft_term term, raft_id vote) {
    struct net_node *node = net_node(net, id);
    char *end;
    for (const char *at = log; *at; at = end + (*end == ' ')) {
        struct net_entry *entry = entry_at(&node->disk, ++node->disk.last_index);
        entry->term = strtoul(at, &end, 10);
        const char *text = end;
        end += strcspn(end, " ");
        bool is_noop = *text == '.';
        entry->type = is_noop ? RAFT_ENTRY_NOOP : RAFT_ENTRY_COMMAND;
        entry->payload = keep(net, bytes_of(text, is_noop ? 0 : (size_t)(end - text)));
    }
    node->disk_hard = (struct raft_hard_state){.term = term, .vote = vote};
}

static size_t runs_of(struct net_log *log, struct raft_term_run *runs) {
    size_t count = 0;
    for (raft_index i = log->cut_index + 1; i <= log->last_index; i++)
        if (count == 0 || runs[count - 1].term != term_at(log, i))
            runs[count++] = (struct raft_term_run){.first = i, .term = term_at(log, i)};
    return count;
}

static void configurations_of(struct net *net, struct net_node *node, struct raft_config *config) {
    net_configuration_at(net, node, &node->log, node->log.last_index, &config->configuration);
    raft_index before = config->configuration.index;
    net_configuration_at(net, node, &node->log, before == 0 ? 0 : before - 1,
                         &config->configuration_before);
}

void net_start(struct net *net, raft_id id) {
    static struct raft_term_run runs[NET_LOG_MAX];
    struct net_node *node = net_node(net, id);
    CHECK(!node->raft);
    node->log = node->disk;
    node->applied_index = node->flushed_index;
    node->token = node->confirmed_token = 0;
    memset(net->asked[id], 0, sizeof net->asked[id]);
    struct raft_config config = {
        .self = id,
        .hard = node->disk_hard,
        .cut_index = node->log.cut_index,
        .cut_term = term_at(&node->log, node->log.cut_index),
        .runs = runs,
        .run_count = runs_of(&node->log, runs),
        .last_index = node->log.last_index,
        .applied_index = node->applied_index,
        .election_timeout_ms = node->election_timeout_ms,
        .heartbeat_ms = node->heartbeat_ms,
        .silence_ms = node->silence_ms,
        .has_lease_reads = node->has_lease_reads,
        .seed = net->seed * 1000 + id * 100 + node->starts++,
        .now_ms = net_local_ms(net, node),
    };
    configurations_of(net, node, &config);
    CHECK(raft_new(&config, &node->raft) == STATUS_OK);
    if (node->silence_ms < node->election_timeout_ms)
        node->silence_ms = node->election_timeout_ms; /* from now on it has declared it */
    node->seen_role = RAFT_FOLLOWER;
    node->seen_term = node->disk_hard.term;
    node->seen_commit_index = node->applied_index;
    trace(net, "%lu starts, term %lu, log %lu\n", id, node->disk_hard.term, node->log.last_index);
}

void net_start_all(struct net *net) {
    for (raft_id id = 1; id <= net->node_count; id++)
        net_start(net, id);
}

struct net *net_new(size_t count, uint64_t seed) {
    struct net *net = net_unstarted(count, count, seed);
    net_start_all(net);
    return net;
}

void net_free(struct net *net) {
    for (raft_id id = 1; id <= net->node_count; id++)
        if (net_node(net, id)->raft)
            net_crash(net, id);
    while (net->messages) {
        struct net_message *message = net->messages;
        net->messages = message->next;
        message_free(message);
    }
    for (size_t i = 0; i < net->kept_count; i++)
        free(net->kept[i]);
    free(net->kept);
    free(net->committed);
    free(net->nodes);
    free(net);
}

/* ---- Then ------------------------------------------------------------------------------------ */

const struct raft_status *net_status(struct net *net, raft_id id) {
    CHECK(net_node(net, id)->raft);
    return raft_status(net_node(net, id)->raft);
}

raft_index net_commit_index(struct net *net, raft_id id) {
    return net_status(net, id)->commit_index;
}

raft_id net_leader(struct net *net) {
    raft_id leader = 0;
    raft_term term = 0;
    for (raft_id id = 1; id <= net->node_count; id++) {
        if (!net_node(net, id)->raft || net_status(net, id)->role != RAFT_LEADER ||
            net_status(net, id)->term < term)
            continue;
        leader = id;
        term = net_status(net, id)->term;
    }
    return leader;
}

bool net_has_lease(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    return raft_has_lease(node->raft, net_local_ms(net, node));
}

const char *net_log_text(struct net *net, raft_id id) {
    static char text[4096];
    size_t len = 0;
    struct net_log *log = &net_node(net, id)->log;
    text[0] = 0;
    for (raft_index i = 1; i <= log->last_index && len < sizeof text - 64; i++) {
        const struct net_entry *entry = entry_at(log, i);
        struct bytes payload = bytes_of_text(".");
        if (entry->type == RAFT_ENTRY_CONFIGURATION)
            payload = bytes_of_text("C");
        else if (entry->type == RAFT_ENTRY_COMMAND)
            payload = entry->payload;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%lu%.*s", i == 1 ? "" : " ",
                                entry->term, (int)payload.len, (const char *)payload.data);
    }
    return text;
}
