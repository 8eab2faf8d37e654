/* Engines in random trouble: losses, delays, doubled messages, crashes, slow disks, clocks of
 * different speed, changes of members, transfers. Then all heals, and they must agree.
 *
 *     build/test/sim/engine_test            the usual seeds
 *     build/test/sim/engine_test 4711       one seed, with its trace
 *     build/test/sim/engine_test 1 100000   seeds from .. to */
#include "support/net.h"

#include "check.h"

#include <signal.h>
#include <stdlib.h>

#define STEPS 150
#define SEEDS 400

static bool is_up(struct net *net, raft_id id) {
    return net_node(net, id)->raft != NULL;
}

static raft_id any_node(struct net *net) {
    return 1 + net_chance(net, net->node_count);
}

/* ---- Trouble --------------------------------------------------------------------------------- */

static void some_crash(struct net *net, raft_id id) {
    if (!is_up(net, id)) {
        net_restart(net, id);
        return;
    }
    struct net_node *node = net_node(net, id);
    while (net_chance(net, 2) == 0 && net_disk_write(net, id)) {
    }
    raft_index span = node->applied_index - node->flushed_index;
    node->flushed_index += net_chance(net, span + 1);
    net_crash(net, id);
}

/* The others go on without the leader, which does not know it yet. */
static void cut_off_leader(struct net *net) {
    raft_id leader = net_leader(net), other = any_node(net);
    if (leader == 0)
        return;
    if (net_chance(net, 3) == 0)
        (void)net_transfer(net, leader, other); /* refused now and then */
    net_isolate(net, leader);
    net->is_cut[leader][other] = net_chance(net, 2) == 0;
    for (int i = 0; i < 12; i++) {
        net_elapse(net, 100);
        if (net_leader(net) != 0)
            (void)net_propose(net, net_leader(net), "meanwhile"); /* refused now and then */
        (void)(is_up(net, leader) && net_read(net, leader));      /* likewise */
    }
}

static void some_cut(struct net *net, raft_id id) {
    raft_id other = any_node(net);
    switch (net_chance(net, 5)) {
    case 4: cut_off_leader(net); return;
    case 0: net_isolate(net, id); return;
    case 1: net_cut(net, id, other); return;
    case 2: net_cut_way(net, id, other); return;
    case 3: net_heal(net); return;
    }
}

static void some_disk(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    switch (net_chance(net, 4)) {
    case 0: net_disk_hold(net, id); return;
    case 1: node->disk_ms = net_chance(net, 400); return;
    case 2: (void)(is_up(net, id) && net_sync(net, id)); return;
    case 3: net_disk_heal(net, id); return;
    }
}

static void some_change(struct net *net, raft_id id) {
    char members[64] = "";
    size_t len = 0;
    for (raft_id member = 1; member <= net->node_count; member++)
        if (net_chance(net, 3) != 0)
            len +=
                (size_t)snprintf(members + len, sizeof members - len, "%s%lu%s",
                                 len == 0 ? "" : " ", member, net_chance(net, 4) == 0 ? "l" : "");
    (void)net_configure(net, id, members); /* refused now and then */
}

static void some_log_cut(struct net *net, raft_id id) {
    struct net_node *node = net_node(net, id);
    raft_index span = node->applied_index - node->log.cut_index;
    if (span > 0)
        net_cut_log(net, id, node->log.cut_index + 1 + net_chance(net, span));
}

static void some_proposals(struct net *net, raft_id id) {
    char text[16];
    for (uint64_t count = net_chance(net, 5); count > 0; count--) {
        (void)snprintf(text, sizeof text, "x%u", (unsigned)net->kept_count); /* always fits */
        (void)net_propose(net, id, text);                                    /* refused mostly */
    }
}

static void some_trouble(struct net *net) {
    raft_id id = any_node(net);
    uint64_t what = net_chance(net, 100);
    if (what < 6)
        some_crash(net, id);
    else if (what < 14)
        some_cut(net, id);
    else if (what < 22)
        some_disk(net, id);
    else if (!is_up(net, id))
        return;
    else if (what < 30)
        some_change(net, net_leader(net) != 0 ? net_leader(net) : id);
    else if (what < 36)
        (void)net_transfer(net, net_leader(net) != 0 ? net_leader(net) : id,
                           any_node(net)); /* refused now and then */
    else if (what < 40)
        some_log_cut(net, id);
    else if (what < 60)
        (void)net_read(net, id); /* refused without a leader */
    else
        some_proposals(net, net_leader(net) != 0 && what < 85 ? net_leader(net) : id);
}

static struct net *given_any_net(uint64_t seed) {
    size_t founders = seed % 3 == 0 ? 5 : seed % 3 == 1 ? 3 : 1 + seed % 2;
    struct net *net = net_unstarted(founders == 5 ? 7 : 5, founders, seed);
    bool has_skew = net_chance(net, 2) == 0;
    bool has_lease_reads = net_chance(net, 3) != 0;
    for (raft_id id = 1; id <= net->node_count; id++) {
        struct net_node *node = net_node(net, id);
        node->clock_permille = has_skew ? 1000 + (unsigned)net_chance(net, 900) : 1000;
        node->has_lease_reads = has_lease_reads;
        node->election_timeout_ms = 600 + net_chance(net, 800);
        node->disk_ms = net_chance(net, 30);
    }
    net->loss_permille = (unsigned)net_chance(net, 200);
    net->doubled_permille = (unsigned)net_chance(net, 200);
    net->jitter_ms = net_chance(net, 3) == 0 ? 400 : net_chance(net, 50);
    net->has_long_turns = net_chance(net, 2) == 0;
    return net;
}

/* ---- Peace ----------------------------------------------------------------------------------- */

static void heal(struct net *net) {
    net_heal(net);
    net->loss_permille = net->doubled_permille = 0;
    net->jitter_ms = 5;
    for (raft_id id = 1; id <= net->node_count; id++) {
        net_disk_heal(net, id);
        if (!is_up(net, id))
            net_restart(net, id);
    }
}

static void must_agree(struct net *net) {
    net_elapse(net, 30000);
    raft_id leader = net_leader(net);
    if (leader == 0)
        net_broken(net, "no leader after all healed");
    if (net_propose(net, leader, "peace") != STATUS_OK)
        net_broken(net, "the leader takes no proposal");
    net_elapse(net, 2000);
    if (net_leader(net) != leader)
        net_broken(net, "the leader changed in peace");
    const struct raft_configuration *c = raft_configuration(net_node(net, leader)->raft);
    for (size_t i = 0; i < c->count; i++) {
        raft_id id = c->members[i].id;
        if (net_commit_index(net, id) != net_status(net, leader)->last_index ||
            net_node(net, id)->applied_index != net_commit_index(net, id))
            net_broken(net, "a member lags behind in peace");
        if (net_read(net, id) != STATUS_OK)
            net_broken(net, "a member does not know its leader in peace");
    }
    net_elapse(net, 1000);
    for (size_t i = 0; i < c->count; i++)
        if (net_node(net, c->members[i].id)->confirmed_token !=
            net_node(net, c->members[i].id)->token)
            net_broken(net, "a read stays open in peace");
}

static void run(uint64_t seed, FILE *trace) {
    struct net *net = given_any_net(seed);
    net->trace = trace;
    net_start_all(net);
    net_elapse(net, 3000);
    for (int step = 0; step < STEPS; step++) {
        some_trouble(net);
        net_elapse(net, net_chance(net, 4) == 0 ? net_chance(net, 1500) : net_chance(net, 60));
    }
    heal(net);
    must_agree(net);
    net_free(net);
}

static uint64_t running_seed;

static void say_seed(int number) {
    (void)number;
    (void)fprintf(stderr, "replay: build/test/sim/engine_test %lu\n", running_seed);
}

int main(int argc, char **argv) {
    (void)signal(SIGABRT, say_seed);
    uint64_t from = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    uint64_t to = argc > 2 ? strtoul(argv[2], NULL, 10) : argc > 1 ? from : SEEDS;
    printf("seeds %lu .. %lu\n", from, to);
    for (uint64_t seed = running_seed = from; seed <= to; running_seed = ++seed)
        run(seed, argc == 2 ? stdout : NULL);
    return 0;
}
