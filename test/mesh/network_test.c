/* Packets between places, without devices: ways, delays and commands. */
#include "mesh/command.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct world {
    struct mesh_network network;
    char answer[MESH_ANSWER_BYTES];
};

static struct world *world_new(void) {
    static const char *const names[] = {"jnb", "lhr", "sin"};
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    mesh_network_init(&world->network, 7);
    for (size_t i = 0; i < 3; i++) {
        struct in6_addr address = {.s6_addr = {0xfd, 0xaa, [15] = (uint8_t)(0x10 + i)}};
        assert_non_null(mesh_network_add(&world->network, names[i], &address));
    }
    return world;
}

static void world_free(struct world *world) {
    mesh_network_close(&world->network);
    free(world);
}

static bool obeys(struct world *world, const char *text) {
    char line[MESH_LINE_BYTES];
    struct text_writer w = text_writer_of(world->answer, sizeof world->answer - 1);
    snprintf(line, sizeof line, "%s", text);
    bool is_obeyed = mesh_command_run(&world->network, line, &w);
    world->answer[w.len] = '\0';
    return is_obeyed;
}

/* A packet with a number in it, from one place to the last byte of an address. */
static void leave(struct world *world, size_t from, uint8_t to, uint8_t number, uint64_t now_us) {
    uint8_t *packet = mesh_delays_room(world->network.delays);
    assert_non_null(packet);
    memset(packet, 0, 48);
    packet[0] = 6 << 4;
    packet[24] = 0xfd;
    packet[25] = 0xaa;
    packet[39] = to;
    packet[40] = number;
    mesh_network_send(&world->network, from, 48, now_us);
}

/* The number of the next packet; -1: none is due. */
static int take(struct world *world, uint64_t now_us, size_t expected_place) {
    struct bytes packet;
    size_t place;
    if (!mesh_delays_take(world->network.delays, now_us, &place, &packet))
        return -1;
    assert_int_equal(place, expected_place);
    assert_int_equal(packet.len, 48);
    return packet.data[40];
}

static void a_packet_takes_half_of_the_round_trip(void **state) {
    (void)state;
    struct world *world = world_new();
    assert_true(obeys(world, "link jnb sin 300 0 0 0"));
    leave(world, 0, 0x12, 1, 1000);
    leave(world, 2, 0x10, 2, 2000);
    leave(world, 0, 0x11, 3, 3000);
    assert_int_equal(mesh_delays_next_us(world->network.delays), 3000);
    assert_int_equal(take(world, 3000, 1), 3);
    assert_int_equal(take(world, 150999, 2), -1);
    assert_int_equal(take(world, 151000, 2), 1);
    assert_int_equal(take(world, 151999, 0), -1);
    assert_int_equal(take(world, 152000, 0), 2);
    assert_int_equal(mesh_delays_next_us(world->network.delays), UINT64_MAX);
    world_free(world);
}

static void jitter_keeps_the_order_and_its_bounds(void **state) {
    (void)state;
    struct world *world = world_new();
    assert_true(obeys(world, "way jnb lhr 10 5 0 0"));
    uint64_t last_us = 0;
    bool differs = false;
    for (unsigned i = 0; i < 200; i++)
        leave(world, 0, 0x11, (uint8_t)i, i * 100);
    for (unsigned i = 0; i < 200; i++) {
        uint64_t due_us = mesh_delays_next_us(world->network.delays);
        assert_in_range(due_us, i * 100 + 10000, 199 * 100 + 15000);
        assert_true(due_us >= last_us);
        differs = differs || due_us - last_us != 100;
        last_us = due_us;
        assert_int_equal(take(world, due_us, 1), i);
    }
    assert_true(differs);
    world_free(world);
}

static void reordered_packets_are_overtaken_and_none_is_lost(void **state) {
    (void)state;
    struct world *world = world_new();
    bool has_come[200] = {false};
    unsigned overtaken = 0;
    int newest = -1;
    assert_true(obeys(world, "way jnb lhr 10 0 0 20"));
    for (unsigned i = 0; i < 200; i++)
        leave(world, 0, 0x11, (uint8_t)i, i * 100);
    for (unsigned i = 0; i < 200; i++) {
        int number = take(world, UINT64_MAX - 1, 1);
        assert_in_range(number, 0, 199);
        assert_false(has_come[number]);
        has_come[number] = true;
        overtaken += number < newest;
        newest = number > newest ? number : newest;
    }
    assert_in_range(overtaken, 15, 80);
    world_free(world);
}

static void loss_is_about_what_was_asked_for(void **state) {
    (void)state;
    struct world *world = world_new();
    unsigned arrived = 0;
    assert_true(obeys(world, "way all lhr 0 0 10 0"));
    for (unsigned i = 0; i < 10000; i++) {
        leave(world, 0, 0x11, 1, i);
        arrived += take(world, i, 1) == 1;
    }
    assert_in_range(arrived, 8800, 9200);
    assert_int_equal(world->network.ways[0][1].lost + arrived, 10000);
    world_free(world);
}

static void cuts_and_holes_hold_until_they_heal(void **state) {
    (void)state;
    struct world *world = world_new();
    assert_true(obeys(world, "hole jnb lhr"));
    leave(world, 0, 0x11, 1, 0);
    assert_int_equal(take(world, 0, 1), -1);
    leave(world, 1, 0x10, 2, 0);
    assert_int_equal(take(world, 0, 0), 2);
    assert_true(obeys(world, "cut lhr all"));
    leave(world, 1, 0x12, 3, 0);
    leave(world, 2, 0x11, 4, 0);
    assert_int_equal(take(world, 0, 0), -1);
    leave(world, 0, 0x12, 5, 0);
    assert_int_equal(take(world, 0, 2), 5);
    assert_true(obeys(world, "heal all all"));
    leave(world, 1, 0x12, 6, 0);
    assert_int_equal(take(world, 0, 2), 6);
    world_free(world);
}

static void what_is_for_nobody_is_counted(void **state) {
    (void)state;
    struct world *world = world_new();
    leave(world, 0, 0x77, 1, 0);
    mesh_delays_room(world->network.delays)[0] = 4 << 4;
    mesh_network_send(&world->network, 0, 48, 0);
    mesh_network_send(&world->network, 0, 39, 0);
    assert_int_equal(world->network.strays, 3);
    assert_int_equal(mesh_delays_next_us(world->network.delays), UINT64_MAX);
    world_free(world);
}

static void a_full_network_has_no_room(void **state) {
    (void)state;
    struct mesh_delays *delays = mesh_delays_new(2);
    struct bytes packet;
    size_t target;
    for (uint64_t i = 0; i < 2; i++) {
        assert_non_null(mesh_delays_room(delays));
        mesh_delays_add(delays, 1, i, 5);
    }
    assert_null(mesh_delays_room(delays));
    assert_true(mesh_delays_take(delays, 5, &target, &packet));
    assert_int_equal(target, 0); /* of two at once, the first one */
    assert_non_null(mesh_delays_room(delays));
    mesh_delays_free(delays);
}

static void a_wrong_command_changes_nothing(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "",
        "dance",
        "cut jnb",
        "cut jnb nowhere",
        "link jnb sin 300",
        "link jnb sin 300 0 0 0 0",
        "link jnb sin -1 0 0 0",
        "link jnb sin 10x 0 0 0",
        "link jnb sin 10 0 101 0",
        "way jnb sin nan 0 0 0",
    };
    struct world *world = world_new();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(obeys(world, wrong[i]));
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            assert_false(world->network.ways[i][j].is_cut ||
                         world->network.ways[i][j].delay_us != 0);
    world_free(world);
}

static void shows_what_each_way_does(void **state) {
    (void)state;
    struct world *world = world_new();
    assert_true(obeys(world, "way jnb lhr 80.5 2 0.25 1"));
    assert_true(obeys(world, "cut lhr sin"));
    leave(world, 0, 0x11, 1, 0);
    leave(world, 1, 0x12, 2, 0);
    assert_true(obeys(world, "show"));
    assert_non_null(strstr(world->answer, "jnb -> lhr: 80.5 ms, jitter 2.0 ms, loss 0.25 %, "
                                          "reordered 1.00 %, passed 1, lost 0\n"));
    assert_non_null(strstr(world->answer, "passed 0, lost 1, cut\n"));
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_takes_half_of_the_round_trip),
        cmocka_unit_test(jitter_keeps_the_order_and_its_bounds),
        cmocka_unit_test(reordered_packets_are_overtaken_and_none_is_lost),
        cmocka_unit_test(loss_is_about_what_was_asked_for),
        cmocka_unit_test(cuts_and_holes_hold_until_they_heal),
        cmocka_unit_test(what_is_for_nobody_is_counted),
        cmocka_unit_test(a_full_network_has_no_room),
        cmocka_unit_test(a_wrong_command_changes_nothing),
        cmocka_unit_test(shows_what_each_way_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
