#include "sim/linear_search.h"

#include "check.h"
#include "sim/random.h"
#include "sim/table.h"

#include <stdlib.h>

#define STEPS_MAX 200000

/* The key, at one point of the order. */
struct register_state {
    bool is_there;
    int64_t revision; /* -1: of a write that nobody saw */
    int64_t create_revision;
    int64_t version;
};

struct search {
    const struct sim_op *const *known;
    size_t known_count;
    const struct sim_write *pinned;
    size_t pinned_count;
    const struct sim_write *wild;
    size_t wild_count;

    bool *is_done; /* of known */
    bool *is_used; /* of wild */
    size_t *trail; /* known operations in the order tried */
    size_t trail_count;
    size_t furthest;
    size_t first_open; /* of known */
    size_t next;       /* of pinned */
    size_t steps;
    uint64_t done;          /* digest of what is_done and is_used hold, in any order */
    struct sim_table tried; /* places from which no order was found */
};

static bool search_from(struct search *s, struct register_state state);

/* An operation may come next when none that is still open ended before it began. */
static uint64_t frontier_of(const struct search *s) {
    uint64_t frontier = SIM_NEVER;
    for (size_t i = s->first_open; i < s->known_count && s->known[i]->start < frontier; i++)
        if (!s->is_done[i] && s->known[i]->end < frontier)
            frontier = s->known[i]->end;
    return frontier;
}

static void take(struct search *s, size_t at) {
    s->is_done[at] = true;
    s->done += sim_mix(1, at);
    s->trail[s->trail_count++] = at;
    if (s->trail_count > s->furthest)
        s->furthest = s->trail_count;
    while (s->first_open < s->known_count && s->is_done[s->first_open])
        s->first_open++;
}

static void take_back(struct search *s, size_t trail_count) {
    while (s->trail_count > trail_count) {
        size_t at = s->trail[--s->trail_count];
        s->is_done[at] = false;
        s->done -= sim_mix(1, at);
        if (at < s->first_open)
            s->first_open = at;
    }
}

/* ---- Reads: whatever changes nothing --------------------------------------------------------- */

static bool condition_holds(const struct sim_op *op, const struct register_state *state) {
    if (op->prev_revision == 0)
        return !state->is_there;
    return state->is_there && state->revision == op->prev_revision;
}

static bool get_fits(const struct sim_op *op, const struct register_state *state) {
    if (!op->is_found || !state->is_there)
        return op->is_found == state->is_there;
    bool has_create = state->create_revision == -1 || state->create_revision == op->create_revision;
    return op->revision == state->revision && op->version == state->version && has_create;
}

static bool is_write(const struct sim_op *op) {
    return op->outcome == SIM_OK &&
           (op->kind == SIM_PUT || (op->kind == SIM_DELETE && op->is_found));
}

static bool read_fits(const struct sim_op *op, const struct register_state *state) {
    if (is_write(op))
        return false;
    if (op->outcome == SIM_PRECONDITION)
        return !condition_holds(op, state);
    return op->kind == SIM_GET ? get_fits(op, state) : !state->is_there;
}

/* One that fits now may as well come now. */
static void take_reads(struct search *s, const struct register_state *state) {
    bool has_taken = true;
    while (has_taken) {
        has_taken = false;
        uint64_t frontier = frontier_of(s);
        for (size_t i = s->first_open; i < s->known_count && s->known[i]->start < frontier; i++)
            if (!s->is_done[i] && read_fits(s->known[i], state)) {
                take(s, i);
                has_taken = true;
            }
    }
}

/* Whoever reads the newest write must do so before the next. */
static bool is_still_read(const struct search *s, const struct register_state *state) {
    if (!state->is_there || state->revision == -1)
        return false;
    for (size_t i = s->first_open; i < s->known_count; i++) {
        const struct sim_op *op = s->known[i];
        if (!s->is_done[i] && op->kind == SIM_GET && op->is_found &&
            op->revision == state->revision)
            return true;
        if (op->start > s->known[s->first_open]->end)
            return false;
    }
    return false;
}

/* ---- Writes ---------------------------------------------------------------------------------- */

static struct register_state after(const struct sim_write *write,
                                   const struct register_state *state) {
    if (write->op->kind == SIM_DELETE)
        return (struct register_state){0};
    int64_t revision = write->revision == 0 ? -1 : write->revision;
    return (struct register_state){
        .is_there = true,
        .revision = revision,
        .create_revision = state->is_there ? state->create_revision : revision,
        .version = state->is_there ? state->version + 1 : 1,
    };
}

static bool may_write(const struct sim_write *write, const struct register_state *state) {
    if (write->op->has_prev && !condition_holds(write->op, state))
        return false;
    return write->op->kind == SIM_PUT || state->is_there;
}

static bool fits_reads(const struct sim_write *write, const struct register_state *state) {
    return write->version == 0 || state->version == write->version;
}

static size_t known_position(const struct search *s, const struct sim_op *op) {
    for (size_t i = s->first_open; i < s->known_count && s->known[i]->start <= op->start; i++)
        if (s->known[i] == op)
            return i;
    return s->known_count;
}

static bool try_pinned(struct search *s, const struct register_state *state, uint64_t frontier) {
    if (s->next == s->pinned_count)
        return false;
    const struct sim_write *write = &s->pinned[s->next];
    struct register_state next = after(write, state);
    if (write->op->start >= frontier || !may_write(write, state) || !fits_reads(write, &next))
        return false;
    size_t trail_count = s->trail_count;
    size_t at = known_position(s, write->op);
    if (at < s->known_count)
        take(s, at);
    s->next++;
    if (search_from(s, next))
        return true;
    s->next--;
    take_back(s, trail_count);
    return false;
}

/* Of those that do the same at any time, the one that may do so first will do. */
static bool is_like_earlier(const struct search *s, size_t at) {
    const struct sim_op *op = s->wild[at].op;
    for (size_t i = 0; i < at && !op->has_prev; i++)
        if (!s->is_used[i] && !s->wild[i].op->has_prev && s->wild[i].op->kind == op->kind)
            return true;
    return false;
}

static bool try_wild(struct search *s, const struct register_state *state, uint64_t frontier) {
    for (size_t i = 0; i < s->wild_count && s->wild[i].op->start < frontier; i++) {
        if (s->is_used[i] || is_like_earlier(s, i) || !may_write(&s->wild[i], state))
            continue;
        s->is_used[i] = true;
        s->done += sim_mix(2, i);
        if (search_from(s, after(&s->wild[i], state)))
            return true;
        s->is_used[i] = false;
        s->done -= sim_mix(2, i);
    }
    return false;
}

/* The same operations done in another order, with the same outcome. */
static bool was_here(struct search *s, const struct register_state *state) {
    uint64_t place = sim_mix(sim_mix(s->done, s->next), state->is_there);
    place = sim_mix(sim_mix(place, (uint64_t)state->revision), (uint64_t)state->version);
    place = sim_mix(place, (uint64_t)state->create_revision) | 1;
    return sim_table_settle(&s->tried, place, s->steps) != s->steps;
}

/* True: an order was found, or it takes too long. */
static bool search_from(struct search *s, struct register_state state) {
    if (++s->steps > STEPS_MAX)
        return true;
    size_t trail_count = s->trail_count;
    take_reads(s, &state);
    if (s->first_open == s->known_count)
        return true;
    uint64_t frontier = frontier_of(s);
    bool may_go_on = !is_still_read(s, &state) && !was_here(s, &state);
    if (may_go_on && (try_pinned(s, &state, frontier) || try_wild(s, &state, frontier)))
        return true;
    take_back(s, trail_count);
    return false;
}

/* ---- The door -------------------------------------------------------------------------------- */

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    CHECK(memory);
    return memory;
}

/* About where the order that came furthest got stuck. */
static const struct sim_op *stuck_at(const struct search *s) {
    return s->known_count == 0 ? NULL : s->known[s->furthest < s->known_count ? s->furthest : 0];
}

enum sim_verdict sim_linear_search(const struct sim_op *const *known, size_t known_count,
                                   const struct sim_write *pinned, size_t pinned_count,
                                   const struct sim_write *wild, size_t wild_count,
                                   const struct sim_op **ret_stuck) {
    struct search s = {.known = known,
                       .known_count = known_count,
                       .pinned = pinned,
                       .pinned_count = pinned_count,
                       .wild = wild,
                       .wild_count = wild_count,
                       .is_done = allocate(known_count, sizeof *s.is_done),
                       .is_used = allocate(wild_count, sizeof *s.is_used),
                       .trail = allocate(known_count, sizeof *s.trail)};
    bool has_order = search_from(&s, (struct register_state){0});
    if (!has_order)
        *ret_stuck = stuck_at(&s);
    free(s.is_done);
    free(s.is_used);
    free(s.trail);
    sim_table_close(&s.tried);
    if (s.steps > STEPS_MAX)
        return SIM_UNDECIDED;
    return has_order ? SIM_LINEAR : SIM_NOT_LINEAR;
}
