#include "server/gate_memory.h"

void gate_memory_init(struct gate_memory *memory) {
    *memory = (struct gate_memory){0};
}

static struct gate_peer *find(struct gate_memory *memory, raft_id id) {
    for (size_t i = 0; i < memory->count; i++)
        if (memory->peers[i].id == id)
            return &memory->peers[i];
    return NULL;
}

const struct gate_peer *gate_memory_find(const struct gate_memory *memory, raft_id id) {
    return find((struct gate_memory *)(uintptr_t)memory, id);
}

static struct gate_peer *find_or_add(struct gate_memory *memory, raft_id id) {
    struct gate_peer *peer = find(memory, id);
    if (peer || memory->count == GATE_PEERS_MAX)
        return peer;
    peer = &memory->peers[memory->count++];
    *peer = (struct gate_peer){.id = id};
    return peer;
}

enum status gate_memory_load(struct gate_memory *memory, raft_id id, struct gate_pair pair) {
    CHECK(id != 0 && pair.counter != 0);
    struct gate_peer *peer = find_or_add(memory, id);
    if (!peer)
        return STATUS_OVERLOAD;
    peer->durable = peer->newest = pair;
    return STATUS_OK;
}

enum status gate_memory_expect(struct gate_memory *memory, raft_id id, struct gate_pair pair) {
    struct gate_peer *peer = find_or_add(memory, id);
    if (!peer)
        return STATUS_OVERLOAD;
    CHECK(pair.counter > peer->newest.counter);
    peer->newest = pair;
    return STATUS_OK;
}

void gate_memory_noted(struct gate_memory *memory, raft_id id, struct gate_pair pair) {
    struct gate_peer *peer = find(memory, id);
    if (!peer || pair.counter <= peer->durable.counter)
        return;
    CHECK(pair.counter <= peer->newest.counter);
    peer->durable = pair;
}

void gate_memory_forget(struct gate_memory *memory, raft_id id) {
    struct gate_peer *peer = find(memory, id);
    if (peer)
        *peer = memory->peers[--memory->count];
}

void gate_memory_met(struct gate_memory *memory, raft_id id) {
    struct gate_peer *peer = find(memory, id);
    if (peer)
        peer->has_met = true;
}

/* ---- Quorums --------------------------------------------------------------------------------- */

static bool has_met(const struct gate_memory *memory, raft_id id, raft_id self) {
    const struct gate_peer *peer = gate_memory_find(memory, id);
    return id == self || (peer && peer->has_met);
}

static bool half_has_met(const struct gate_memory *memory,
                         const struct raft_configuration *configuration, unsigned half,
                         raft_id self) {
    size_t voters = 0, met = 0;
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        if (!(member->rights & half))
            continue;
        voters++;
        met += has_met(memory, member->id, self);
    }
    return voters == 0 || met > voters / 2;
}

bool gate_memory_has_met_quorum(const struct gate_memory *memory,
                                const struct raft_configuration *configuration, raft_id self) {
    return half_has_met(memory, configuration, RAFT_VOTER_NEW, self) &&
           (!configuration->is_joint || half_has_met(memory, configuration, RAFT_VOTER_OLD, self));
}

bool gate_memory_has_met_all(const struct gate_memory *memory,
                             const struct raft_configuration *configuration, raft_id self) {
    bool is_so = true;
    for (size_t i = 0; i < configuration->count; i++)
        is_so = is_so && has_met(memory, configuration->members[i].id, self);
    return is_so;
}

static bool is_known_enough(const struct gate_memory *memory,
                            const struct raft_configuration *configuration, raft_id self,
                            uint64_t waited_ms, uint64_t election_timeout_ms) {
    if (!gate_memory_has_met_quorum(memory, configuration, self))
        return waited_ms >= GATE_PATIENCE * election_timeout_ms;
    return waited_ms >= election_timeout_ms / GATE_SHARE ||
           gate_memory_has_met_all(memory, configuration, self);
}

bool gate_memory_may_speak(struct gate_memory *memory,
                           const struct raft_configuration *configuration, raft_id self,
                           uint64_t waited_ms, uint64_t election_timeout_ms) {
    if (configuration->count == 0)
        return true;
    memory->may_speak = memory->may_speak || is_known_enough(memory, configuration, self, waited_ms,
                                                             election_timeout_ms);
    return memory->may_speak;
}
