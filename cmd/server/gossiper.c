#include "server/gossiper.h"

#include "container.h"
#include "gossip/dns.h"
#include "gossip/udp.h"
#include "log.h"
#include "server/clock.h"
#include "server/loop_event.h"

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

/* A datagram on its way to the loop, opened. */
struct arrival {
    struct gossip_address from;
    size_t len;
    uint8_t bytes[GOSSIP_PACKET_BYTES_MAX];
};

/* What threads bring, under the mutex. */
struct hand_over {
    pthread_mutex_t mutex;
    struct arrival *arrivals; /* GOSSIPER_WAITING_MAX, a ring */
    size_t first;
    size_t count;
    uint64_t dropped_total;
    struct gossip_address known[GOSSIP_MEMBERS_MAX + GOSSIP_SEEDS_MAX];
    size_t known_count;
    struct gossip_address seeds[GOSSIP_SEEDS_MAX];
    size_t seed_count;
    bool has_seeds; /* that the loop has not seen */
    bool is_posted;
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
    struct hand_over in;
};

/* ---- The hand-over ------------------------------------------------------------------------- */

static void lock(struct gossiper *g) {
    CHECK(pthread_mutex_lock(&g->in.mutex) == 0);
}

static void unlock(struct gossiper *g) {
    CHECK(pthread_mutex_unlock(&g->in.mutex) == 0);
}

static void take_in(struct loop_event *event);

/* Locked: the loop is to come and look, if it is not on its way. */
static void call_loop(struct gossiper *g) {
    if (g->in.is_posted)
        return;
    g->in.is_posted = true;
    inbox_post(g->config.inbox, loop_event_of(&g->in.event, take_in));
}

static bool is_known(const struct hand_over *in, const struct gossip_address *address) {
    for (size_t i = 0; i < in->known_count; i++)
        if (gossip_address_equal(&in->known[i], address))
            return true;
    return false;
}

/* Locked. */
static bool has_place(const struct hand_over *in, const struct gossip_address *from) {
    if (in->count < GOSSIPER_STRANGERS_MAX)
        return true;
    return in->count < GOSSIPER_WAITING_MAX && is_known(in, from);
}

/* On the socket's thread. What no key opens goes no further. */
static void on_datagram(void *context, const struct gossip_address *from, struct bytes bytes) {
    struct gossiper *g = context;
    struct arrival arrival = {.from = *from};
    bool is_ours = gossip_open(&g->keys, bytes, arrival.bytes, &arrival.len) == STATUS_OK;
    lock(g);
    if (is_ours && has_place(&g->in, from)) {
        g->in.arrivals[(g->in.first + g->in.count++) % GOSSIPER_WAITING_MAX] = arrival;
        call_loop(g);
    } else {
        g->in.dropped_total++;
    }
    unlock(g);
}

/* On the thread that looks them up. */
static void on_addresses(void *context, const struct gossip_address *addresses, size_t count) {
    struct gossiper *g = context;
    CHECK(count <= GOSSIP_SEEDS_MAX);
    lock(g);
    memcpy(g->in.seeds, addresses, count * sizeof *addresses);
    g->in.seed_count = count;
    g->in.has_seeds = true;
    call_loop(g);
    unlock(g);
}

/* Who may have a place that strangers may not. */
static void note_known(struct gossiper *g) {
    size_t count = 0;
    lock(g);
    for (size_t i = 0; i < gossip_count(g->machine); i++)
        g->in.known[count++] = gossip_at(g->machine, i)->address;
    memcpy(g->in.known + count, g->seeds, g->seed_count * sizeof g->seeds[0]);
    g->in.known_count = count + g->seed_count;
    unlock(g);
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

static void take_change(struct gossiper *g, const struct gossip_change *change) {
    const struct gossip_member *member = gossip_find(g->machine, change->id);
    switch (change->kind) {
    case GOSSIP_JOINED: log_change(member, "gossip has found a node"); break;
    case GOSSIP_UPDATED: break;
    case GOSSIP_SUSPECTED: return;
    case GOSSIP_ALIVE_AGAIN: break;
    case GOSSIP_DIED: log_change(member, "gossip takes a node for dead"); return;
    case GOSSIP_GONE: log_change(member, "a node has left"); return;
    case GOSSIP_FORGOTTEN:
        g->config.handlers.on_forgotten(g->config.handlers.context, change->id);
        return;
    }
    tell_found(g, member);
}

/* Where the others see this node: of interest where it did not say so itself. */
static void look_at_itself(struct gossiper *g) {
    struct gossip_status status;
    char address[ADDRESS_BYTES_MAX];
    gossip_status(g->machine, &status);
    bool is_new = status.has_observed &&
                  (!g->has_observed || !gossip_address_equal(&status.observed, &g->observed));
    if (!is_new || g->meta.raft_address[0] != ':')
        return;
    g->observed = status.observed;
    g->has_observed = true;
    if (gossip_address_complete(g->meta.raft_address, &g->observed, address))
        g->config.handlers.on_observed(g->config.handlers.context, address);
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

static bool take_arrival(struct gossiper *g, struct arrival *ret_arrival) {
    lock(g);
    bool has_one = g->in.count > 0;
    if (has_one) {
        *ret_arrival = g->in.arrivals[g->in.first];
        g->in.first = (g->in.first + 1) % GOSSIPER_WAITING_MAX;
        g->in.count--;
    }
    unlock(g);
    return has_one;
}

static void take_arrivals(struct gossiper *g) {
    struct arrival arrival;
    for (size_t i = 0; i < GOSSIPER_BATCH_MAX && take_arrival(g, &arrival); i++) {
        struct gossip_event event = {.kind = GOSSIP_EVENT_RECEIVE};
        event.receive.from = arrival.from;
        event.receive.bytes = bytes_of(arrival.bytes, arrival.len);
        step(g, &event);
    }
}

static void step_seeds(struct gossiper *g) {
    struct gossip_event event = {.kind = GOSSIP_EVENT_SEEDS};
    event.seeds.list = g->seeds;
    event.seeds.count = g->seed_count;
    step(g, &event);
    note_known(g);
}

static void take_seeds(struct gossiper *g) {
    lock(g);
    bool has_seeds = g->in.has_seeds;
    if (has_seeds) {
        memcpy(g->seeds, g->in.seeds, sizeof g->seeds);
        g->seed_count = g->in.seed_count;
    }
    g->in.has_seeds = false;
    unlock(g);
    if (!has_seeds)
        return;
    char first[GOSSIP_ADDRESS_TEXT_BYTES_MAX];
    gossip_address_print(&g->seeds[0], first);
    log_info("seeds", log_u64("count", g->seed_count), log_text("first", first));
    step_seeds(g);
}

/* What is left waits for the loop's next round: others are to have their turn. */
static void take_in(struct loop_event *event) {
    struct hand_over *in = CONTAINER_OF(event, struct hand_over, event);
    struct gossiper *g = CONTAINER_OF(in, struct gossiper, in);
    if (!g->udp) /* it has stopped */
        return;
    take_seeds(g);
    take_arrivals(g);
    pump(g);
    lock(g);
    in->is_posted = false;
    if (in->count > 0)
        call_loop(g);
    unlock(g);
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

/* An address with or without a port, or a name with or without one. */
static void read_name(const char *text, size_t len, uint16_t port, struct dns_name *name) {
    const char *end = text[0] == '[' ? memchr(text, ']', len) : NULL;
    const char *colon = end ? end + 1 : memchr(text, ':', len);
    bool is_bare_v6 = !end && colon && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text));
    size_t host_len = !colon || is_bare_v6 ? len : (size_t)(colon - text);
    const char *host = end ? text + 1 : text;
    if (end)
        host_len = (size_t)(end - host);
    name->port = colon && !is_bare_v6 ? (uint16_t)strtoul(colon + 1, NULL, 10) : port;
    snprintf(name->host, sizeof name->host, "%.*s", (int)host_len, host);
}

static void read_names(struct gossiper *g) {
    const struct settings *settings = g->config.settings;
    uint16_t port = (uint16_t)settings->bind_port;
    const char *item = settings->seeds;
    while (*item != '\0') {
        size_t len = strcspn(item, ",");
        CHECK(g->name_count < DNS_NAMES_MAX);
        read_name(item, len, port, &g->names[g->name_count++]);
        item += len + (item[len] == ',');
    }
    if (settings->discovery_dns[0] != '\0') {
        CHECK(g->name_count < DNS_NAMES_MAX);
        read_name(settings->discovery_dns, strlen(settings->discovery_dns), port,
                  &g->names[g->name_count++]);
    }
}

static bool is_wildcard(const char *ip) {
    return strcmp(ip, "::") == 0 || strcmp(ip, "0.0.0.0") == 0;
}

/* This host's ports: whoever else is on it has one of them. */
static void seed_this_host(struct gossiper *g) {
    const struct settings *settings = g->config.settings;
    const char *ip = is_wildcard(settings->bind_address) ? "127.0.0.1" : settings->bind_address;
    for (uint64_t i = 0; i < GOSSIPER_PORTS && settings->bind_port + i <= UINT16_MAX; i++) {
        struct gossip_address *seed = &g->seeds[g->seed_count];
        if (gossip_address_parse(ip, (uint16_t)(settings->bind_port + i), seed))
            g->seed_count++;
    }
}

static enum status bind_socket(struct gossiper *g) {
    const struct settings *settings = g->config.settings;
    struct udp_config config = {
        .ip = settings->bind_address,
        .port = (uint16_t)settings->bind_port,
        .port_count = settings_gossips_here(settings) ? GOSSIPER_PORTS : 1,
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
    g->in.arrivals = calloc(GOSSIPER_WAITING_MAX, sizeof *g->in.arrivals);
    CHECK(g->in.arrivals);
    CHECK(pthread_mutex_init(&g->in.mutex, NULL) == 0);
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
    read_names(g);
    if (settings_gossips_here(config->settings))
        seed_this_host(g);
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
    CHECK(pthread_mutex_destroy(&g->in.mutex) == 0);
    free(g->in.arrivals);
    free(g);
}
