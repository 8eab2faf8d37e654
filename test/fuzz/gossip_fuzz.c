/* Any bytes as a datagram of gossip: what decodes encodes to the same bytes; a node that hears it,
 * plain or sealed, survives it, and answers a stranger with no more than it got. */
#include "gossip/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_format(const uint8_t *data, size_t size) {
    uint8_t again[GOSSIP_PACKET_BYTES_MAX];
    struct wire_reader r = wire_reader_of(bytes_of(data, size));
    struct wire_writer w = wire_writer_of(again, sizeof again);
    struct gossip_rumour rumour;
    struct gossip_head head;
    if (size > sizeof again || gossip__head_decode(&r, &head) != STATUS_OK)
        return;
    gossip__head_encode(&w, &head);
    while (gossip__rumour_decode(&r, head.from, &rumour) == DECODED)
        CHECK(gossip__rumour_encode(&w, &rumour));
    CHECK(w.len <= size && memcmp(again, data, w.len) == 0);
}

static size_t take(struct gossip *g) {
    struct gossip_ready ready;
    size_t bytes = 0;
    gossip_ready(g, &ready);
    for (size_t i = 0; i < ready.datagram_count; i++)
        bytes += ready.datagrams[i].bytes.len;
    gossip_advance(g);
    return bytes;
}

/* Two members' worth of time passes between hearing it and hearing it again. */
static void try_node(const uint8_t *data, size_t size) {
    struct gossip_config config = {.self = 2,
                                   .label = "x",
                                   .meta = {.name = "b"},
                                   .address = {.port = 1},
                                   .tick_ms = 100,
                                   .now_ms = 1};
    struct gossip_event event = {.kind = GOSSIP_EVENT_RECEIVE,
                                 .receive = {{.ip = {1}, .port = 7}, bytes_of(data, size)}};
    struct gossip *g;
    CHECK(gossip_new(&config, &g) == STATUS_OK);
    for (uint64_t round = 0; round < 4; round++) {
        event.now_ms = 1 + round * 10000;
        bool is_stranger = gossip_count(g) == 0;
        enum status status = gossip_step(g, &event);
        CHECK(status != STATUS_OVERLOAD);
        CHECK(take(g) <= (is_stranger ? 2 * size : 8 * GOSSIP_DATAGRAM_BYTES_MAX));
        for (int timer = 0; timer < 4; timer++) {
            struct gossip_event timeout = {.now_ms = gossip_deadline_ms(g)};
            CHECK(gossip_step(g, &timeout) == STATUS_OK);
            (void)take(g);
        }
    }
    gossip_free(g);
}

static void try_packet(const uint8_t *data, size_t size) {
    static const char key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    uint8_t opened[GOSSIP_PACKET_BYTES_MAX];
    struct gossip_keys keys;
    size_t len;
    CHECK(gossip_keys_parse(key, &keys) == STATUS_OK);
    CHECK(gossip_open(&keys, bytes_of(data, size), opened, &len) != STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_format(data, size);
    try_node(data, size);
    try_packet(data, size);
    return 0;
}
