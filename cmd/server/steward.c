/* The steward: what the autopilot decides, this node does while it leads; and who was removed is
 * kept in the log's store. */
#include "log.h"
#include "server/wiring.h"
#include "wire.h"

#include <stdio.h>

/* A change that takes longer is the turn's to give up. */
#define ORDER_MS 10000

/* To be well, or silent, for so many election timeouts. */
#define STEADY_ELECTIONS 2

/* How often it is said that a change was refused. */
#define REFUSED_LOG_MS 30000

/* A note: identities of 8 bytes, little-endian, the oldest first. */
#define REMOVED_KEY "removed"

/* ---- Who was removed ----------------------------------------------------------------------- */

static enum status write_note(struct log_job *job, struct kv_log *log) {
    struct steward *steward = CONTAINER_OF(job, struct steward, job);
    return kv_log_note_write(log, bytes_of_text(REMOVED_KEY),
                             bytes_of(steward->note, steward->note_len));
}

static void keep_removed(struct steward *steward, struct log_writer *writer) {
    struct wire_writer w = wire_writer_of(steward->note, sizeof steward->note);
    for (size_t i = 0; i < steward->pilot.removed_count; i++)
        wire_put_u64(&w, steward->pilot.removed[i]);
    steward->note_len = w.len;
    steward->is_noting = true;
    steward->has_news = false;
    log_writer_do(writer, &steward->job);
}

/* On a full disk the next change of the members tries again. */
static void noted(struct loop_event *event) {
    struct steward *steward = CONTAINER_OF(event, struct steward, noted);
    steward->is_noting = false;
}

static enum status load_removed(struct server *s) {
    struct steward *steward = &s->steward;
    raft_id removed[AUTOPILOT_REMOVED_MAX];
    size_t len = 0, count = 0;
    enum status status = kv_log_note_read(s->log, bytes_of_text(REMOVED_KEY), steward->note,
                                          sizeof steward->note, &len);
    struct wire_reader r = wire_reader_of(bytes_of(steward->note, len));
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    while (status == STATUS_OK && r.len > 0 && count < AUTOPILOT_REMOVED_MAX)
        removed[count++] = wire_get_u64(&r);
    if (status != STATUS_OK || !wire_reader_is_done(&r))
        return status != STATUS_OK ? status : STATUS_CORRUPT;
    autopilot_load_removed(&steward->pilot, removed, count);
    return STATUS_OK;
}

void steward_set_members(struct server *s, const struct raft_configuration *members) {
    struct steward *steward = &s->steward;
    steward->has_news |= autopilot_set_members(&steward->pilot, members);
}

/* ---- What a leader sees -------------------------------------------------------------------- */

static void fill_node(const struct server *s, raft_id id, const char *name,
                      struct autopilot_node *to) {
    struct raft_peer_status peer = {0};
    uint64_t now_ms = clock_ms();
    *to = (struct autopilot_node){.id = id};
    snprintf(to->name, sizeof to->name, "%s", name);
    bool is_member = turn_peer_status(s->turn, id, &peer);
    to->match_index = peer.match_index;
    to->is_heard = mesh_is_open(s->mesh, id) &&
                   (!is_member || (peer.acked_ms != 0 &&
                                   peer.acked_ms + settings_election_ms(s->settings) >= now_ms));
    const struct gossip_member *known = gossiper_find(s->gossiper, id);
    to->is_dead = !known || known->state == GOSSIP_DEAD || known->state == GOSSIP_LEFT;
}

static size_t see_nodes(const struct server *s, struct autopilot_node *nodes) {
    const struct raft_configuration *members = turn_configuration(s->turn);
    raft_id outsiders[MEMBERS_MAX];
    size_t outsider_count = mesh_outsiders(s->mesh, outsiders, MEMBERS_MAX);
    size_t count = 0;
    for (size_t i = 0; i < members->count; i++)
        if (members->members[i].id != s->summary.identity.id)
            fill_node(s, members->members[i].id, members->members[i].name, &nodes[count++]);
    for (size_t i = 0; i < outsider_count; i++)
        if (!raft_configuration_find(members, outsiders[i]))
            fill_node(s, outsiders[i], mesh_name(s->mesh, outsiders[i]), &nodes[count++]);
    return count;
}

/* ---- Changes ------------------------------------------------------------------------------- */

static enum turn_order_kind order_of(enum autopilot_kind kind) {
    switch (kind) {
    case AUTOPILOT_NOTHING: break;
    case AUTOPILOT_ADD: return TURN_ORDER_ADD;
    case AUTOPILOT_PROMOTE: return TURN_ORDER_PROMOTE;
    case AUTOPILOT_REPLACE: return TURN_ORDER_REPLACE;
    case AUTOPILOT_REMOVE: return TURN_ORDER_REMOVE;
    }
    CHECK(!"an order");
    return TURN_ORDER_ADD;
}

static const char *words_of(enum turn_order_kind kind) {
    switch (kind) {
    case TURN_ORDER_ADD: return "takes a node in as a learner";
    case TURN_ORDER_PROMOTE: return "promotes a learner";
    case TURN_ORDER_REPLACE: return "replaces a dead voter";
    case TURN_ORDER_REMOVE: return "removes a learner that another took the name of";
    case TURN_ORDER_TRANSFER:
    case TURN_ORDER_CONFIGURE: break;
    }
    return "";
}

static void give_order(struct server *s, const struct autopilot_change *change) {
    struct turn_order *order = &s->steward.order;
    *order = (struct turn_order){.event.kind = TURN_ORDER,
                                 .kind = order_of(change->kind),
                                 .member = change->member,
                                 .other = change->other,
                                 .deadline_ms = clock_ms() + ORDER_MS};
    snprintf(order->name, sizeof order->name, "%s", change->name);
    s->steward.is_ordering = true;
    inbox_post(&s->inbox, &order->event);
}

bool steward_order_done(struct server *s, const struct turn_order *order) {
    if (order != &s->steward.order)
        return false;
    s->steward.is_ordering = false;
    if (order->status == STATUS_OK)
        log_info("autopilot", log_text("change", words_of(order->kind)),
                 log_text("node", order->name), log_hex("identity", order->member));
    else
        log_every(REFUSED_LOG_MS, LOG_LEVEL_INFO, "autopilot waits",
                  log_text("change", words_of(order->kind)), log_text("node", order->name),
                  log_hex("identity", order->member), log_text("reason", order->detail));
    return true;
}

static bool leads(const struct server *s) {
    return s->turn && turn_leader(s->turn) == s->summary.identity.id;
}

static void look(struct server *s) {
    struct autopilot_node nodes[2 * MEMBERS_MAX];
    struct autopilot_view view = {.now_ms = clock_ms(),
                                  .self = s->summary.identity.id,
                                  .members = turn_configuration(s->turn),
                                  .last_index = turn_last_index(s->turn),
                                  .nodes = nodes};
    view.node_count = see_nodes(s, nodes);
    struct autopilot_change change = autopilot_look(&s->steward.pilot, &view);
    if (change.kind != AUTOPILOT_NOTHING)
        give_order(s, &change);
}

void steward_tend(struct server *s) {
    struct steward *steward = &s->steward;
    if (steward->has_news && !steward->is_noting)
        keep_removed(steward, s->log_writer);
    if (!leads(s))
        autopilot_rest(&steward->pilot);
    else if (!steward->is_ordering && !turn_configuration(s->turn)->is_joint)
        look(s);
}

/* ---- Start --------------------------------------------------------------------------------- */

enum status steward_init(struct server *s) {
    const struct settings *settings = s->settings;
    struct autopilot_config config = {
        .expect = settings->bootstrap_expect,
        .name_count = settings->peer_count,
        .joins = settings->autopilot_joins,
        .replaces = settings->autopilot_replaces,
        .dead_ms = settings->autopilot_dead_ms,
        .steady_ms = STEADY_ELECTIONS * settings_election_ms(settings),
    };
    for (size_t i = 0; i < settings->peer_count; i++)
        memcpy(config.names[i], settings->peers_list[i].name, sizeof config.names[i]);
    autopilot_init(&s->steward.pilot, &config);
    s->steward.job.write = write_note;
    s->steward.job.done = loop_event_of(&s->steward.noted, noted);
    return load_removed(s);
}
