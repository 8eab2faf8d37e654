#include "raft/raft.h"

#include "wire.h"

#define FORMAT_VERSION 1

size_t raft_configuration_encode(const struct raft_configuration *configuration, uint8_t *data,
                                 size_t capacity) {
    struct wire_writer w = wire_writer_of(data, capacity);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u8(&w, configuration->is_joint);
    wire_put_u32(&w, (uint32_t)configuration->count);
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        size_t name_bytes = strnlen(member->name, sizeof member->name - 1);
        wire_put_u64(&w, member->id);
        wire_put_u8(&w, (uint8_t)member->rights);
        wire_put_u8(&w, (uint8_t)name_bytes);
        wire_put(&w, member->name, name_bytes);
    }
    CHECK(!w.has_failed);
    return w.len;
}

static bool decode_member(struct wire_reader *r, struct raft_member *ret_member) {
    *ret_member = (struct raft_member){.id = wire_get_u64(r)};
    ret_member->rights = wire_get_u8(r);
    size_t name_bytes = wire_get_u8(r);
    struct bytes name = wire_get(r, name_bytes);
    if (r->has_failed || name.len >= sizeof ret_member->name || ret_member->id == 0 ||
        (name.len > 0 && memchr(name.data, 0, name.len)))
        return false;
    memcpy(ret_member->name, name.data, name.len);
    return true;
}

/* Each member once, and votes of an old half only where there is one. */
static bool is_sound(const struct raft_configuration *configuration) {
    for (size_t i = 0; i < configuration->count; i++) {
        const struct raft_member *member = &configuration->members[i];
        bool is_twice = raft_configuration_find(configuration, member->id) != member;
        bool is_known = member->rights <= RAFT_VOTER_BOTH ||
                        member->rights == (RAFT_VOTER_OLD | RAFT_LEARNER_NEXT);
        if (is_twice || !is_known ||
            (!configuration->is_joint && (member->rights & RAFT_VOTER_OLD)))
            return false;
    }
    return true;
}

enum status raft_configuration_decode(struct bytes payload,
                                      struct raft_configuration *ret_configuration) {
    struct raft_configuration configuration = {0};
    struct wire_reader r = wire_reader_of(payload);
    if (wire_get_u8(&r) != FORMAT_VERSION)
        return STATUS_CORRUPT;
    uint8_t is_joint = wire_get_u8(&r);
    configuration.is_joint = is_joint == 1;
    configuration.count = wire_get_u32(&r);
    if (r.has_failed || is_joint > 1 || configuration.count > MEMBERS_MAX)
        return STATUS_CORRUPT;
    for (size_t i = 0; i < configuration.count; i++)
        if (!decode_member(&r, &configuration.members[i]))
            return STATUS_CORRUPT;
    if (!wire_reader_is_done(&r) || !is_sound(&configuration))
        return STATUS_CORRUPT;
    *ret_configuration = configuration;
    return STATUS_OK;
}

const struct raft_member *raft_configuration_find(const struct raft_configuration *configuration,
                                                  raft_id id) {
    for (size_t i = 0; i < configuration->count; i++)
        if (configuration->members[i].id == id)
            return &configuration->members[i];
    return NULL;
}
