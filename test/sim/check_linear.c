/* First what revisions alone tell, quickly and for sure; then the search for an order. */
#include "sim/checks.h"
#include "sim/linear_search.h"

#include "check.h"

#include <stdio.h>
#include <stdlib.h>

/* One key's part of the history. */
struct key_history {
    const struct sim_op **known; /* whose answer is known, by start */
    size_t known_count;
    struct sim_write *pinned; /* writes with a known revision, in its order */
    size_t pinned_count;
    struct sim_write *wild; /* unknown and unseen, by start */
    size_t wild_count;
    struct sim_table writers; /* from a value to 1 + its put's position in the history */
};

static bool fail(char *text, size_t capacity, const char *what, const struct sim_op *op) {
    char line[256] = "";
    if (op)
        sim_op_print(op, line, sizeof line);
    snprintf(text, capacity, "%s: %s", what, line);
    return false;
}

/* ---- Sorting out ----------------------------------------------------------------------------- */

static bool is_known(const struct sim_op *op) {
    return op->outcome == SIM_OK || (op->outcome == SIM_PRECONDITION && op->kind != SIM_GET);
}

static bool is_known_write(const struct sim_op *op) {
    return op->outcome == SIM_OK &&
           (op->kind == SIM_PUT || (op->kind == SIM_DELETE && op->is_found));
}

static bool is_open_write(const struct sim_op *op) {
    return op->outcome == SIM_UNKNOWN && op->kind != SIM_GET;
}

static bool found_something(const struct sim_op *op) {
    return op->kind == SIM_GET && op->outcome == SIM_OK && op->is_found;
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    CHECK(memory);
    return memory;
}

static void open_key(struct key_history *k, const struct sim_history *history) {
    k->known = allocate(history->count, sizeof *k->known);
    k->pinned = allocate(history->count, sizeof *k->pinned);
    k->wild = allocate(history->count, sizeof *k->wild);
}

static void close_key(struct key_history *k) {
    free(k->known);
    free(k->pinned);
    free(k->wild);
    sim_table_close(&k->writers);
}

static int by_revision(const void *a, const void *b) {
    const struct sim_write *x = a;
    const struct sim_write *y = b;
    return (x->revision > y->revision) - (x->revision < y->revision);
}

/* From a value to 1 + the first read that found it. */
static void collect_reads(const struct sim_history *history, size_t key, struct sim_table *reads) {
    for (size_t i = 0; i < history->count; i++)
        if (history->ops[i].key == key && found_something(&history->ops[i]))
            (void)sim_table_settle(reads, history->ops[i].read_value, i + 1);
}

static void collect(struct key_history *k, const struct sim_history *history, size_t key) {
    struct sim_table reads = {0};
    collect_reads(history, key, &reads);
    for (size_t i = 0; i < history->count; i++) {
        const struct sim_op *op = &history->ops[i];
        if (op->key != key)
            continue;
        if (is_known(op))
            k->known[k->known_count++] = op;
        if (op->kind == SIM_PUT)
            (void)sim_table_settle(&k->writers, op->value, i + 1);
        size_t reader = op->kind == SIM_PUT ? sim_table_get(&reads, op->value, 0) : 0;
        const struct sim_op *read = reader > 0 ? &history->ops[reader - 1] : NULL;
        if (!is_known_write(op) && !is_open_write(op))
            continue;
        struct sim_write write = {.op = op};
        if (is_known_write(op))
            write.revision = op->revision;
        if (read) {
            write.revision = read->revision;
            write.version = read->version;
            write.create_revision = read->create_revision;
        }
        if (write.revision != 0)
            k->pinned[k->pinned_count++] = write;
        else
            k->wild[k->wild_count++] = write;
    }
    qsort(k->pinned, k->pinned_count, sizeof *k->pinned, by_revision);
    sim_table_close(&reads);
}

/* ---- What revisions alone tell --------------------------------------------------------------- */

/* Every read found a put of this key, which had begun. */
static bool check_sources(const struct key_history *k, const struct sim_history *history,
                          char *text, size_t capacity) {
    for (size_t i = 0; i < k->known_count; i++) {
        const struct sim_op *op = k->known[i];
        if (!found_something(op))
            continue;
        size_t writer = (size_t)sim_table_get(&k->writers, op->read_value, 0);
        if (writer == 0)
            return fail(text, capacity, "read what nobody wrote", op);
        const struct sim_op *put = &history->ops[writer - 1];
        if (put->start > op->end)
            return fail(text, capacity, "read before it was written", op);
        if (put->outcome == SIM_OK && put->revision != op->revision)
            return fail(text, capacity, "read at another revision than written", op);
    }
    return true;
}

static bool check_distinct(const struct key_history *k, char *text, size_t capacity) {
    for (size_t i = 1; i < k->pinned_count; i++)
        if (k->pinned[i].revision == k->pinned[i - 1].revision)
            return fail(text, capacity, "two writes at one revision", k->pinned[i].op);
    return true;
}

static bool has_revision(const struct sim_op *op) {
    return is_known_write(op) || found_something(op);
}

static int by_end(const void *a, const void *b) {
    const struct sim_op *x = *(const struct sim_op *const *)a;
    const struct sim_op *y = *(const struct sim_op *const *)b;
    return (x->end > y->end) - (x->end < y->end);
}

/* What begins after another ended sees no older revision, and writes a newer one. */
static bool check_ages(const struct key_history *k, char *text, size_t capacity) {
    const struct sim_op **ended = allocate(k->known_count, sizeof *ended);
    memcpy(ended, k->known, k->known_count * sizeof *ended);
    qsort(ended, k->known_count, sizeof *ended, by_end);
    int64_t newest = 0;
    size_t next = 0;
    bool is_sound = true;
    for (size_t i = 0; i < k->known_count && is_sound; i++) {
        const struct sim_op *op = k->known[i];
        for (; ended[next]->end < op->start; next++)
            if (has_revision(ended[next]) && ended[next]->revision > newest)
                newest = ended[next]->revision;
        if (!has_revision(op))
            continue;
        bool is_stale = is_known_write(op) ? op->revision <= newest : op->revision < newest;
        if (is_stale)
            is_sound = fail(text, capacity, "stale", op);
    }
    free(ended);
    return is_sound;
}

/* ---- The door -------------------------------------------------------------------------------- */

static bool check_order(const struct key_history *k, char *text, size_t capacity) {
    const struct sim_op *stuck = NULL;
    enum sim_verdict verdict = sim_linear_search(k->known, k->known_count, k->pinned,
                                                 k->pinned_count, k->wild, k->wild_count, &stuck);
    if (verdict == SIM_UNDECIDED)
        return fail(text, capacity, "no order was found in time", NULL);
    return verdict == SIM_LINEAR || fail(text, capacity, "there is no order, stuck near", stuck);
}

static bool check_key(const struct sim_history *history, size_t key, char *text, size_t capacity) {
    struct key_history k = {0};
    open_key(&k, history);
    collect(&k, history, key);
    bool is_sound = check_sources(&k, history, text, capacity) &&
                    check_distinct(&k, text, capacity) && check_ages(&k, text, capacity) &&
                    check_order(&k, text, capacity);
    close_key(&k);
    return is_sound;
}

bool sim_check_linear(const struct sim_history *history, size_t keys, char *text, size_t capacity) {
    bool is_sound = true;
    for (size_t key = 0; key < keys && is_sound; key++)
        is_sound = check_key(history, key, text, capacity);
    return is_sound;
}
