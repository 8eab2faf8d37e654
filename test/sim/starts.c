/* What a disk holds of its own node's starts, and of the others'. */
#include "sim/sim.h"

struct gate_pair sim_disk_begin_start(struct sim_disk *disk) {
    CHECK(disk->start_count + 1 < SIM_STARTS_MAX);
    struct gate_pair start = {.counter = ++disk->start_count,
                              .nonce = sim_random_next(&disk->random)};
    disk->nonces[start.counter] = start.nonce;
    return start;
}

bool sim_disk_find_start(const struct sim_disk *disk, uint64_t counter, uint64_t *ret_nonce) {
    if (counter == 0 || counter > disk->start_count)
        return false;
    *ret_nonce = disk->nonces[counter];
    return true;
}

static bool has_start(const struct sim_disk *disk, struct gate_pair pair) {
    uint64_t nonce;
    return sim_disk_find_start(disk, pair.counter, &nonce) && nonce == pair.nonce;
}

static struct sim_note *find_note(const struct sim_disk *disk, raft_id id) {
    for (size_t i = 0; i < disk->note_count; i++)
        if (disk->notes[i].id == id)
            return (struct sim_note *)(uintptr_t)&disk->notes[i];
    return NULL;
}

bool sim_disk_has_noted(const struct sim_disk *disk, raft_id id, struct gate_pair pair) {
    const struct sim_note *note = find_note(disk, id);
    return note && note->pair.counter >= pair.counter;
}

/* Nobody may be remembered by a start that he showed without the one before: he forgot it. */
static void check(const struct sim_disk *disk, const struct sim_note *old, struct gate_pair pair) {
    const struct sim_node *of = sim_node_of(disk->sim, old->id);
    bool is_of_now = of->id == old->id && has_start(&of->disk, pair);
    bool is_forgotten = old->pair.counter != 0 && !has_start(&of->disk, old->pair);
    if (is_of_now && is_forgotten && !disk->sim->options.is_blind)
        sim_fail(disk->sim, "node %zu takes node %zu in, which was rolled back", disk->node->number,
                 of->number);
}

void sim_disk_write_note(struct sim_disk *disk, const struct sim_note *note) {
    struct sim_note *place = find_note(disk, note->id);
    if (!place) {
        CHECK(disk->note_count < SIM_NOTES_MAX);
        place = &disk->notes[disk->note_count++];
        *place = (struct sim_note){.id = note->id};
    }
    check(disk, place, note->pair);
    place->pair = note->pair;
}
