#include "kv/log_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Beside a dumb one ----------------------------------------------------------------------- */

#define MODEL_MAX 4000

struct model {
    raft_index first;
    raft_index last;
    raft_term terms[MODEL_MAX];
    uint64_t offsets[MODEL_MAX];
    bool are_configurations[MODEL_MAX];
};

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void assert_same(const struct kv_log_index *index, const struct model *m) {
    raft_index newest = 0, before = 0, found_newest, found_before;
    assert_int_equal(index->first, m->first);
    assert_int_equal(kv__log_index_last(index), m->last);
    assert_false(kv__log_index_has(index, m->first - 1));
    assert_false(kv__log_index_has(index, m->last + 1));
    for (raft_index i = m->first; i <= m->last; i++) {
        assert_int_equal(kv__log_index_term(index, i), m->terms[i]);
        assert_int_equal(kv__log_index_place(index, i).offset, m->offsets[i]);
        assert_int_equal(kv__log_index_place(index, i).segment, m->terms[i] + 1);
        if (m->are_configurations[i]) {
            before = newest;
            newest = i;
        }
        kv__log_index_configurations(index, i, &found_newest, &found_before);
        assert_int_equal(found_newest, newest);
        assert_int_equal(found_before, before);
    }
}

static void append(struct kv_log_index *index, struct model *m, raft_term term, uint64_t offset,
                   bool is_configuration) {
    struct raft_entry entry = {.index = m->last + 1,
                               .term = term,
                               .type = is_configuration ? RAFT_ENTRY_CONFIGURATION
                                                        : RAFT_ENTRY_COMMAND};
    struct kv_log_place place = {.segment = term + 1, .offset = offset};
    assert_int_equal(kv__log_index_reserve(index, 1), STATUS_OK);
    kv__log_index_add(index, &entry, &place);
    m->last++;
    m->terms[m->last] = term;
    m->offsets[m->last] = offset;
    m->are_configurations[m->last] = is_configuration;
}

static void behaves_as_the_dumb_one(void **state) {
    (void)state;
    uint64_t seed = 20261122;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct kv_log_index index = {0};
    static struct model m;
    m = (struct model){.first = 1};
    kv__log_index_reset(&index, 1);
    for (raft_term term = 1; m.last < MODEL_MAX - 50; term++) {
        uint64_t count = next_random(&seed) % 40;
        for (uint64_t i = 0; i < count; i++)
            append(&index, &m, term, next_random(&seed) * 8, next_random(&seed) % 9 == 0);
        uint64_t kept = m.last + 1 - m.first;
        switch (next_random(&seed) % 4) {
        case 0:
            if (kept > 0) {
                raft_index from = m.last - next_random(&seed) % kept % 20;
                kv__log_index_truncate(&index, from);
                m.last = from - 1;
            }
            break;
        case 1:
            if (kept > 0) {
                raft_index through = m.first + next_random(&seed) % kept;
                kv__log_index_cut(&index, through);
                m.first = through + 1;
            }
            break;
        default: break;
        }
        assert_same(&index, &m);
    }
    kv__log_index_reset(&index, m.last + 5);
    assert_int_equal(kv__log_index_last(&index), m.last + 4);
    kv__log_index_close(&index);
}

static void truncating_behind_the_end_changes_nothing(void **state) {
    (void)state;
    struct kv_log_index index = {0};
    static struct model m;
    m = (struct model){.first = 11, .last = 10};
    kv__log_index_reset(&index, 11);
    kv__log_index_truncate(&index, 11);
    append(&index, &m, 1, 64, false);
    kv__log_index_truncate(&index, 12);
    assert_same(&index, &m);
    kv__log_index_close(&index);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(behaves_as_the_dumb_one),
        cmocka_unit_test(truncating_behind_the_end_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
