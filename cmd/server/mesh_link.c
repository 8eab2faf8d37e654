/* One connection: what gRPC's threads report of it, and what the loop makes of that. */
#include "server/mesh_parts.h"

#include "log.h"
#include "version.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/* Events of one connection that may wait for the loop, messages aside: more is a flood. */
#define WAITING_MAX 256

/* How often one place says that a connection was refused. */
#define REFUSED_LOG_MS 10000

/* What a hello or other bytes are while they wait for the loop. */
struct arrival {
    struct loop_event event;
    struct mesh_link *link;
    struct rpc_hello hello;
    enum rpc_bytes_kind kind;
    size_t len;
    uint8_t bytes[];
};

/* Beside a peer's message: rpc_peer_message_user(). */
struct mesh_message {
    struct turn_message turn; /* first: the turn gives it back as this */
    struct rpc_peer_message *rpc;
    struct mesh_link *link;
};

size_t mesh_message_bytes(void) {
    return sizeof(struct mesh_message);
}

/* ---- Ours and theirs ------------------------------------------------------------------------- */

static struct rpc_start start_of(struct gate_pair pair) {
    return (struct rpc_start){.counter = pair.counter, .nonce = pair.nonce};
}

static struct gate_pair pair_of(struct rpc_start start) {
    return (struct gate_pair){.counter = start.counter, .nonce = start.nonce};
}

static enum rpc_refusal refusal_of(enum gate_state state) {
    switch (state) {
    case GATE_GREETING:
    case GATE_NOTING:
    case GATE_OPEN:
    case GATE_BLANK: return RPC_REFUSAL_NONE;
    case GATE_WRONG_CLUSTER: return RPC_REFUSAL_CLUSTER;
    case GATE_WRONG_NODE: return RPC_REFUSAL_RECEIVER;
    case GATE_ROLLED_BACK_PEER: return RPC_REFUSAL_ROLLED_BACK;
    case GATE_INVALID:
    case GATE_SELF:
    case GATE_ROLLED_BACK_SELF:
    case GATE_NO_ROOM: return RPC_REFUSAL_OTHER;
    }
    return RPC_REFUSAL_OTHER;
}

static void send_hello(struct mesh_link *link, const struct gate_hello *said) {
    const struct mesh_config *config = &link->mesh->config;
    struct rpc_hello hello = {
        .cluster_id = said->cluster_id,
        .sender = said->from,
        .receiver = said->to,
        .start = start_of(said->current),
        .remembered = start_of(said->remembered),
        .proof = start_of(said->proof),
        .is_blank = said->cluster_id == 0,
        .refusal = refusal_of(link->gate.state),
    };
    snprintf(hello.software_version, sizeof hello.software_version, "%s", PHALANX_VERSION);
    snprintf(hello.cluster_label, sizeof hello.cluster_label, "%s", link->mesh->label);
    snprintf(hello.name, sizeof hello.name, "%s", config->identity->name);
    snprintf(hello.address, sizeof hello.address, "%s", config->address);
    snprintf(hello.http_address, sizeof hello.http_address, "%s", config->http_address);
    snprintf(hello.region, sizeof hello.region, "%s", config->region);
    if (hello.refusal != RPC_REFUSAL_NONE)
        snprintf(hello.refusal_text, sizeof hello.refusal_text, "%s",
                 gate_state_text(link->gate.state));
    if (rpc_link_send_hello(link->rpc, &hello) != STATUS_OK)
        rpc_link_cancel(link->rpc); /* it comes anew */
}

static struct gate_hello heard_of(const struct rpc_hello *hello) {
    return (struct gate_hello){.cluster_id = hello->cluster_id,
                               .from = hello->sender,
                               .to = hello->receiver,
                               .current = pair_of(hello->start),
                               .remembered = pair_of(hello->remembered),
                               .proof = pair_of(hello->proof)};
}

/* ---- The gate -------------------------------------------------------------------------------- */

static void end(struct mesh_link *link) {
    link->is_ended = true;
    rpc_link_close(link->rpc);
}

static void refuse(struct mesh_link *link) {
    log_every(REFUSED_LOG_MS, LOG_LEVEL_WARN, "connection refused",
              log_text("reason", gate_state_text(link->gate.state)), log_text("peer", link->name),
              log_hex("identity", link->gate.peer), log_text("remote", rpc_link_remote(link->rpc)));
    end(link);
    if (link->gate.state == GATE_ROLLED_BACK_SELF)
        link->mesh->config.handlers.on_rolled_back(link->mesh->config.handlers.context);
}

static bool is_in_sight(const struct mesh *mesh, const struct mesh_peer *peer) {
    const struct mesh_link *link;
    bool is_so = false;
    LIST_FOREACH (link, &mesh->links, link)
        is_so = is_so || (link->peer == peer && link->is_seen);
    return is_so;
}

static void tell_sighting(struct mesh_link *link) {
    const struct mesh_handlers *handlers = &link->mesh->config.handlers;
    bool is_known = link->gate.state == GATE_OPEN || link->gate.state == GATE_BLANK;
    if (link->is_seen || !is_known)
        return;
    if (!is_in_sight(link->mesh, link->peer)) {
        log_info("peer found", log_text("peer", link->peer->name),
                 log_hex("identity", link->peer->id),
                 log_hex("cluster_id", link->gate.heard.cluster_id));
        handlers->on_met(handlers->context, link->peer->name);
    }
    link->is_seen = true;
    handlers->on_sighted(handlers->context, link->peer->id, link->peer->name,
                         link->gate.heard.cluster_id);
    mesh__link_tell(link);
}

/* What a hello says of a node is believed once its start was judged: a rolled-back copy elsewhere
 * must not draw the node's requests. False: no more nodes are remembered. */
static bool meet(struct mesh_link *link) {
    enum gate_state state = link->gate.state;
    bool is_judged = state == GATE_NOTING || state == GATE_OPEN || state == GATE_BLANK;
    if (!is_judged || !link->has_news)
        return true;
    struct mesh_peer *peer =
        mesh__peer_meet(link->mesh, link->gate.peer, link->name, link->address);
    if (!peer)
        return false;
    memcpy(peer->region, link->region, sizeof peer->region);
    memcpy(peer->version, link->version, sizeof peer->version);
    peer->links += link->peer == NULL;
    link->peer = peer;
    link->has_news = false;
    return true;
}

/* Whatever the gate has to say, to write and to decide. */
static void pump(struct mesh_link *link) {
    struct gate_hello hello;
    struct gate_pair pair;
    raft_id id;
    if (link->is_ended)
        return;
    while (gate_take_hello(&link->gate, &hello))
        send_hello(link, &hello);
    if (!meet(link)) {
        end(link);
        return;
    }
    if (gate_take_note(&link->gate, &id, &pair))
        mesh__peer_note(link->mesh, id, pair);
    if (gate_state_is_refusal(link->gate.state)) {
        refuse(link);
        return;
    }
    tell_sighting(link);
}

void mesh__links_pump(struct mesh *mesh) {
    struct mesh_link *link;
    LIST_FOREACH (link, &mesh->links, link) {
        if (link->is_ended)
            continue;
        gate_noted(&link->gate);
        pump(link);
    }
}

struct mesh_link *mesh__link_open(const struct mesh *mesh, raft_id id) {
    struct mesh_link *found = NULL;
    struct mesh_link *link;
    LIST_FOREACH (link, &mesh->links, link) {
        if (link->is_ended || link->gate.peer != id || link->gate.state != GATE_OPEN)
            continue;
        if (!found || !rpc_link_is_incoming(link->rpc))
            found = link;
    }
    return found;
}

/* ---- Notes between nodes --------------------------------------------------------------------- */

void mesh__link_note(struct mesh_link *link, struct bytes bytes) {
    if (rpc_link_send_bytes(link->rpc, RPC_BYTES_NOTE, bytes) != STATUS_OK)
        link->mesh->dropped_total++;
}

static void send_note(struct mesh_link *link, enum mesh_note note, uint64_t value) {
    uint8_t bytes[9];
    struct wire_writer w = wire_writer_of(bytes, sizeof bytes);
    wire_put_u8(&w, (uint8_t)note);
    wire_put_u64(&w, value);
    mesh__link_note(link, bytes_of(bytes, w.len));
}

void mesh__link_tell(struct mesh_link *link) {
    const struct mesh *mesh = link->mesh;
    if (link->is_ended || !link->is_seen || !mesh->are_committed)
        return;
    if (link->gate.state == GATE_BLANK)
        send_note(link, MESH_INVITE, mesh->config.identity->cluster_id);
    if (link->gate.state == GATE_OPEN && !raft_configuration_find(&mesh->members, link->gate.peer))
        send_note(link, MESH_OUTSIDE, mesh->members.index);
}

static void take_note(struct mesh_link *link, struct bytes bytes) {
    const struct mesh_handlers *handlers = &link->mesh->config.handlers;
    struct wire_reader r = wire_reader_of(bytes);
    uint8_t note = wire_get_u8(&r);
    mesh__take_talk(link, note, bytes_of(r.data, r.len));
    uint64_t value = wire_get_u64(&r);
    if (r.has_failed)
        return;
    if (note == MESH_INVITE && link->gate.state == GATE_BLANK)
        handlers->on_invited(handlers->context, value);
    if (note == MESH_OUTSIDE && link->gate.state == GATE_OPEN)
        handlers->on_outside(handlers->context, value);
}

/* ---- On the loop ----------------------------------------------------------------------------- */

static void on_up(struct loop_event *event) {
    struct mesh_link *link = CONTAINER_OF(event, struct mesh_link, up);
    gate_open(&link->gate, &link->mesh->self, &link->mesh->memory, 0);
    LIST_INSERT_HEAD(&link->mesh->links, link, link);
    log_debug("link up", log_text("remote", rpc_link_remote(link->rpc)),
              log_bool("incoming", rpc_link_is_incoming(link->rpc)));
    pump(link);
}

/* A blank node that was not told which cluster it is for goes by a founded one that its own PEERS
 * names. */
static bool may_adopt(const struct mesh_link *link, const struct rpc_hello *hello) {
    const struct mesh *mesh = link->mesh;
    return mesh->config.may_adopt_label && mesh->self.cluster_id == 0 && hello->cluster_id != 0 &&
           !rpc_link_is_incoming(link->rpc);
}

/* Those of another label are strangers. */
static bool check_label(struct mesh_link *link, const struct rpc_hello *hello) {
    struct mesh *mesh = link->mesh;
    if (strcmp(hello->cluster_label, mesh->label) == 0)
        return true;
    if (may_adopt(link, hello)) {
        snprintf(mesh->label, sizeof mesh->label, "%s", hello->cluster_label);
        log_info("adopts the label of a founded cluster", log_text("cluster", mesh->label),
                 log_text("peer", hello->name));
        mesh_join(mesh, 0); /* it says so on new connections */
        return false;
    }
    log_every(REFUSED_LOG_MS, LOG_LEVEL_WARN, "a node of another CLUSTER",
              log_text("label", hello->cluster_label), log_text("peer", hello->name),
              log_text("remote", rpc_link_remote(link->rpc)));
    end(link);
    return false;
}

/* A node that listens on all its addresses tells a port only: it is where its connection ends. */
static void take_address(struct mesh_link *link, const char *told) {
    char host[RPC_HOST_BYTES_MAX];
    bool has_host = told[0] != ':';
    if (has_host || !rpc_link_remote_host(link->rpc, host))
        snprintf(link->address, sizeof link->address, "%s", has_host ? told : "");
    else
        snprintf(link->address, sizeof link->address, "%s%.8s", host, told);
}

static void take_hello(struct mesh_link *link, const struct rpc_hello *hello) {
    if (hello->refusal != RPC_REFUSAL_NONE)
        log_every(REFUSED_LOG_MS, LOG_LEVEL_WARN, "a node refuses this one",
                  log_text("reason", hello->refusal_text), log_text("peer", hello->name));
    if (!check_label(link, hello))
        return;
    snprintf(link->name, sizeof link->name, "%s", hello->name);
    take_address(link, hello->address);
    snprintf(link->region, sizeof link->region, "%s", hello->region);
    snprintf(link->version, sizeof link->version, "%s", hello->software_version);
    link->has_news = true;
    struct gate_hello heard = heard_of(hello);
    gate_receive(&link->gate, &heard);
    pump(link);
}

static void on_hello(struct loop_event *event) {
    struct arrival *arrival = CONTAINER_OF(event, struct arrival, event);
    struct mesh_link *link = arrival->link;
    atomic_fetch_sub(&link->waiting, 1);
    if (!link->is_ended)
        take_hello(link, &arrival->hello);
    free(arrival);
}

/* Founding is spoken between blank nodes, and with one that has just been founded. */
static void take_bytes(struct mesh_link *link, enum rpc_bytes_kind kind, struct bytes bytes) {
    const struct mesh_handlers *handlers = &link->mesh->config.handlers;
    if (!link->is_seen)
        return;
    mesh__link_heard(link);
    switch (kind) {
    case RPC_BYTES_FOUNDING:
        handlers->on_founding(handlers->context, link->peer->id, bytes);
        return;
    case RPC_BYTES_NOTE: take_note(link, bytes); return;
    }
}

static void on_bytes(struct loop_event *event) {
    struct arrival *arrival = CONTAINER_OF(event, struct arrival, event);
    struct mesh_link *link = arrival->link;
    atomic_fetch_sub(&link->waiting, 1);
    if (!link->is_ended)
        take_bytes(link, arrival->kind, bytes_of(arrival->bytes, arrival->len));
    free(arrival);
}

static void on_down(struct loop_event *event) {
    struct mesh_link *link = CONTAINER_OF(event, struct mesh_link, down);
    struct mesh *mesh = link->mesh;
    struct mesh_peer *peer = link->peer;
    LIST_REMOVE(link, link);
    log_debug("link down", log_text("remote", rpc_link_remote(link->rpc)),
              log_bool("incoming", rpc_link_is_incoming(link->rpc)));
    if (peer)
        peer->links--;
    if (link->is_seen && !is_in_sight(mesh, peer)) {
        peer->trip_count = 0;
        log_info("peer lost", log_text("peer", peer->name), log_hex("identity", peer->id));
        mesh->config.handlers.on_silent(mesh->config.handlers.context, peer->id);
    }
    rpc_link_release(link->rpc);
    free(link);
}

/* A message belongs to the link it came on: its sender must be who stands behind that. */
bool mesh_lets_in(struct mesh *mesh, struct turn_message *turn) {
    struct mesh_message *message = (struct mesh_message *)turn;
    struct mesh_link *link = message->link;
    (void)mesh;
    if (!link->is_ended && gate_lets_in(&link->gate, turn->message.from, turn->message.to)) {
        mesh__link_heard(link);
        return true;
    }
    mesh_message_done(turn);
    return false;
}

void mesh_message_done(struct turn_message *turn) {
    rpc_peer_message_free(((struct mesh_message *)turn)->rpc);
}

/* ---- On gRPC's threads ----------------------------------------------------------------------- */

void mesh_link_up(struct mesh *mesh, struct rpc_link *rpc) {
    struct mesh_link *link = calloc(1, sizeof *link);
    CHECK(link);
    link->mesh = mesh;
    link->rpc = rpc;
    rpc_link_set_user(rpc, link);
    inbox_put(mesh->config.inbox, loop_event_of(&link->up, on_up));
}

static void post(struct mesh *mesh, struct rpc_link *rpc, struct arrival *arrival,
                 void (*run)(struct loop_event *event)) {
    struct mesh_link *link = rpc_link_user(rpc);
    arrival->link = link;
    if (atomic_fetch_add(&link->waiting, 1) >= WAITING_MAX)
        rpc_link_cancel(rpc); /* its end comes after what is posted */
    inbox_put(mesh->config.inbox, loop_event_of(&arrival->event, run));
}

void mesh_link_hello(struct mesh *mesh, struct rpc_link *rpc, const struct rpc_hello *hello) {
    struct arrival *arrival = calloc(1, sizeof *arrival);
    CHECK(arrival);
    arrival->hello = *hello;
    post(mesh, rpc, arrival, on_hello);
}

void mesh_link_bytes(struct mesh *mesh, struct rpc_link *rpc, enum rpc_bytes_kind kind,
                     struct bytes bytes) {
    struct arrival *arrival = calloc(1, sizeof *arrival + bytes.len);
    CHECK(arrival);
    arrival->kind = kind;
    arrival->len = bytes.len;
    if (bytes.len > 0)
        memcpy(arrival->bytes, bytes.data, bytes.len);
    post(mesh, rpc, arrival, on_bytes);
}

void mesh_link_message(struct mesh *mesh, struct rpc_link *rpc, struct rpc_peer_message *message) {
    struct mesh_message *mine = rpc_peer_message_user(message);
    mine->turn.event.kind = TURN_MESSAGE;
    mine->turn.message = *rpc_peer_message_raft(message);
    mine->rpc = message;
    mine->link = rpc_link_user(rpc);
    inbox_put(mesh->config.inbox, &mine->turn.event);
}

void mesh_link_down(struct mesh *mesh, struct rpc_link *rpc) {
    struct mesh_link *link = rpc_link_user(rpc);
    inbox_put(mesh->config.inbox, loop_event_of(&link->down, on_down));
}
