/* Keys as text, and packets that open only whole. */
#include "gossip/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEX_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BASE64_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX_B "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Version, label "xy", and the rest. */
static const uint8_t datagram[] = {GOSSIP_VERSION, 2, 'x', 'y', 1, 2, 3, 4, 5, 6, 7, 8, 9};

static struct gossip_keys keys_of(const char *text) {
    struct gossip_keys keys;
    assert_int_equal(gossip_keys_parse(text, &keys), STATUS_OK);
    return keys;
}

static enum status open_packet(const char *keys, struct bytes packet) {
    struct gossip_keys ring = keys_of(keys);
    uint8_t out[GOSSIP_PACKET_BYTES_MAX];
    size_t len = 0;
    enum status status = gossip_open(&ring, packet, out, &len);
    if (status == STATUS_OK) {
        assert_int_equal(len, sizeof datagram);
        assert_memory_equal(out, datagram, len);
    }
    return status;
}

static struct bytes seal(const char *keys) {
    static uint8_t packet[GOSSIP_PACKET_BYTES_MAX];
    struct gossip_keys ring = keys_of(keys);
    size_t len = gossip_seal(&ring, bytes_of(datagram, sizeof datagram), packet);
    return bytes_of(packet, len);
}

static void reads_keys_in_both_notations(void **state) {
    (void)state;
    struct gossip_keys hex = keys_of(HEX_A), mixed = keys_of(BASE64_A "," HEX_B);
    assert_int_equal(hex.count, 1);
    assert_int_equal(mixed.count, 2);
    assert_memory_equal(hex.keys[0], mixed.keys[0], GOSSIP_KEY_BYTES);
    assert_int_equal(hex.keys[0][31], 31);
    assert_int_equal(mixed.keys[1][0], 255);
    assert_int_equal(keys_of("").count, 0);
}

static void refuses_what_is_no_key(void **state) {
    (void)state;
    static const char *const texts[] = {
        "x",
        ",",
        HEX_A ",",
        "," HEX_A,
        HEX_A "," HEX_A "0",
        "AAECAwQ=",
        BASE64_A "=",
        HEX_A "," HEX_A "," HEX_A "," HEX_A "," HEX_A "," HEX_A "," HEX_A "," HEX_A "," HEX_A,
    };
    struct gossip_keys keys = {.count = 7};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(gossip_keys_parse(texts[i], &keys), STATUS_INVALID);
    assert_int_equal(keys.count, 7);
}

static void travels_as_it_is_without_keys(void **state) {
    (void)state;
    struct bytes packet = seal("");
    assert_int_equal(packet.len, sizeof datagram);
    assert_int_equal(open_packet("", packet), STATUS_OK);
    assert_int_equal(open_packet(HEX_A, packet), STATUS_INVALID);
}

static void hides_all_but_version_and_label(void **state) {
    (void)state;
    struct bytes packet = seal(HEX_A);
    assert_int_equal(packet.len, sizeof datagram + GOSSIP_SEAL_BYTES);
    assert_memory_equal(packet.data + 1, datagram + 1, 3);
    assert_null(memmem(packet.data, packet.len, datagram + 4, 4));
    assert_int_equal(open_packet(HEX_A, packet), STATUS_OK);
    assert_int_equal(open_packet(HEX_B, packet), STATUS_INVALID);
    assert_int_equal(open_packet("", packet), STATUS_INVALID);
}

/* The new key is added everywhere, then put first, then the old one goes. */
static void keys_can_be_changed_one_node_at_a_time(void **state) {
    (void)state;
    assert_int_equal(open_packet(HEX_A "," HEX_B, seal(HEX_A)), STATUS_OK);
    assert_int_equal(open_packet(HEX_A, seal(HEX_A "," HEX_B)), STATUS_OK);
    assert_int_equal(open_packet(HEX_A "," HEX_B, seal(HEX_B "," HEX_A)), STATUS_OK);
    assert_int_equal(open_packet(HEX_B "," HEX_A, seal(HEX_B)), STATUS_OK);
}

static void opens_nothing_that_was_changed(void **state) {
    (void)state;
    struct bytes packet = seal(HEX_A);
    uint8_t other[GOSSIP_PACKET_BYTES_MAX];
    for (size_t at = 0; at < packet.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(other, packet.data, packet.len);
            other[at] ^= (uint8_t)(1 << bit);
            assert_int_equal(open_packet(HEX_A, bytes_of(other, packet.len)), STATUS_INVALID);
        }
    for (size_t len = 0; len < packet.len; len++)
        assert_int_equal(open_packet(HEX_A, bytes_of(packet.data, len)), STATUS_INVALID);
}

static void the_longest_datagram_fits_a_packet(void **state) {
    (void)state;
    uint8_t longest[GOSSIP_DATAGRAM_BYTES_MAX] = {GOSSIP_VERSION, 0};
    uint8_t packet[GOSSIP_PACKET_BYTES_MAX], opened[GOSSIP_PACKET_BYTES_MAX];
    struct gossip_keys keys = keys_of(HEX_A);
    size_t len = gossip_seal(&keys, bytes_of(longest, sizeof longest), packet), opened_len = 0;
    assert_int_equal(len, GOSSIP_PACKET_BYTES_MAX);
    assert_int_equal(gossip_open(&keys, bytes_of(packet, len), opened, &opened_len), STATUS_OK);
    assert_int_equal(opened_len, sizeof longest);
    assert_memory_equal(opened, longest, opened_len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_keys_in_both_notations),
        cmocka_unit_test(refuses_what_is_no_key),
        cmocka_unit_test(travels_as_it_is_without_keys),
        cmocka_unit_test(hides_all_but_version_and_label),
        cmocka_unit_test(keys_can_be_changed_one_node_at_a_time),
        cmocka_unit_test(opens_nothing_that_was_changed),
        cmocka_unit_test(the_longest_datagram_fits_a_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
