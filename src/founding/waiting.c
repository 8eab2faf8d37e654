/* What this node waits for: one line for the log and /health. */
#include "founding/machine.h"

#include "text.h"

#include <stdlib.h>

/* A list of names: ": a, b". */
static void put_name(struct text_writer *w, size_t *count, const char *name) {
    text_put(w, (*count)++ == 0 ? ": " : ", ");
    text_put_escaped(w, bytes_of_text(name), 4 * NAME_BYTES_MAX);
}

static bool is_candidate(const struct founding_candidates *candidates, const char *name) {
    for (size_t i = 0; i < candidates->count; i++)
        if (strcmp(candidates->list[i].name, name) == 0)
            return true;
    return false;
}

static void put_cluster(struct text_writer *w, uint64_t cluster_id) {
    text_put(w, "cluster ");
    text_put_hex(w, cluster_id);
}

static void tell_founded(struct text_writer *w, const struct founding *f,
                         const struct founding_sighting *founded) {
    if (!founded->is_in_sight) {
        text_put(w, "waiting for ");
        text_put_escaped(w, bytes_of_text(founded->name), 4 * NAME_BYTES_MAX);
        text_put(w, ", which belongs to ");
        put_cluster(w, founded->cluster_id);
        text_put(w, " and is silent");
    } else if (founding__joinable(f) == 0) {
        text_put(w, "waiting for an operator: there are two founded clusters of this label, and ");
        text_put(w, "this node will not choose");
    } else {
        text_put(w, "waiting for ");
        put_cluster(w, founded->cluster_id);
        text_put(w, " to take this node in");
    }
}

static void tell_missing(struct text_writer *w, const struct founding *f,
                         const struct founding_candidates *candidates) {
    size_t count = 0;
    text_put(w, "waiting for ");
    text_put_u64(w, f->expect - candidates->count);
    text_put(w, " of ");
    text_put_u64(w, f->expect);
    if (!f->has_names) {
        text_put(w, ": blank nodes of this label in sight");
        for (size_t i = 0; i < candidates->count; i++)
            put_name(w, &count, candidates->list[i].name);
        return;
    }
    for (size_t i = 0; i < f->expect; i++)
        if (!is_candidate(candidates, f->names[i]))
            put_name(w, &count, f->names[i]);
    text_put(w, count == 1 ? " has not been seen" : " have not been seen");
}

static void tell_crowd(struct text_writer *w, const struct founding *f,
                       const struct founding_candidates *candidates) {
    text_put(w, "waiting for an operator: ");
    text_put_u64(w, candidates->count);
    text_put(w, " blank nodes are in sight and ");
    text_put_u64(w, f->expect);
    text_put(w, " are expected; twice as many could found two clusters");
}

static void tell_idle(struct text_writer *w, const struct founding *f) {
    struct founding_candidates candidates;
    founding__candidates(f, &candidates);
    const struct founding_sighting *founded = founding__founded(f);
    if (founded) {
        tell_founded(w, f, founded);
    } else if (candidates.count < f->expect) {
        tell_missing(w, f, &candidates);
    } else if (founding__is_crowd(f, &candidates)) {
        tell_crowd(w, f, &candidates);
    } else if (f->is_eligible) {
        text_put(w, "about to propose a cluster of ");
        text_put_u64(w, f->expect);
    } else {
        text_put(w, "waiting for a proposal of ");
        text_put_escaped(w, bytes_of_text(candidates.list[0].name), 4 * NAME_BYTES_MAX);
        text_put(w, ", the smallest identity in sight");
    }
}

static const char *reason_text(enum founding_reason reason) {
    switch (reason) {
    case REASON_NONE:
    case REASON_COUNT: break;
    case REASON_HOLDS: return " (has accepted another)";
    case REASON_FOUNDED: return " (knows a founded cluster)";
    case REASON_MEMBERS: return " (expects other members)";
    case REASON_CROWD: return " (sees too many blank nodes)";
    }
    return "";
}

/* Who has not answered the current step. */
static void put_unanswered(struct text_writer *w, const struct founding *f) {
    size_t count = 0;
    for (size_t i = 0; i < f->state.configuration.count; i++)
        if (!((f->answered >> i) & 1)) {
            put_name(w, &count, f->state.configuration.members[i].name);
            text_put(w, reason_text(f->reasons[i]));
        }
    text_put(w, count == 1 ? " has not " : " have not ");
    text_put(w, f->role == FOUNDING_COLLECTING ? "accepted" : "answered");
}

static void tell_held(struct text_writer *w, const struct founding *f) {
    bool is_deciding =
        f->role == FOUNDING_PREPARING || (f->role == FOUNDING_DECIDING && f->value == VALUE_DROP);
    text_put(w, is_deciding ? "waiting for what becomes of " : "waiting for the start of ");
    put_cluster(w, founding__cluster_id(f->state.key));
    if (f->role != FOUNDING_HOLDING && f->role != FOUNDING_STARTING) {
        put_unanswered(w, f);
        return;
    }
    text_put(w, ", proposed by ");
    text_put_escaped(w, bytes_of_text(f->state.configuration.members[0].name), 4 * NAME_BYTES_MAX);
}

size_t founding_waiting(const struct founding *f, char text[static FOUNDING_TEXT_BYTES_MAX]) {
    struct text_writer w = text_writer_of(text, FOUNDING_TEXT_BYTES_MAX - 1);
    if (f->state.is_held && f->cluster_id == 0)
        tell_held(&w, f);
    else if (f->cluster_id == 0)
        tell_idle(&w, f);
    text[w.len] = '\0';
    return w.len;
}
