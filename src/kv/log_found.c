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

struct raft_entry kv__log_founding(struct bytes configuration) {
    return (struct raft_entry){.index = 1,
                               .term = 1,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .payload = configuration};
}

/* The head, and an entry unless it is NULL, in one transaction. */
static enum status write_both(struct kv_log *log, const struct kv_log_head *head,
                              const struct raft_entry *entry) {
    struct kv_demand demand = {.single_pages = 8};
    struct kv_writer writer;
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    status = kv__log_head_put(&writer, head);
    if (status == STATUS_OK && entry)
        status = kv__log_append(&writer, entry);
    return kv__writer_end(&writer, status);
}

enum status kv_log_found(struct kv_log *log, uint64_t cluster_id, struct bytes configuration) {
    CHECK(cluster_id != 0);
    struct raft_configuration checked;
    struct kv_log_head head;
    if (raft_configuration_decode(configuration, &checked) != STATUS_OK || checked.count == 0)
        return STATUS_INVALID;
    enum status status = kv__log_head_load(log, &head);
    if (status != STATUS_OK)
        return status;
    if (head.identity.cluster_id != 0 || log->last != 0)
        return STATUS_BUSY;
    head.identity.cluster_id = cluster_id;
    if (head.hard.term < 1)
        head.hard = (struct raft_hard_state){.term = 1};
    struct raft_entry entry = kv__log_founding(configuration);
    status = write_both(log, &head, &entry);
    if (status == STATUS_OK)
        log->last = 1;
    return status;
}

enum status kv_log_join(struct kv_log *log, uint64_t cluster_id) {
    CHECK(cluster_id != 0);
    struct kv_log_head head;
    enum status status = kv__log_head_load(log, &head);
    if (status != STATUS_OK || head.identity.cluster_id == cluster_id)
        return status;
    if (head.identity.cluster_id != 0 || log->last != 0)
        return STATUS_BUSY;
    head.identity.cluster_id = cluster_id;
    return write_both(log, &head, NULL);
}
