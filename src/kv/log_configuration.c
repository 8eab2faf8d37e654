/* Which configuration a log ends with: thesis 4.1, "a server always uses the latest configuration
 * in its log, regardless of whether the entry is committed". */
#include "kv/stores.h"

/* Whether there is a mark at or after `*index`, and where. */
static enum status next_mark(struct kv_reader *reader, raft_index *index, bool *ret_is_found) {
    uint8_t memory[KV_LOG_NUMBER_KEY_BYTES];
    struct bytes key, record;
    enum status status =
        kv__reader_seek(reader, kv__log_number_key(KV_LOG_CONFIGURATIONS, *index, memory), &key,
                        &record);
    *ret_is_found = status == STATUS_OK && kv__log_number_of_key(key, KV_LOG_CONFIGURATIONS, index);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_configuration(struct kv_reader *reader, raft_index index,
                                      struct raft_configuration *ret_configuration,
                                      raft_term *ret_term) {
    struct raft_entry entry;
    enum status status = kv__log_entry_get(reader, index, &entry);
    if (status == STATUS_OK)
        status = entry.type == RAFT_ENTRY_CONFIGURATION
                     ? raft_configuration_decode(entry.payload, ret_configuration)
                     : STATUS_CORRUPT;
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
    ret_configuration->index = index;
    *ret_term = entry.term;
    return STATUS_OK;
}

/* The last two marks after the cut point; 0: none. */
static enum status find_marks(struct kv_reader *reader, raft_index after, raft_index through,
                              raft_index *ret_newest, raft_index *ret_before) {
    raft_index next = after + 1;
    bool is_found;
    *ret_newest = 0;
    *ret_before = 0;
    enum status status = next_mark(reader, &next, &is_found);
    while (status == STATUS_OK && is_found && next <= through) {
        *ret_before = *ret_newest;
        *ret_newest = next++;
        status = next_mark(reader, &next, &is_found);
    }
    return status;
}

enum status kv__log_configurations(struct kv_reader *reader, const struct kv_cut_point *cut,
                                   raft_index through,
                                   struct kv_log_configurations *ret_configurations) {
    struct kv_log_configurations *found = ret_configurations;
    raft_index newest, before;
    raft_term before_term;
    *found = (struct kv_log_configurations){.newest = cut->configuration,
                                            .before = cut->configuration,
                                            .newest_term = cut->configuration_term};
    enum status status = find_marks(reader, cut->index, through, &newest, &before);
    if (status == STATUS_OK && newest != 0)
        status = read_configuration(reader, newest, &found->newest, &found->newest_term);
    if (status == STATUS_OK && before != 0)
        status = read_configuration(reader, before, &found->before, &before_term);
    return status;
}
