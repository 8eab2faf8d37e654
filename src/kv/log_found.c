/* How a log comes to belong to a cluster: it founds one, or joins one. */
#include "kv/stores.h"

struct raft_configuration kv__sole_voter(const struct kv_identity *identity, raft_index index) {
    struct raft_configuration configuration = {.index = index, .count = 1};
    struct raft_member *member = &configuration.members[0];
    member->id = identity->id;
    member->rights = RAFT_VOTER_NEW;
    memcpy(member->name, identity->name, sizeof member->name);
    return configuration;
}

/* The meta records have said it; when a start finds the log empty, it is said again. */
enum status kv__log_write_founding(struct kv_log *log) {
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    size_t len = raft_configuration_encode(&log->head.founding, payload, sizeof payload);
    struct raft_entry entry = {.index = 1,
                               .term = 1,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .payload = bytes_of(payload, len)};
    struct kv_log_batch batch = {.entries = &entry, .entry_count = 1, .is_essential = true};
    const struct kv_log_batch *batches[] = {&batch};
    return kv_log_write(log, batches, 1);
}

static bool is_blank(const struct kv_log *log) {
    return log->head.identity.cluster_id == 0 && kv__log_index_last(&log->index) == 0;
}

/* First room for the entry, then the transaction that decides, then the entry. */
enum status kv_log_found(struct kv_log *log, uint64_t cluster_id, struct bytes configuration) {
    CHECK(cluster_id != 0);
    struct kv_log_head head = log->head;
    if (raft_configuration_decode(configuration, &head.founding) != STATUS_OK ||
        head.founding.count == 0)
        return STATUS_INVALID;
    if (!is_blank(log))
        return STATUS_BUSY;
    head.identity.cluster_id = cluster_id;
    head.hard = log->hard.term < 1 ? (struct raft_hard_state){.term = 1} : log->hard;
    enum status status = kv__segment_make_room(kv__log_newest(log), log->next.offset,
                                               log->next.offset + ENTRY_BYTES_MAX, 0);
    if (status == STATUS_OK)
        status = kv__log_head_save(log, &head);
    if (status != STATUS_OK)
        return status;
    log->hard = head.hard;
    status = kv__log_write_founding(log);
    return status == STATUS_DISK_FULL ? STATUS_IO : status; /* half of it is durable */
}

enum status kv_log_join(struct kv_log *log, uint64_t cluster_id) {
    CHECK(cluster_id != 0);
    struct kv_log_head head = log->head;
    if (head.identity.cluster_id == cluster_id)
        return STATUS_OK;
    if (!is_blank(log))
        return STATUS_BUSY;
    head.identity.cluster_id = cluster_id;
    return kv__log_head_save(log, &head);
}
