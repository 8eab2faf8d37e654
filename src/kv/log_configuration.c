/* Which configuration a log ends with: thesis 4.1, "a server always uses the latest configuration
 * in its log, regardless of whether the entry is committed". */
#include "kv/stores.h"

struct found {
    struct raft_configuration *configuration;
    raft_term term;
};

static enum status decode(void *context, const struct raft_entry *entry) {
    struct found *found = context;
    if (entry->type != RAFT_ENTRY_CONFIGURATION)
        return STATUS_CORRUPT;
    enum status status = raft_configuration_decode(entry->payload, found->configuration);
    found->configuration->index = entry->index;
    found->term = entry->term;
    return status;
}

static enum status read_configuration(struct kv_log *log, raft_index index,
                                      struct raft_configuration *ret_configuration,
                                      raft_term *ret_term) {
    struct found found = {.configuration = ret_configuration};
    enum status status = kv_log_read(log, index, index, decode, &found);
    *ret_term = found.term;
    return status;
}

enum status kv__log_configurations(struct kv_log *log, const struct kv_cut_point *cut,
                                   raft_index through,
                                   struct kv_log_configurations *ret_configurations) {
    struct kv_log_configurations *found = ret_configurations;
    raft_index newest, before;
    raft_term before_term;
    *found = (struct kv_log_configurations){.newest = cut->configuration,
                                            .before = cut->configuration,
                                            .newest_term = cut->configuration_term};
    enum status status = STATUS_OK;
    kv__log_index_configurations(&log->index, through, &newest, &before);
    if (newest > cut->index)
        status = read_configuration(log, newest, &found->newest, &found->newest_term);
    if (status == STATUS_OK && before > cut->index)
        status = read_configuration(log, before, &found->before, &before_term);
    return status;
}
