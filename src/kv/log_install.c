/* A snapshot takes the place of the log's beginning, or of all of it: one transaction decides, so
 * that a crash leaves either the old state with its log or the new one with its own. */
#include "kv/stores.h"

/* What the log has at the snapshot's index; the cut point counts. */
static bool holds(const struct kv_log *log, const struct kv_log_install *install) {
    if (install->index == log->head.cut.index)
        return install->term == log->head.cut.term;
    return kv__log_index_has(&log->index, install->index) &&
           kv__log_index_term(&log->index, install->index) == install->term;
}

static struct kv_cut_point point_of(const struct kv_log_install *install) {
    return (struct kv_cut_point){.index = install->index,
                                 .term = install->term,
                                 .configuration = *install->configuration,
                                 .configuration_term = install->term};
}

/* The entries after the snapshot may have been acknowledged: they stay. */
static enum status keep(struct kv_log *log, struct kv_log_head *head,
                        struct kv_log_installed *installed) {
    struct kv_log_configurations configurations;
    raft_index last = kv__log_index_last(&log->index);
    installed->is_kept = true;
    installed->last_index = last;
    installed->last_term =
        last > head->cut.index ? kv__log_index_term(&log->index, last) : head->cut.term;
    enum status status = kv__log_configurations(log, &head->cut, last, &configurations);
    installed->configuration = configurations.newest;
    return status == STATUS_OK ? kv__log_segments_start(log, head->cut.index + 1, &head->segments)
                               : status;
}

/* No frame counts any more, so none of another history comes back. */
static enum status reset(struct kv_log *log, struct kv_log_head *head,
                         struct kv_log_installed *installed) {
    installed->last_index = head->cut.index;
    installed->last_term = head->cut.term;
    installed->configuration = head->cut.configuration;
    return kv__log_segments_start(log, kv__log_index_last(&log->index) + 1, &head->segments);
}

static void follow(struct kv_log *log, const struct kv_log_installed *installed) {
    log->hard = installed->hard;
    (void)pthread_mutex_lock(&log->mutex);
    if (installed->is_kept)
        kv__log_index_cut(&log->index, installed->first_index - 1);
    else
        kv__log_index_reset(&log->index, installed->first_index);
    (void)pthread_mutex_unlock(&log->mutex);
    kv__log_segments_drop(log);
}

enum status kv_log_install(struct kv_log *log, const struct kv_log_install *install,
                           struct kv_log_installed *ret_installed) {
    CHECK(install->index > 0 && install->configuration->index <= install->index);
    struct kv_log_installed installed = {.first_index = install->index + 1};
    struct kv_log_head head = log->head;
    bool is_at_cut = install->index == head.cut.index;
    if (install->index < head.cut.index || (is_at_cut && !install->is_rebuild))
        return STATUS_STALE;
    bool is_held = holds(log, install);
    if (is_at_cut && !is_held)
        return STATUS_CORRUPT; /* both were committed, and differ */
    head.cut = point_of(install);
    head.state_generation = install->state_generation;
    head.hard = log->hard.term < install->term ? (struct raft_hard_state){.term = install->term}
                                               : log->hard;
    installed.hard = head.hard;
    enum status status = is_held ? keep(log, &head, &installed) : reset(log, &head, &installed);
    if (status == STATUS_OK)
        status = kv__log_head_save(log, &head);
    if (status != STATUS_OK)
        return status;
    follow(log, &installed);
    *ret_installed = installed;
    return STATUS_OK;
}
