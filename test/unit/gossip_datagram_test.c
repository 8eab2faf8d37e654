/* The format: what is written is read again, and what nobody of ours writes is refused. */
#include "gossip/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SENDER 9

static struct gossip_head head_of(enum gossip_kind kind) {
    return (struct gossip_head){.kind = kind,
                                .label = bytes_of_text("label"),
                                .from = SENDER,
                                .incarnation = 7,
                                .to = 3,
                                .life = 1,
                                .number = 2,
                                .token = kind == GOSSIP_NEWS ? 0 : 4,
                                .subject = kind == GOSSIP_PING || kind == GOSSIP_NEWS ? 0 : 5,
                                .address = {.ip = {1}, .port = 0xabcd}};
}

static enum status decode_head(const uint8_t *data, size_t len, struct gossip_head *ret_head) {
    struct wire_reader r = wire_reader_of(bytes_of(data, len));
    return gossip__head_decode(&r, ret_head);
}

static size_t encode_head(const struct gossip_head *head, uint8_t *data, size_t capacity) {
    struct wire_writer w = wire_writer_of(data, capacity);
    gossip__head_encode(&w, head);
    assert_false(w.has_failed);
    return w.len;
}

static void every_head_is_read_as_written(void **state) {
    (void)state;
    for (enum gossip_kind kind = GOSSIP_PING; kind < GOSSIP_KIND_COUNT; kind++) {
        uint8_t data[200], again[200];
        struct gossip_head head = head_of(kind), read;
        size_t len = encode_head(&head, data, sizeof data);
        assert_int_equal(decode_head(data, len, &read), STATUS_OK);
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.address.port, 0xabcd);
        assert_int_equal(encode_head(&read, again, sizeof again), len);
        assert_memory_equal(again, data, len);
        for (size_t cut = 0; cut < len; cut++)
            assert_int_equal(decode_head(data, cut, &read), STATUS_INVALID);
    }
}

static void refuses_heads_of_no_node_of_ours(void **state) {
    (void)state;
    uint8_t data[200];
    struct gossip_head heads[6], read;
    for (size_t i = 0; i < 6; i++)
        heads[i] = head_of(GOSSIP_PING);
    heads[0].from = 0;
    heads[1].incarnation = INCARNATION_MAX + 1;
    heads[2].token = 0;
    heads[3].subject = 1;
    heads[4].kind = GOSSIP_KIND_COUNT;
    heads[5].kind = GOSSIP_ASK; /* about nobody */
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(decode_head(data, encode_head(&heads[i], data, sizeof data), &read),
                         STATUS_INVALID);
    struct gossip_head head = head_of(GOSSIP_PING);
    size_t len = encode_head(&head, data, sizeof data);
    data[0] = GOSSIP_VERSION + 1;
    assert_int_equal(decode_head(data, len, &read), STATUS_UNSUPPORTED);
}

static struct gossip_rumour alive(uint64_t id) {
    return (struct gossip_rumour){.kind = RUMOUR_ALIVE,
                                  .id = id,
                                  .incarnation = 1,
                                  .address = {.ip = {1}, .port = 7946},
                                  .meta = {.name = "a", .raft_address = ":9000"}};
}

static enum gossip_decoded pass(const struct gossip_rumour *rumour,
                                struct gossip_rumour *ret_rumour) {
    uint8_t data[GOSSIP_DATAGRAM_BYTES_MAX];
    struct wire_writer w = wire_writer_of(data, sizeof data);
    assert_true(gossip__rumour_encode(&w, rumour));
    struct wire_reader r = wire_reader_of(bytes_of(data, w.len));
    return gossip__rumour_decode(&r, SENDER, ret_rumour);
}

static void every_rumour_is_read_as_written(void **state) {
    (void)state;
    for (enum gossip_rumour_kind kind = RUMOUR_ALIVE; kind < RUMOUR_KIND_COUNT; kind++) {
        struct gossip_rumour rumour = alive(5), read;
        rumour.kind = kind;
        rumour.accuser_count = 2;
        rumour.accusers[1] = 77;
        assert_int_equal(pass(&rumour, &read), DECODED);
        assert_int_equal(read.kind, kind);
        assert_int_equal(read.id, 5);
        if (kind == RUMOUR_ALIVE)
            assert_string_equal(read.meta.raft_address, ":9000");
        if (kind == RUMOUR_SUSPECT)
            assert_int_equal(read.accusers[1], 77);
    }
}

static void only_of_itself_a_node_says_no_address(void **state) {
    (void)state;
    struct gossip_rumour own = alive(SENDER), other = alive(5), read;
    own.address = other.address = (struct gossip_address){.port = 7946};
    assert_int_equal(pass(&own, &read), DECODED);
    assert_int_equal(pass(&other, &read), DECODED_MALFORMED);
}

static void refuses_rumours_of_no_node_of_ours(void **state) {
    (void)state;
    struct gossip_rumour rumours[5], read;
    for (size_t i = 0; i < 5; i++)
        rumours[i] = alive(5);
    rumours[0].id = 0;
    rumours[1].incarnation = INCARNATION_MAX + 1;
    rumours[2].meta.name[0] = '\0';
    rumours[3].meta.region[0] = '\n';
    rumours[4].kind = RUMOUR_SUSPECT; /* by nobody */
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(pass(&rumours[i], &read), DECODED_MALFORMED);
}

static void nothing_follows_the_end(void **state) {
    (void)state;
    uint8_t data[20] = {0};
    struct gossip_rumour read;
    struct wire_reader r = wire_reader_of(bytes_of(data, sizeof data));
    assert_int_equal(gossip__rumour_decode(&r, SENDER, &read), DECODED_END);
    data[19] = 1;
    r = wire_reader_of(bytes_of(data, sizeof data));
    assert_int_equal(gossip__rumour_decode(&r, SENDER, &read), DECODED_MALFORMED);
}

static void the_longest_record_fits_a_datagram(void **state) {
    (void)state;
    struct gossip_rumour longest = alive(5), read;
    memset(longest.meta.name, 'n', NAME_BYTES_MAX - 1);
    memset(longest.meta.region, 'r', NAME_BYTES_MAX - 1);
    memset(longest.meta.raft_address, 'a', ADDRESS_BYTES_MAX - 1);
    memset(longest.meta.http_address, 'h', ADDRESS_BYTES_MAX - 1);
    uint8_t data[GOSSIP_DATAGRAM_BYTES_MAX], label[NAME_BYTES_MAX - 1] = {'l'};
    struct gossip_head head = head_of(GOSSIP_SYNC);
    head.label = bytes_of(label, sizeof label);
    struct wire_writer w = wire_writer_of(data, sizeof data);
    gossip__head_encode(&w, &head);
    assert_true(gossip__rumour_encode(&w, &longest));
    assert_int_equal(pass(&longest, &read), DECODED);
    assert_memory_equal(&read.meta, &longest.meta, sizeof read.meta);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_is_read_as_written),
        cmocka_unit_test(refuses_heads_of_no_node_of_ours),
        cmocka_unit_test(every_rumour_is_read_as_written),
        cmocka_unit_test(only_of_itself_a_node_says_no_address),
        cmocka_unit_test(refuses_rumours_of_no_node_of_ours),
        cmocka_unit_test(nothing_follows_the_end),
        cmocka_unit_test(the_longest_record_fits_a_datagram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
