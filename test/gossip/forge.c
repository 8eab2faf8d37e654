#include "gossip/world.h"

#include "wire.h"

/* As src/gossip/datagram.c has it, without keys. */
enum { NEWS = 7, SUSPECT = 2, DEAD = 3, LEFT = 4 };

static uint64_t below(struct world *w, uint64_t bound) {
    return sim_random_below(&w->random, bound);
}

static struct node *anybody(struct world *w) {
    return &w->nodes[below(w, w->node_count)];
}

/* In another one's name, whose life and number it cannot know; its incarnation it may. */
static void put_head(struct world *w, struct wire_writer *wire, const struct node *from) {
    static const uint8_t zero[8 + 18 + 8];
    struct bytes label = bytes_of_text(WORLD_LABEL);
    wire_put_u8(wire, 1);
    wire_put_u8(wire, (uint8_t)label.len);
    wire_put(wire, label.data, label.len);
    wire_put_u8(wire, NEWS);
    wire_put_u64(wire, from->id);
    wire_put_u64(wire, gossip_self(from->g)->incarnation + below(w, 2));
    wire_put_u64(wire, 0);
    wire_put_u32(wire, (uint32_t)sim_random_next(&w->random));
    wire_put_u32(wire, (uint32_t)sim_random_next(&w->random));
    wire_put(wire, zero, sizeof zero);
}

/* That a third one is dead, or gone, or suspected by all who could suspect it. */
static void put_lies(struct world *w, struct wire_writer *wire, const struct node *victim) {
    uint64_t incarnation = gossip_self(victim->g)->incarnation;
    for (uint8_t kind = SUSPECT; kind <= LEFT; kind++) {
        wire_put_u8(wire, kind);
        wire_put_u64(wire, victim->id);
        wire_put_u64(wire, kind == LEFT ? incarnation + below(w, 2) : incarnation);
        if (kind != SUSPECT)
            continue;
        wire_put_u8(wire, 4);
        for (size_t i = 0; i < 4; i++)
            wire_put_u64(wire, anybody(w)->id);
    }
}

bool forge_datagram(struct world *w, struct mail *ret_mail) {
    const struct node *from = anybody(w), *to = anybody(w), *victim = anybody(w);
    if (!from->g || !to->g || !victim->g || to == victim || to == from)
        return false;
    struct wire_writer wire = wire_writer_of(ret_mail->bytes, sizeof ret_mail->bytes);
    put_head(w, &wire, from);
    put_lies(w, &wire, victim);
    CHECK(!wire.has_failed);
    ret_mail->from = from->address;
    ret_mail->to = to->address;
    ret_mail->len = wire.len;
    return true;
}
