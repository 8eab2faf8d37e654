/* What consensus costs, with nothing around it: three engines on one thread, messages handed over
 * in memory, disks that sync at once. One round: a proposal goes to the leader, and comes out
 * committed there after both followers have acknowledged it. Prints a line of JSON, about runs of
 * 1,000 rounds, the first of them not counted.
 *
 *   consensus [RUNS] */
#include "raft/raft.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NODES ((size_t)3)
#define ROUNDS 1000
#define RUNS 200
#define INBOX_MAX ((size_t)64)
#define PAYLOAD_BYTES ((size_t)64)

struct node {
    struct raft *raft;
    struct raft_message inbox[INBOX_MAX];
    size_t inbox_count;
};

static struct node nodes[NODES];
static struct raft_entry *entries; /* the one log that all of them have; by index */
static uint64_t now_ms = 1000;

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void deliver(const struct raft_message *message) {
    struct node *to = &nodes[message->to - 1];
    CHECK(to->inbox_count < INBOX_MAX);
    struct raft_message *copy = &to->inbox[to->inbox_count++];
    *copy = *message;
    if (message->kind != RAFT_APPEND)
        return;
    copy->append.entries = &entries[message->append.prev_index + 1];
    copy->append.count = (size_t)(message->append.last_index - message->append.prev_index);
}

static void note_own_entries(struct node *node) {
    const struct raft_accepted *accepted = raft_accepted(node->raft);
    for (size_t i = 0; i < accepted->own_count; i++)
        entries[accepted->own[i].index] = accepted->own[i];
}

static void step(struct node *node, struct raft_event event) {
    event.now_ms = now_ms;
    CHECK(raft_step(node->raft, &event) == STATUS_OK);
    note_own_entries(node);
}

static void take_inbox(struct node *node) {
    for (size_t i = 0; i < node->inbox_count; i++)
        step(node, (struct raft_event){.kind = RAFT_EVENT_RECEIVE, .message = &node->inbox[i]});
    node->inbox_count = 0;
}

static void act(struct node *node) {
    struct raft_ready ready;
    raft_ready(node->raft, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        deliver(&ready.messages[i]);
    bool has_batch = ready.has_batch;
    struct raft_event durable = {.kind = RAFT_EVENT_DURABLE};
    durable.durable.batch = ready.batch.number;
    durable.durable.term = ready.batch.term;
    raft_advance(node->raft);
    if (has_batch)
        step(node, durable);
}

/* Everybody's turn, until nobody has anything to do. */
static void settle(void) {
    bool is_idle = false;
    while (!is_idle) {
        is_idle = true;
        for (size_t i = 0; i < NODES; i++) {
            is_idle = is_idle && nodes[i].inbox_count == 0 && !raft_has_work(nodes[i].raft);
            take_inbox(&nodes[i]);
            if (raft_has_work(nodes[i].raft))
                act(&nodes[i]);
        }
    }
}

/* ---- The cluster ----------------------------------------------------------------------------- */

static void start(size_t number) {
    struct raft_term_run founding = {.first = 1, .term = 1};
    struct raft_config config = {
        .self = number + 1,
        .hard = {.term = 1},
        .runs = &founding,
        .run_count = 1,
        .last_index = 1,
        .applied_index = 1,
        .configuration = {.index = 1, .count = NODES},
        .election_timeout_ms = 1000,
        .heartbeat_ms = 300,
        .seed = number + 1,
        .now_ms = now_ms,
    };
    for (size_t i = 0; i < NODES; i++)
        config.configuration.members[i] =
            (struct raft_member){.id = i + 1, .rights = RAFT_VOTER_NEW};
    CHECK(raft_new(&config, &nodes[number].raft) == STATUS_OK);
}

/* The first node notices first that there is no leader. */
static void elect(void) {
    now_ms = raft_deadline_ms(nodes[0].raft);
    step(&nodes[0], (struct raft_event){.kind = RAFT_EVENT_TIMEOUT});
    settle();
    CHECK(raft_status(nodes[0].raft)->is_in_office);
}

static void propose(void) {
    struct raft_event event = {.kind = RAFT_EVENT_PROPOSE};
    event.propose.payload_bytes = PAYLOAD_BYTES;
    step(&nodes[0], event);
    const struct raft_status *leader = raft_status(nodes[0].raft);
    static const uint8_t payload[PAYLOAD_BYTES];
    entries[leader->last_index] = (struct raft_entry){.index = leader->last_index,
                                                      .term = leader->term,
                                                      .type = RAFT_ENTRY_COMMAND,
                                                      .payload = bytes_of(payload, PAYLOAD_BYTES)};
    settle();
    CHECK(leader->commit_index == leader->last_index);
}

/* ---- Measuring ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static uint64_t run_ns(void) {
    uint64_t started_ns = now_ns();
    for (int i = 0; i < ROUNDS; i++)
        propose();
    return now_ns() - started_ns;
}

int main(int argc, char **argv) {
    size_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : RUNS;
    if (argc > 2 || runs == 0 || runs > 100000) {
        fprintf(stderr, "usage: consensus [RUNS]\n");
        return 2;
    }
    uint64_t *taken_ns = calloc(runs, sizeof *taken_ns);
    entries = calloc((runs + 1) * ROUNDS + 16, sizeof *entries);
    CHECK(taken_ns && entries);
    for (size_t i = 0; i < NODES; i++)
        start(i);
    elect();
    (void)run_ns(); /* warms up */
    for (size_t i = 0; i < runs; i++)
        taken_ns[i] = run_ns();
    qsort(taken_ns, runs, sizeof *taken_ns, compare);
    printf("{\"rounds\":%d,\"runs\":%zu,\"median_ms\":%.3f,\"fastest_ms\":%.3f,"
           "\"slowest_ms\":%.3f}\n",
           ROUNDS, runs, (double)taken_ns[runs / 2] / 1e6, (double)taken_ns[0] / 1e6,
           (double)taken_ns[runs - 1] / 1e6);
    for (size_t i = 0; i < NODES; i++)
        raft_free(nodes[i].raft);
    free(entries);
    free(taken_ns);
    return 0;
}
