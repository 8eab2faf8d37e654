/* A configuration as bytes. */
#include "raft/raft.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct raft_configuration any_configuration(void) {
    struct raft_configuration c = {.is_joint = rand() % 2, .count = (size_t)rand() % 17};
    for (size_t i = 0; i < c.count; i++) {
        struct raft_member *member = &c.members[i];
        member->id = ((uint64_t)rand() << 20) + i + 1;
        member->rights = (unsigned)rand() % (c.is_joint ? 4 : 2);
        if (member->rights == RAFT_VOTER_OLD && rand() % 2)
            member->rights |= RAFT_LEARNER_NEXT;
        size_t name_bytes = (size_t)rand() % NAME_BYTES_MAX;
        memset(member->name, 'a' + (int)i, name_bytes);
    }
    return c;
}

static void comes_back_as_it_was(void **state) {
    (void)state;
    uint8_t data[RAFT_CONFIGURATION_BYTES_MAX];
    srand(3);
    for (int i = 0; i < 2000; i++) {
        struct raft_configuration c = any_configuration(), back;
        size_t len = raft_configuration_encode(&c, data, sizeof data);
        assert_int_equal(raft_configuration_decode(bytes_of(data, len), &back), STATUS_OK);
        assert_memory_equal(&back, &c, sizeof c);
    }
}

static void refuses_every_shorter_and_longer_text(void **state) {
    (void)state;
    uint8_t data[RAFT_CONFIGURATION_BYTES_MAX + 1] = {0};
    srand(4);
    struct raft_configuration c = any_configuration(), back;
    size_t len = raft_configuration_encode(&c, data, sizeof data);
    for (size_t shorter = 0; shorter < len; shorter++)
        assert_int_equal(raft_configuration_decode(bytes_of(data, shorter), &back), STATUS_CORRUPT);
    assert_int_equal(raft_configuration_decode(bytes_of(data, len + 1), &back), STATUS_CORRUPT);
}

static enum status decode_changed(const struct raft_configuration *c, size_t at, uint8_t value) {
    uint8_t data[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration back;
    size_t len = raft_configuration_encode(c, data, sizeof data);
    data[at] = value;
    return raft_configuration_decode(bytes_of(data, len), &back);
}

static void refuses_what_makes_no_sense(void **state) {
    (void)state;
    struct raft_configuration c = {.count = 2,
                                   .members = {{.id = 1, .rights = 1, .name = "a"},
                                               {.id = 2, .rights = 1, .name = "b"}}};
    assert_int_equal(decode_changed(&c, 0, 1), STATUS_OK);
    assert_int_equal(decode_changed(&c, 0, 2), STATUS_CORRUPT);  /* version */
    assert_int_equal(decode_changed(&c, 1, 2), STATUS_CORRUPT);  /* is_joint */
    assert_int_equal(decode_changed(&c, 2, 17), STATUS_CORRUPT); /* count */
    assert_int_equal(decode_changed(&c, 6, 0), STATUS_CORRUPT);  /* no identity */
    assert_int_equal(decode_changed(&c, 6, 2), STATUS_CORRUPT);  /* the same one twice */
    assert_int_equal(decode_changed(&c, 14, 4), STATUS_CORRUPT); /* rights */
    assert_int_equal(decode_changed(&c, 14, 2), STATUS_CORRUPT); /* an old half, and not joint */
    assert_int_equal(decode_changed(&c, 15, 64), STATUS_CORRUPT);
    assert_int_equal(decode_changed(&c, 16, 0), STATUS_CORRUPT); /* a zero in a name */
}

static void garbage_does_no_harm(void **state) {
    (void)state;
    uint8_t data[256];
    srand(5);
    for (int i = 0; i < 20000; i++) {
        struct raft_configuration back = {.count = 99};
        size_t len = (size_t)rand() % sizeof data;
        for (size_t at = 0; at < len; at++)
            data[at] = (uint8_t)rand();
        data[0] = 1;
        data[1] = (uint8_t)(rand() % 2);
        data[2] = (uint8_t)(rand() % 4);
        data[3] = data[4] = data[5] = 0;
        if (raft_configuration_decode(bytes_of(data, len), &back) != STATUS_OK)
            assert_int_equal(back.count, 99); /* untouched */
    }
}

static void the_largest_one_fits(void **state) {
    (void)state;
    uint8_t data[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration c = {.count = MEMBERS_MAX};
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        c.members[i].id = i + 1;
        memset(c.members[i].name, 'n', NAME_BYTES_MAX - 1);
    }
    assert_true(raft_configuration_encode(&c, data, sizeof data) <= sizeof data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was),
        cmocka_unit_test(refuses_every_shorter_and_longer_text),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(the_largest_one_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
