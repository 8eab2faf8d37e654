/* Snapshots from peer to peer (thesis 5.3): sent where the log no longer reaches, and installed. */
#include "server/parts.h"

/* ---- Sent ------------------------------------------------------------------------------------ */

static struct turn_transfer *find_transfer(struct turn *t, raft_id peer) {
    struct turn_transfer *place = NULL;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct turn_transfer *transfer = &t->transfers[i];
        if (transfer->is_busy && transfer->peer == peer)
            return transfer;
        if (!transfer->is_busy)
            place = transfer;
    }
    return place;
}

/* One that is under way since an earlier term goes on: its end counts for this one too. */
void turn__transfer_begin(struct turn *t, raft_id peer) {
    struct turn_transfer *transfer = find_transfer(t, peer);
    if (!transfer) {
        struct raft_event event = {.kind = RAFT_EVENT_SNAPSHOT_SENT, .now_ms = t->now_ms};
        event.snapshot_sent.peer = peer;
        CHECK(turn__step(t, &event) == STATUS_OK);
        return;
    }
    if (transfer->is_busy)
        return;
    *transfer = (struct turn_transfer){.event.kind = TURN_TRANSFERRED,
                                       .peer = peer,
                                       .index = t->flushed_index,
                                       .is_busy = true,
                                       .held_index = t->flushed_index,
                                       .logged_bytes = t->retention.bytes};
    t->status.snapshots_sent_total++;
    t->ports->transfer(t->ports->context, transfer);
}

void turn__transferred(struct turn *t, struct turn_transfer *transfer) {
    struct raft_event event = {.kind = RAFT_EVENT_SNAPSHOT_SENT, .now_ms = t->now_ms};
    event.snapshot_sent.peer = transfer->peer;
    event.snapshot_sent.index = transfer->index;
    event.snapshot_sent.is_installed = transfer->is_installed;
    transfer->is_busy = false;
    CHECK(turn__step(t, &event) == STATUS_OK);
}

/* What is logged while a transfer runs is kept for the peer that will need it next, but not without
 * bound: past it, the peer begins again. */
raft_index turn__transfers_need(const struct turn *t) {
    raft_index needed = UINT64_MAX;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        const struct turn_transfer *transfer = &t->transfers[i];
        bool is_held = transfer->is_busy &&
                       t->retention.bytes - transfer->logged_bytes <= t->config.hold_bytes;
        if (is_held && transfer->held_index < needed)
            needed = transfer->held_index;
    }
    return needed;
}

/* ---- Installed ------------------------------------------------------------------------------- */

static void give_back(struct turn *t, struct turn_install *install, enum status status) {
    t->install = NULL;
    t->is_installing = false;
    t->ports->install_done(t->ports->context, install, status);
}

/* It waits until the writers are idle; meanwhile no append is taken, no flush and no cut begun. */
void turn__install(struct turn *t, struct turn_install *install) {
    if (t->install) {
        t->ports->install_done(t->ports->context, install, STATUS_BUSY);
        return;
    }
    t->install = install;
}

/* "If the snapshot contains new information not already in the recipient's log" (figure 5.3): else
 * the log will bring the node as far by itself. */
static bool is_news(const struct turn *t, const struct turn_install *install) {
    return install->index > raft_status(t->raft)->commit_index || PLANTED(install_old);
}

static bool writers_are_idle(const struct turn *t) {
    return turn__log_is_idle(t) && !t->is_cutting && !t->is_flushing && !raft_has_work(t->raft);
}

void turn__install_begin(struct turn *t) {
    if (!t->install || t->is_installing)
        return;
    if (!is_news(t, t->install) || t->is_stopping)
        give_back(t, t->install, STATUS_STALE);
    else if (raft_status(t->raft)->role == RAFT_LEADER)
        give_back(t, t->install, STATUS_INVALID);
    else if (writers_are_idle(t)) {
        t->is_installing = true;
        t->install->event.kind = TURN_INSTALLED;
        t->ports->install(t->ports->context, t->install);
    }
}

static void replace_machine(struct turn *t, const struct turn_install *install) {
    struct kv_machine_config config = t->config.machine;
    config.base = install->base;
    config.meta = install->meta;
    config.generation = install->generation;
    kv_machine_free(t->machine);
    t->machine = NULL;
    enum status status = kv_machine_new(&config, &t->machine);
    if (status != STATUS_OK)
        t->ports->fail(t->ports->context, status, install->index);
    t->flushed_index = install->index;
    turn__tell_members(t);
    turn__snapshots_serve(t);
}

void turn__installed(struct turn *t, struct turn_install *install) {
    CHECK(t->is_installing && install == t->install);
    if (install->status != STATUS_OK) {
        give_back(t, install, install->status);
        return;
    }
    struct raft_event event = {.kind = RAFT_EVENT_INSTALLED, .now_ms = t->now_ms};
    event.installed.index = install->index;
    event.installed.term = install->term;
    event.installed.configuration = &install->configuration;
    CHECK(turn__step(t, &event) == STATUS_OK);
    CHECK(install->is_log_kept || raft_status(t->raft)->last_index == install->index);
    turn__log_replaced(t, install->index, install->is_log_kept);
    replace_machine(t, install);
    t->status.snapshots_installed_total++;
    give_back(t, install, STATUS_OK);
}
