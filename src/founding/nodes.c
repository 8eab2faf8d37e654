#include "founding/machine.h"

static const struct founding_sighting *find(const struct founding *f, raft_id id) {
    for (size_t i = 0; i < f->node_count; i++)
        if (f->nodes[i].id == id)
            return &f->nodes[i];
    return NULL;
}

static struct founding_sighting *find_to_change(struct founding *f, raft_id id) {
    return (struct founding_sighting *)find(f, id);
}

static struct founding_sighting *longest_silent(struct founding *f) {
    struct founding_sighting *longest = NULL;
    for (size_t i = 0; i < f->node_count; i++)
        if (!f->nodes[i].is_in_sight && (!longest || f->nodes[i].silent_ms < longest->silent_ms))
            longest = &f->nodes[i];
    return longest;
}

static struct founding_sighting *make_room(struct founding *f) {
    if (f->node_count < FOUNDING_NODES_MAX)
        return &f->nodes[f->node_count++];
    return longest_silent(f);
}

enum status founding__sighted(struct founding *f, const struct founding_node *node) {
    size_t name_bytes = node->name ? strnlen(node->name, NAME_BYTES_MAX) : 0;
    if (node->id == 0 || node->id == f->state.self || name_bytes == 0 ||
        name_bytes == NAME_BYTES_MAX)
        return STATUS_INVALID;
    struct founding_sighting *s = find_to_change(f, node->id);
    if (!s) {
        s = make_room(f);
        if (!s)
            return STATUS_OVERLOAD;
        *s = (struct founding_sighting){.id = node->id};
    }
    if (!s->is_in_sight)
        s->order = ++f->order;
    s->is_in_sight = true;
    s->cluster_id = node->cluster_id;
    memset(s->name, 0, sizeof s->name);
    memcpy(s->name, node->name, name_bytes);
    return STATUS_OK;
}

void founding__silent(struct founding *f, raft_id id) {
    struct founding_sighting *s = find_to_change(f, id);
    if (!s || !s->is_in_sight)
        return;
    s->is_in_sight = false;
    s->silent_ms = f->now_ms;
}

static bool is_expected(const struct founding *f, const char *name) {
    if (!f->has_names)
        return true;
    for (size_t i = 0; i < f->expect; i++)
        if (strcmp(f->names[i], name) == 0)
            return true;
    return false;
}

/* Of several nodes with one name the last that came into sight counts, and this node itself before
 * any other of its name. */
static bool is_newest(const struct founding *f, const struct founding_sighting *s) {
    if (strcmp(s->name, f->name) == 0)
        return false;
    for (size_t i = 0; i < f->node_count; i++) {
        const struct founding_sighting *other = &f->nodes[i];
        if (other->is_in_sight && other->order > s->order && strcmp(other->name, s->name) == 0)
            return false;
    }
    return true;
}

static void add(struct founding_candidates *c, raft_id id, const char *name) {
    size_t at = c->count++;
    for (; at > 0 && c->list[at - 1].id > id; at--)
        c->list[at] = c->list[at - 1];
    c->list[at].id = id;
    c->list[at].name = name;
}

void founding__candidates(const struct founding *f, struct founding_candidates *ret_candidates) {
    ret_candidates->count = 0;
    add(ret_candidates, f->state.self, f->name);
    for (size_t i = 0; i < f->node_count; i++) {
        const struct founding_sighting *s = &f->nodes[i];
        if (s->is_in_sight && s->cluster_id == 0 && is_expected(f, s->name) && is_newest(f, s))
            add(ret_candidates, s->id, s->name);
    }
}

/* Another node in sight, or this one itself, bears the name. Which of the two came into sight first
 * tells nothing: after a restart they are sighted in any order. */
static bool has_other(const struct founding *f, raft_id id, const char *name) {
    if (strcmp(name, f->name) == 0)
        return true;
    for (size_t i = 0; i < f->node_count; i++)
        if (f->nodes[i].is_in_sight && f->nodes[i].id != id && strcmp(f->nodes[i].name, name) == 0)
            return true;
    return false;
}

/* One that was never sighted has been silent since `since_ms`: where a predecessor is still taken
 * for alive, its own news may only be late. */
bool founding__was_wiped(const struct founding *f, raft_id id, const char *name,
                         uint64_t since_ms) {
    const struct founding_sighting *s = find(f, id);
    if (id == f->state.self || (s && s->is_in_sight))
        return false;
    if (s && s->silent_ms > since_ms)
        since_ms = s->silent_ms;
    return f->now_ms - since_ms >= GONE_RETRIES * f->retry_ms && has_other(f, id, name);
}

const struct founding_sighting *founding__founded(const struct founding *f) {
    const struct founding_sighting *found = NULL;
    for (size_t i = 0; i < f->node_count; i++) {
        const struct founding_sighting *s = &f->nodes[i];
        if (s->cluster_id == 0 || founding__was_wiped(f, s->id, s->name, f->start_ms))
            continue;
        if (!found || (s->is_in_sight && !found->is_in_sight))
            found = s;
    }
    return found;
}

uint64_t founding__joinable(const struct founding *f) {
    uint64_t cluster_id = 0;
    for (size_t i = 0; i < f->node_count; i++) {
        const struct founding_sighting *s = &f->nodes[i];
        if (!s->is_in_sight || s->cluster_id == 0)
            continue;
        if (cluster_id != 0 && cluster_id != s->cluster_id)
            return 0;
        cluster_id = s->cluster_id;
    }
    return cluster_id;
}

bool founding__is_crowd(const struct founding *f, const struct founding_candidates *candidates) {
    return !f->has_names && f->expect > 1 && candidates->count >= 2 * f->expect;
}
