#include "server/gossiper.h"

#include "container.h"
#include "gossip/dns.h"
#include "gossip/udp.h"
#include "log.h"
#include "server/arrivals.h"
#include "server/clock.h"
#include "server/loop_event.h"
#include "server/seed_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A start counter's share of the incarnation: the rest counts within one life. */
#define START_SHIFT 20

/* Of struct gossip_config. */
#define TICK_MS_MIN 10
#define TICK_MS_MAX 10000

/* What this program speaks. */
#define PROGRAM_VERSION 1

_Static_assert(GOSSIP_PACKET_BYTES_MAX == UDP_BYTES_MAX, "what is sealed is what is sent");
_Static_assert(GOSSIP_SEEDS_MAX == DNS_ADDRESSES_MAX, "all that is looked up is asked");

/* Addresses that were looked up, on their way to the loop. */
struct looked_up {
    pthread_mutex_t mutex;
    struct gossip_address list[GOSSIP_SEEDS_MAX];
    size_t count;
    bool is_new; /* the loop has not seen them, and is on its way */
    struct loop_event event;
};

struct gossiper {
    struct gossiper_config config;
    char label[NAME_BYTES_MAX];
    struct gossip_meta meta;
    struct gossip_keys keys;
    struct gossip *machine;
    struct udp *udp;
    struct dns *dns;
    struct dns_name names[DNS_NAMES_MAX];
    size_t name_count;
    struct gossip_address seeds[GOSSIP_SEEDS_MAX]; /* as the machine has them */
    size_t seed_count;
    struct gossip_address observed;
    bool has_observed;
    struct arrivals arrivals;
    struct loop_event arrived;
    struct looked_up looked_up;
};

/* ---- From threads -------------------------------------------------------------------------- */

static void take_arrivals(struct loop_event *event);
static void take_seeds(struct loop_event *event);

/* On the socket's thread. What no key opens goes no further. */
static void on_datagram(void *context, const struct gossip_address *from, struct bytes bytes) {
    struct gossiper *g = context;
    struct arrival arrival = {.from = *from};
    if (gossip_open(&g->keys, bytes, arrival.bytes, &arrival.len) != STATUS_OK)
        arrivals_drop(&g->arrivals);
    else if (arrivals_put(&g->arrivals, &arrival))
        inbox_post(g->config.inbox, loop_event_of(&g->arrived, take_arrivals));
}

/* On the thread that looks them up. */
static void on_addresses(void *context, const struct gossip_address *addresses, size_t count) {
    struct gossiper *g = context;
    struct looked_up *l = &g->looked_up;
    CHECK(count <= GOSSIP_SEEDS_MAX);
    CHECK(pthread_mutex_lock(&l->mutex) == 0);
    memcpy(l->list, addresses, count * sizeof *addresses);
    l->count = count;
    bool is_to_call = !l->is_new;
    l->is_new = true;
    CHECK(pthread_mutex_unlock(&l->mutex) == 0);
    if (is_to_call)
        inbox_post(g->config.inbox, loop_event_of(&l->event, take_seeds));
}

/* Members and seeds have places that strangers may not take. */
static void note_known(struct gossiper *g) {
    struct gossip_address known[ARRIVALS_KNOWN_MAX];
    size_t count = 0;
    for (size_t i = 0; i < gossip_count(g->machine); i++)
        known[count++] = gossip_at(g->machine, i)->address;
    memcpy(known + count, g->seeds, g->seed_count * sizeof g->seeds[0]);
    arrivals_set_known(&g->arrivals, known, count + g->seed_count);
}

/* ---- The machine's outputs ----------------------------------------------------------------- */

static void send_datagram(struct gossiper *g, const struct gossip_datagram *datagram) {
    uint8_t packet[GOSSIP_PACKET_BYTES_MAX];
    size_t len = gossip_seal(&g->keys, datagram->bytes, packet);
    udp_send(g->udp, &datagram->to, bytes_of(packet, len));
}

static void log_change(const struct gossip_member *member, const char *what) {
    char address[GOSSIP_ADDRESS_TEXT_BYTES_MAX];
    gossip_address_print(&member->address, address);
    log_info(what, log_text("node", member->meta.name), log_hex("identity", member->id),
             log_text("gossip_address", address),
             log_text("grpc_address", member->meta.raft_address),
             log_hex("cluster_id", member->meta.cluster_id));
}

static void tell_found(struct gossiper *g, const struct gossip_member *member) {
    char address[ADDRESS_BYTES_MAX];
    if (gossip_address_complete(member->meta.raft_address, &member->address, address))
        g->config.handlers.on_found(g->config.handlers.context, member->id, address);
}

static void tell_lost(struct gossiper *g, const struct gossip_member *member, const char *what) {
    log_change(member, what);
    g->config.handlers.on_lost(g->config.handlers.context, member->id);
}

/* Who had to make room for others meanwhile is known no more: that it is forgotten follows. */
static void take_change(struct gossiper *g, const struct gossip_change *change) {
    const struct gossip_member *member = gossip_find(g->machine, change->id);
    if (!member && change->kind != GOSSIP_FORGOTTEN)
        return;
    switch (change->kind) {
    case GOSSIP_JOINED:
        log_change(member, "gossip has found a node");
        tell_found(g, member);
        return;
    case GOSSIP_UPDATED:
    case GOSSIP_ALIVE_AGAIN: tell_found(g, member); return;
    case GOSSIP_SUSPECTED: return;
    case GOSSIP_DIED: tell_lost(g, member, "gossip takes a node for dead"); return;
    case GOSSIP_GONE: tell_lost(g, member, "a node has left"); return;
    case GOSSIP_FORGOTTEN:
        g->config.handlers.on_forgotten(g->config.handlers.context, change->id);
        return;
    }
}

/* Where the others see this node: of interest where it did not say so itself. */
static void look_at_itself(struct gossiper *g) {
    struct gossip_status status;
    char address[ADDRESS_BYTES_MAX], http_address[ADDRESS_BYTES_MAX];
    gossip_status(g->machine, &status);
    bool is_new = status.has_observed &&
                  (!g->has_observed || !gossip_address_equal(&status.observed, &g->observed));
    bool is_of_use = g->meta.raft_address[0] == ':' || g->meta.http_address[0] == ':';
    if (!is_new || !is_of_use)
        return;
    g->observed = status.observed;
    g->has_observed = true;
    if (gossip_address_complete(g->meta.raft_address, &g->observed, address) &&
        gossip_address_complete(g->meta.http_address, &g->observed, http_address))
        g->config.handlers.on_observed(g->config.handlers.context, address, http_address);
}

static void pump(struct gossiper *g) {
    struct gossip_ready ready;
    gossip_ready(g->machine, &ready);
    for (size_t i = 0; i < ready.datagram_count; i++)
        send_datagram(g, &ready.datagrams[i]);
    for (size_t i = 0; i < ready.change_count; i++)
        take_change(g, &ready.changes[i]);
    bool has_changed = ready.change_count > 0;
    gossip_advance(g->machine);
    if (has_changed)
        note_known(g);
    look_at_itself(g);
}

/* ---- Its inputs ---------------------------------------------------------------------------- */

/* What the machine refuses it has counted. */
static void step(struct gossiper *g, struct gossip_event *event) {
    event->now_ms = clock_ms();
    if (gossip_step(g->machine, event) == STATUS_OVERLOAD) {
        pump(g);
        CHECK(gossip_step(g->machine, event) != STATUS_OVERLOAD); /* there is room now */
    }
}

static void step_seeds(struct gossiper *g) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_SEEDS};
    event.seeds.list = g->seeds;
    event.seeds.count = g->seed_count;
    step(g, &event);
    note_known(g);
}

static void tell_seeds(const struct gossiper *g) {
    char first[GOSSIP_ADDRESS_TEXT_BYTES_MAX];
    gossip_address_print(&g->seeds[0], first);
    log_info("seeds", log_u64("count", g->seed_count), log_text("first", first));
    g->config.handlers.on_seeds(g->config.handlers.context, g->seed_count);
}

static void take_seeds(struct loop_event *event) {
    struct looked_up *l = CONTAINER_OF(event, struct looked_up, event);
    struct gossiper *g = CONTAINER_OF(l, struct gossiper, looked_up);
    CHECK(pthread_mutex_lock(&l->mutex) == 0);
    memcpy(g->seeds, l->list, sizeof g->seeds);
    g->seed_count = l->count;
    l->is_new = false;
    CHECK(pthread_mutex_unlock(&l->mutex) == 0);
    if (!g->udp) /* it has stopped */
        return;
    tell_seeds(g);
    step_seeds(g);
    pump(g);
}

static void step_arrivals(struct gossiper *g) {
    struct arrival arrival;
    for (size_t i = 0; i < GOSSIPER_BATCH_MAX && arrivals_take(&g->arrivals, &arrival); i++) {
        struct gossip_event event = {.kind = GOSSIP_EVENT_RECEIVE};
        event.receive.from = arrival.from;
        event.receive.bytes = bytes_of(arrival.bytes, arrival.len);
        step(g, &event);
    }
    pump(g);
}

/* What is left waits for the loop's next round: others are to have their turn. */
static void take_arrivals(struct loop_event *event) {
    struct gossiper *g = CONTAINER_OF(event, struct gossiper, arrived);
    if (!g->udp) /* it has stopped */
        return;
    step_arrivals(g);
    if (arrivals_leave(&g->arrivals))
        inbox_post(g->config.inbox, loop_event_of(&g->arrived, take_arrivals));
}

uint64_t gossiper_deadline_ms(const struct gossiper *g) {
    return g ? gossip_deadline_ms(g->machine) : UINT64_MAX;
}

void gossiper_tick(struct gossiper *g) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_TIMEOUT};
    if (!g || gossip_deadline_ms(g->machine) > clock_ms())
        return;
    step(g, &event);
    pump(g);
}

static struct gossip_address own_address(const struct gossiper *g) {
    return (struct gossip_address){.port = udp_port(g->udp)};
}

static void tell_label(struct gossiper *g, const char *label) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_LABEL};
    snprintf(g->label, sizeof g->label, "%s", label);
    event.label = g->label;
    step(g, &event);
    step_seeds(g); /* they may be of the new one */
    pump(g);
}

static void tell_meta(struct gossiper *g) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_META};
    g->meta.cluster_id = g->config.identity->cluster_id;
    event.meta.meta = &g->meta;
    event.meta.address = own_address(g);
    step(g, &event);
    pump(g);
}

void gossiper_tell(struct gossiper *g, const char *label) {
    if (!g)
        return;
    if (strcmp(label, g->label) != 0)
        tell_label(g, label);
    if (g->meta.cluster_id != g->config.identity->cluster_id)
        tell_meta(g);
}

void gossiper_leave(struct gossiper *g) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_LEAVE};
    if (!g)
        return;
    step(g, &event);
    pump(g);
}

/* ---- For those who ask ---------------------------------------------------------------------- */

enum node_gossip_state gossiper_state_of(enum gossip_state state) {
    switch (state) {
    case GOSSIP_ALIVE: return NODE_ALIVE;
    case GOSSIP_SUSPECT: return NODE_SUSPECT;
    case GOSSIP_DEAD: return NODE_DEAD;
    case GOSSIP_LEFT: return NODE_LEFT;
    }
    return NODE_DEAD;
}

bool gossiper_has_left(const struct gossiper *g) {
    struct gossip_status status;
    if (!g)
        return true;
    gossip_status(g->machine, &status);
    return status.has_left;
}

const struct gossip *gossiper_machine(const struct gossiper *g) {
    return g ? g->machine : NULL;
}

const struct gossip_member *gossiper_find(const struct gossiper *g, raft_id id) {
    return g ? gossip_find(g->machine, id) : NULL;
}

/* ---- Making one ---------------------------------------------------------------------------- */

static enum status bind_socket(struct gossiper *g) {
    const struct settings *settings = g->config.settings;
    struct udp_config config = {
        .ip = settings->bind_address,
        .port = (uint16_t)settings->bind_port,
        .port_count = settings_gossips_here(settings) ? SEED_PORTS : 1,
        .context = g,
        .on_datagram = on_datagram,
    };
    enum status status = udp_new(&config, &g->udp);
    if (status != STATUS_OK)
        log_error("cannot bind the gossip port", log_text("bind_addr", settings->bind_address),
                  log_u64("bind_port", settings->bind_port), log_status("status", status),
                  log_errno("error", errno));
    else if (udp_port(g->udp) != settings->bind_port)
        log_info("the gossip port is taken: bound the next free one",
                 log_u64("bind_port", settings->bind_port), log_u64("port", udp_port(g->udp)));
    return status;
}

/* The machine knows no faster and no slower ones. */
static uint64_t tick_ms_of(const struct settings *settings) {
    if (settings->tick_ms < TICK_MS_MIN)
        return TICK_MS_MIN;
    return settings->tick_ms < TICK_MS_MAX ? settings->tick_ms : TICK_MS_MAX;
}

static enum status make_machine(struct gossiper *g) {
    const struct kv_identity *identity = g->config.identity;
    snprintf(g->meta.name, sizeof g->meta.name, "%s", identity->name);
    g->meta.cluster_id = identity->cluster_id;
    g->meta.program = PROGRAM_VERSION;
    snprintf(g->meta.raft_address, sizeof g->meta.raft_address, "%s", g->config.raft_address);
    snprintf(g->meta.http_address, sizeof g->meta.http_address, "%s", g->config.http_address);
    snprintf(g->meta.region, sizeof g->meta.region, "%s", g->config.settings->node_region);
    uint64_t incarnation = identity->start_counter << START_SHIFT;
    struct gossip_config config = {
        .self = identity->id,
        .label = g->label,
        .meta = g->meta,
        .address = own_address(g),
        .incarnation =
            incarnation < GOSSIP_INCARNATION_START_MAX ? incarnation : GOSSIP_INCARNATION_START_MAX,
        .tick_ms = tick_ms_of(g->config.settings),
        .seed = identity->start_nonce,
        .now_ms = clock_ms(),
    };
    return gossip_new(&config, &g->machine);
}

enum status gossiper_new(const struct gossiper_config *config, struct gossiper **ret_gossiper) {
    struct gossiper *g = calloc(1, sizeof *g);
    CHECK(g);
    g->config = *config;
    CHECK(arrivals_init(&g->arrivals) == STATUS_OK);
    CHECK(pthread_mutex_init(&g->looked_up.mutex, NULL) == 0);
    snprintf(g->label, sizeof g->label, "%s", config->label);
    enum status status = gossip_keys_parse(config->settings->gossip_keys, &g->keys);
    if (status == STATUS_OK)
        status = bind_socket(g);
    if (status == STATUS_OK)
        status = make_machine(g);
    if (status != STATUS_OK) {
        gossiper_free(g);
        return status;
    }
    g->name_count = seed_names_read(config->settings, g->names);
    g->seed_count = seed_ports(config->settings, g->seeds);
    *ret_gossiper = g;
    return STATUS_OK;
}

static void start_look_ups(struct gossiper *g) {
    struct dns_config config = {.names = g->names,
                                .count = g->name_count,
                                .name_servers = g->config.settings->discovery_servers,
                                .context = g,
                                .on_addresses = on_addresses};
    enum status status = dns_new(&config, &g->dns);
    if (status != STATUS_OK)
        log_error("cannot look up names", log_status("status", status));
}

void gossiper_start(struct gossiper *g) {
    if (!g)
        return;
    udp_start(g->udp);
    if (g->name_count > 0)
        start_look_ups(g);
    if (g->seed_count > 0)
        step_seeds(g);
    pump(g);
}

void gossiper_stop(struct gossiper *g) {
    if (!g)
        return;
    dns_free(g->dns);
    g->dns = NULL;
    udp_free(g->udp);
    g->udp = NULL;
}

void gossiper_free(struct gossiper *g) {
    if (!g)
        return;
    gossiper_stop(g);
    gossip_free(g->machine);
    CHECK(pthread_mutex_destroy(&g->looked_up.mutex) == 0);
    arrivals_close(&g->arrivals);
    free(g);
}
