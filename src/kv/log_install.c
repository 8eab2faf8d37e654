/* A snapshot takes the place of the log's beginning, or of all of it: one transaction decides, so
 * that a crash leaves either the old state with its log or the new one with its own. */
#include "kv/stores.h"

/* What the log holds at the snapshot's index; the cut point counts. */
static enum status holds(struct kv_log *log, struct kv_reader *reader,
                         const struct kv_cut_point *cut, const struct kv_log_install *install,
                         bool *ret_holds) {
    struct raft_entry entry = {.term = cut->term};
    enum status status = STATUS_OK;
    *ret_holds = false;
    if (install->index > log->last)
        return STATUS_OK;
    if (install->index > cut->index)
        status = kv__log_entry_get(reader, install->index, &entry);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
    *ret_holds = entry.term == install->term;
    return STATUS_OK;
}

/* The entries after the snapshot may have been acknowledged: they stay. */
static enum status keep(struct kv_log *log, struct kv_reader *reader,
                        const struct kv_cut_point *point, struct kv_log_installed *ret_installed) {
    struct kv_log_configurations configurations;
    struct raft_entry last = {.term = point->term};
    enum status status = STATUS_OK;
    if (log->last > point->index)
        status = kv__log_entry_get(reader, log->last, &last);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
    ret_installed->is_kept = true;
    ret_installed->last_index = log->last;
    ret_installed->last_term = last.term;
    status = kv__log_configurations(reader, point, log->last, &configurations);
    ret_installed->configuration = configurations.newest;
    return status;
}

static void reset(const struct kv_cut_point *point, struct kv_log_installed *ret_installed) {
    ret_installed->is_kept = false;
    ret_installed->last_index = point->index;
    ret_installed->last_term = point->term;
    ret_installed->configuration = point->configuration;
}

/* What will be; `head` follows. */
static enum status decide(struct kv_log *log, struct kv_reader *reader,
                          const struct kv_log_install *install, struct kv_log_head *head,
                          struct kv_log_installed *ret_installed) {
    bool is_held;
    enum status status = kv__log_head_read(reader, head);
    if (status != STATUS_OK)
        return status;
    if (install->index < head->cut.index ||
        (install->index == head->cut.index && !install->is_rebuild))
        return STATUS_STALE;
    status = holds(log, reader, &head->cut, install, &is_held);
    if (status != STATUS_OK)
        return status;
    if (install->index == head->cut.index && !is_held)
        return STATUS_CORRUPT; /* both were committed, and differ */
    head->cut = (struct kv_cut_point){.index = install->index,
                                      .term = install->term,
                                      .configuration = *install->configuration,
                                      .configuration_term = install->term};
    head->state_generation = install->state_generation;
    if (head->hard.term < install->term)
        head->hard = (struct raft_hard_state){.term = install->term};
    ret_installed->first_index = install->index + 1;
    ret_installed->hard = head->hard;
    if (is_held)
        return keep(log, reader, &head->cut, ret_installed);
    reset(&head->cut, ret_installed);
    return STATUS_OK;
}

static enum status write(struct kv_log *log, const struct kv_log_head *head,
                         const struct kv_log_installed *installed) {
    struct kv_demand demand = {.single_pages = 8};
    struct kv_writer writer;
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    raft_index through = installed->is_kept ? head->cut.index : log->last;
    status = kv__log_delete(&writer, log->first, through);
    if (status == STATUS_OK)
        status = kv__log_head_put(&writer, head);
    return kv__writer_end(&writer, status);
}

enum status kv_log_install(struct kv_log *log, const struct kv_log_install *install,
                           struct kv_log_installed *ret_installed) {
    CHECK(install->index > 0 && install->configuration->index <= install->index);
    struct kv_log_installed installed = {0};
    struct kv_log_head head;
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = decide(log, &reader, install, &head, &installed);
    kv__reader_close(&reader);
    if (status == STATUS_OK)
        status = write(log, &head, &installed);
    if (status != STATUS_OK)
        return status;
    log->first = installed.first_index;
    log->last = installed.last_index;
    *ret_installed = installed;
    return STATUS_OK;
}
