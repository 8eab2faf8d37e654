#include "server/autopilot.h"

#include "check.h"

#include <string.h>

void autopilot_init(struct autopilot *a, const struct autopilot_config *config) {
    CHECK(config->name_count <= MEMBERS_MAX);
    *a = (struct autopilot){.config = *config};
}

void autopilot_rest(struct autopilot *a) {
    a->record_count = 0;
}

/* ---- Who was removed ----------------------------------------------------------------------- */

static bool was_removed(const struct autopilot *a, raft_id id) {
    for (size_t i = 0; i < a->removed_count; i++)
        if (a->removed[i] == id)
            return true;
    return false;
}

static void note_removed(struct autopilot *a, raft_id id) {
    if (was_removed(a, id))
        return;
    if (a->removed_count == AUTOPILOT_REMOVED_MAX)
        memmove(a->removed, a->removed + 1, --a->removed_count * sizeof a->removed[0]);
    a->removed[a->removed_count++] = id;
}

/* An operator has brought it back. */
static void forgive(struct autopilot *a, raft_id id) {
    size_t kept = 0;
    for (size_t i = 0; i < a->removed_count; i++)
        if (a->removed[i] != id)
            a->removed[kept++] = a->removed[i];
    a->removed_count = kept;
}

bool autopilot_set_members(struct autopilot *a, const struct raft_configuration *members) {
    bool has_changed = false;
    for (size_t i = 0; i < a->member_count; i++)
        if (!raft_configuration_find(members, a->members[i])) {
            note_removed(a, a->members[i]);
            has_changed = true;
        }
    a->member_count = members->count;
    for (size_t i = 0; i < members->count; i++) {
        a->members[i] = members->members[i].id;
        has_changed = has_changed || was_removed(a, a->members[i]);
        forgive(a, a->members[i]);
    }
    return has_changed;
}

void autopilot_load_removed(struct autopilot *a, const raft_id *removed, size_t count) {
    for (size_t i = 0; i < count; i++)
        note_removed(a, removed[i]);
}

/* ---- Since when ---------------------------------------------------------------------------- */

static struct autopilot_record *find_record(struct autopilot *a, raft_id id) {
    for (size_t i = 0; i < a->record_count; i++)
        if (a->records[i].id == id)
            return &a->records[i];
    return NULL;
}

static const struct autopilot_node *find_node(const struct autopilot_view *view, raft_id id) {
    for (size_t i = 0; i < view->node_count; i++)
        if (view->nodes[i].id == id)
            return &view->nodes[i];
    return NULL;
}

static struct autopilot_record record_of(struct autopilot *a, const struct autopilot_view *view,
                                         raft_id id) {
    const struct autopilot_record *before = find_record(a, id);
    const struct autopilot_node *node = find_node(view, id);
    struct autopilot_record now = {.id = id, .well_ms = view->now_ms, .heard_ms = view->now_ms};
    now.is_heard = id == view->self || (node && node->is_heard);
    now.is_well = now.is_heard &&
                  (id == view->self || node->match_index + AUTOPILOT_LAG_MAX >= view->last_index);
    if (before && before->is_heard == now.is_heard)
        now.heard_ms = before->heard_ms;
    if (before && before->is_well && now.is_well)
        now.well_ms = before->well_ms;
    return now;
}

static void take_records(struct autopilot *a, const struct autopilot_view *view) {
    struct autopilot_record records[MEMBERS_MAX];
    for (size_t i = 0; i < view->members->count; i++)
        records[i] = record_of(a, view, view->members->members[i].id);
    a->record_count = view->members->count;
    memcpy(a->records, records, a->record_count * sizeof records[0]);
}

static bool is_steady(struct autopilot *a, const struct autopilot_view *view, raft_id id) {
    const struct autopilot_record *record = find_record(a, id);
    return record->is_well && view->now_ms - record->well_ms >= a->config.steady_ms;
}

static bool is_silent_for(struct autopilot *a, const struct autopilot_view *view, raft_id id,
                          uint64_t ms) {
    const struct autopilot_record *record = find_record(a, id);
    return !record->is_heard && view->now_ms - record->heard_ms >= ms;
}

/* ---- Promoting ----------------------------------------------------------------------------- */

static bool is_learner(const struct raft_member *member) {
    return member->rights == RAFT_LEARNER;
}

static size_t count_voters(const struct autopilot_view *view) {
    size_t count = 0;
    for (size_t i = 0; i < view->members->count; i++)
        count += !is_learner(&view->members->members[i]);
    return count;
}

static const struct raft_member *voter_called(const struct autopilot_view *view, const char *name) {
    for (size_t i = 0; i < view->members->count; i++) {
        const struct raft_member *member = &view->members->members[i];
        if (!is_learner(member) && strcmp(member->name, name) == 0)
            return member;
    }
    return NULL;
}

static bool is_expected(const struct autopilot *a, const char *name) {
    for (size_t i = 0; i < a->config.name_count; i++)
        if (strcmp(a->config.names[i], name) == 0)
            return true;
    return a->config.name_count == 0;
}

static bool is_wanted(struct autopilot *a, const struct autopilot_view *view,
                      const struct raft_member *learner) {
    const struct raft_member *former = voter_called(view, learner->name);
    if (former)
        return is_silent_for(a, view, former->id, a->config.steady_ms);
    return count_voters(view) < a->config.expect && is_expected(a, learner->name);
}

static struct autopilot_change promote(struct autopilot *a, const struct autopilot_view *view) {
    for (size_t i = 0; a->config.joins && i < view->members->count; i++) {
        const struct raft_member *member = &view->members->members[i];
        if (is_learner(member) && is_steady(a, view, member->id) && is_wanted(a, view, member))
            return (struct autopilot_change){.kind = AUTOPILOT_PROMOTE,
                                             .member = member->id,
                                             .name = member->name};
    }
    return (struct autopilot_change){0};
}

/* ---- Replacing ----------------------------------------------------------------------------- */

/* Somebody else who is there bears the name. */
static bool has_successor(const struct autopilot_view *view, const struct raft_member *member) {
    for (size_t i = 0; i < view->node_count; i++) {
        const struct autopilot_node *node = &view->nodes[i];
        if (node->id != member->id && strcmp(node->name, member->name) == 0 &&
            (node->is_heard || !raft_configuration_find(view->members, node->id)))
            return true;
    }
    return false;
}

/* Who is back under its name, with a new directory, will take its own place. */
static bool is_given_up(struct autopilot *a, const struct autopilot_view *view,
                        const struct raft_member *member) {
    const struct autopilot_node *node = find_node(view, member->id);
    return !is_learner(member) && member->id != view->self && node && node->is_dead &&
           is_silent_for(a, view, member->id, a->config.dead_ms) && !has_successor(view, member);
}

static const struct raft_member *spare(struct autopilot *a, const struct autopilot_view *view) {
    for (size_t i = 0; i < view->members->count; i++)
        if (is_learner(&view->members->members[i]) &&
            is_steady(a, view, view->members->members[i].id))
            return &view->members->members[i];
    return NULL;
}

static struct autopilot_change replace(struct autopilot *a, const struct autopilot_view *view) {
    const struct raft_member *other = a->config.replaces ? spare(a, view) : NULL;
    for (size_t i = 0; other && i < view->members->count; i++) {
        const struct raft_member *member = &view->members->members[i];
        if (is_given_up(a, view, member))
            return (struct autopilot_change){.kind = AUTOPILOT_REPLACE,
                                             .member = member->id,
                                             .other = other->id,
                                             .name = member->name};
    }
    return (struct autopilot_change){0};
}

/* ---- Coming and going ---------------------------------------------------------------------- */

static struct autopilot_change clear(struct autopilot *a, const struct autopilot_view *view) {
    for (size_t i = 0; a->config.joins && i < view->members->count; i++) {
        const struct raft_member *member = &view->members->members[i];
        if (is_learner(member) && is_silent_for(a, view, member->id, a->config.steady_ms) &&
            has_successor(view, member))
            return (struct autopilot_change){.kind = AUTOPILOT_REMOVE,
                                             .member = member->id,
                                             .name = member->name};
    }
    return (struct autopilot_change){0};
}

static struct autopilot_change add(const struct autopilot *a, const struct autopilot_view *view) {
    bool has_room = view->members->count < MEMBERS_MAX;
    for (size_t i = 0; a->config.joins && has_room && i < view->node_count; i++) {
        const struct autopilot_node *node = &view->nodes[i];
        if (!raft_configuration_find(view->members, node->id) && !was_removed(a, node->id))
            return (struct autopilot_change){.kind = AUTOPILOT_ADD,
                                             .member = node->id,
                                             .name = node->name};
    }
    return (struct autopilot_change){0};
}

struct autopilot_change autopilot_look(struct autopilot *a, const struct autopilot_view *view) {
    CHECK(!view->members->is_joint);
    take_records(a, view);
    struct autopilot_change change = promote(a, view);
    if (change.kind == AUTOPILOT_NOTHING)
        change = replace(a, view);
    if (change.kind == AUTOPILOT_NOTHING)
        change = clear(a, view);
    if (change.kind == AUTOPILOT_NOTHING)
        change = add(a, view);
    return change;
}
