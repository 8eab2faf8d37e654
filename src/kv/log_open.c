#include "kv/stores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

/* Meta records are few and small, whatever the reserve. */
#define META_RESERVE_BYTES_MAX (1 * MIB)

enum status kv__random_id(uint64_t *ret_id) {
    uint64_t id = 0;
    while (id == 0) {
        ssize_t got = getrandom(&id, sizeof id, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != (ssize_t)sizeof id)
            return STATUS_IO;
    }
    *ret_id = id;
    return STATUS_OK;
}

/* ---- Identity ------------------------------------------------------------------------------ */

static bool exists(const struct kv_directory *directory, const char *name) {
    char path[PATH_MAX];
    return kv__directory_join(directory, name, path) == STATUS_OK && kv__path_exists(path);
}

/* A log that is gone while a state is there was lost, or never finished being restored. */
static enum status check_absence(struct kv_directory *directory) {
    bool has_state;
    enum status status = kv__state_exists(directory, &has_state);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "state: %s", status_text(status));
    if (has_state)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "log: missing, though there is a state: the log was lost, or "
                                     "a restore was cut short");
    return STATUS_OK;
}

static enum status new_identity(const struct kv_log_options *options,
                                struct kv_identity *ret_identity) {
    *ret_identity = (struct kv_identity){0};
    enum status status = kv__random_id(&ret_identity->id);
    if (status == STATUS_OK && options->is_sole_voter)
        status = kv__random_id(&ret_identity->cluster_id);
    return status;
}

static void set_name(struct kv_identity *identity, const char *name) {
    size_t len = strlen(name);
    CHECK(len < NAME_BYTES_MAX);
    memcpy(identity->name, name, len + 1);
}

/* The directory's name wins over a default (containers change host names), never over a choice. A
 * restored directory may have none yet, and one that was moved may adopt another. */
static enum status settle_name(struct kv_directory *directory, const struct kv_log_options *options,
                               struct kv_identity *identity) {
    const char *chosen = options->name ? options->name : options->default_name;
    if (identity->name[0] == '\0' || options->adopts_name) {
        set_name(identity, chosen ? chosen : "");
        return STATUS_OK;
    }
    if (options->name && strcmp(options->name, identity->name) != 0)
        return kv__directory_problem(directory, STATUS_INVALID,
                                     "log: this directory belongs to node '%s', not to '%s'",
                                     identity->name, options->name);
    return STATUS_OK;
}

static enum status start(struct kv_identity *identity) {
    identity->previous_counter = identity->start_counter;
    identity->previous_nonce = identity->start_nonce;
    identity->start_counter++;
    return kv__random_id(&identity->start_nonce);
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* Segments with frames and no meta records: those were lost. A first segment without frames is what
 * a start leaves that was killed. */
static enum status check_segments_absence(const struct kv_log *log,
                                          struct kv_directory *directory) {
    bool exist;
    enum status status = kv__log_segments_exist(log->folder, &exist);
    if (status == STATUS_OK && exist)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "log: its identity is missing, though there are entries");
    return status;
}

static enum status begin_anew(struct kv_log *log, struct kv_directory *directory,
                              const struct kv_log_options *options) {
    struct kv_log_head *head = &log->head;
    enum status status = check_absence(directory);
    if (status == STATUS_OK)
        status = check_segments_absence(log, directory);
    if (status == STATUS_OK)
        status = new_identity(options, &head->identity);
    if (status == STATUS_OK)
        status = kv__log_segments_create(log->folder, head->identity.id, log->reserve_bytes,
                                         &head->segments);
    return status;
}

static enum status load_head(struct kv_log *log, struct kv_directory *directory,
                             const struct kv_log_options *options, bool *ret_is_new) {
    struct kv_reader reader;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    *ret_is_new = kv__reader_count(&reader) == 0;
    if (!*ret_is_new) {
        status = kv__log_head_read(&reader, &log->head);
        if (status != STATUS_OK)
            (void)kv__directory_problem(directory, status,
                                        "log: its identity, vote or cut point: %s",
                                        status_text(status));
    }
    kv__reader_close(&reader);
    if (status == STATUS_OK && *ret_is_new)
        status = begin_anew(log, directory, options);
    return status;
}

static raft_term last_term(const struct kv_log *log) {
    raft_index last = kv__log_index_last(&log->index);
    return last > log->head.cut.index ? kv__log_index_term(&log->index, last) : log->head.cut.term;
}

static enum status check_terms(const struct kv_log *log, struct kv_directory *directory) {
    if (log->hard.term >= last_term(log))
        return STATUS_OK;
    return kv__directory_problem(directory, STATUS_CORRUPT,
                                 "log: the term is %" PRIu64 " and the last entry's is %" PRIu64,
                                 log->hard.term, last_term(log));
}

/* A cluster of one: itself. */
static void found_alone(struct kv_log *log) {
    log->head.founding = kv__sole_voter(&log->head.identity, 1);
    log->head.hard = (struct raft_hard_state){.term = 1};
    log->hard = log->head.hard;
}

/* What a start stores, in one transaction. */
static enum status write_start(struct kv_log *log) {
    struct kv_demand demand = {.single_pages = 8};
    struct kv_writer writer;
    enum status status = kv__writer_begin(log->env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    status = kv__log_head_put(&writer, &log->head);
    if (status == STATUS_OK)
        status = kv__log_start_put(&writer, &log->head.identity);
    return kv__writer_end(&writer, status);
}

/* Founded, and killed before the entry was written. */
static enum status redo_founding(struct kv_log *log) {
    bool is_missing = log->head.founding.count > 0 && kv__log_index_last(&log->index) == 0;
    return is_missing ? kv__log_write_founding(log) : STATUS_OK;
}

static enum status summarize(struct kv_log *log, struct kv_log_summary *ret_summary) {
    struct kv_log_configurations configurations;
    raft_index last = kv__log_index_last(&log->index);
    enum status status = kv__log_configurations(log, &log->head.cut, last, &configurations);
    if (status != STATUS_OK)
        return status;
    ret_summary->configuration = configurations.newest;
    ret_summary->configuration_before = configurations.before;
    ret_summary->configuration_term = configurations.newest_term;
    ret_summary->identity = log->head.identity;
    ret_summary->hard = log->hard;
    ret_summary->cut_term = log->head.cut.term;
    ret_summary->first_index = log->index.first;
    ret_summary->last_index = last;
    ret_summary->last_term = last_term(log);
    ret_summary->state_generation = log->head.state_generation;
    return STATUS_OK;
}

static enum status open_log(struct kv_log *log, struct kv_directory *directory,
                            const struct kv_log_options *options,
                            struct kv_log_summary *ret_summary) {
    enum status status = load_head(log, directory, options, &ret_summary->is_new);
    if (status == STATUS_OK)
        status = settle_name(directory, options, &log->head.identity);
    ret_summary->identity = log->head.identity;
    if (status == STATUS_OK)
        status = kv__log_segments_open(log, directory);
    if (status == STATUS_OK)
        status = check_terms(log, directory);
    if (status == STATUS_OK)
        status = start(&log->head.identity);
    if (status != STATUS_OK)
        return status;
    if (ret_summary->is_new && options->is_sole_voter)
        found_alone(log);
    status = write_start(log);
    if (status == STATUS_OK)
        status = redo_founding(log);
    return status == STATUS_OK ? summarize(log, ret_summary) : status;
}

/* The meta records' part of the reserve. */
static size_t meta_reserve(size_t reserve_bytes) {
    size_t part = reserve_bytes / 8;
    return part < META_RESERVE_BYTES_MAX ? part : META_RESERVE_BYTES_MAX;
}

static enum status make_log(struct kv_directory *directory, const struct kv_log_options *options,
                            struct kv_log **ret_log) {
    struct kv_env_options env_options = {.reserve_bytes = meta_reserve(options->reserve_bytes)};
    struct kv_log *log = calloc(1, sizeof *log);
    if (!log)
        return STATUS_NO_MEMORY;
    (void)pthread_mutex_init(&log->mutex, NULL); /* cannot fail */
    log->reserve_bytes = options->reserve_bytes;
    enum status status = kv__directory_join(directory, "log", log->folder);
    if (status == STATUS_OK)
        status = kv__env_open(directory, "log", &env_options, &log->env);
    if (status == STATUS_OK)
        *ret_log = log;
    else
        kv_log_close(log);
    return status;
}

enum status kv_log_open(struct kv_directory *directory, const struct kv_log_options *options,
                        struct kv_log **ret_log, struct kv_log_summary *ret_summary) {
    struct kv_log_summary summary = {0};
    struct kv_log *log = NULL;
    enum status status = kv__aside_check(directory);
    if (status == STATUS_OK &&
        !exists(directory, "log/data.mdb")) /* what is refused is not made first */
        status = check_absence(directory);
    if (status == STATUS_OK)
        status = make_log(directory, options, &log);
    if (status != STATUS_OK)
        return status;
    status = open_log(log, directory, options, &summary);
    if (status == STATUS_OK || status == STATUS_INVALID)
        *ret_summary = summary;
    if (status == STATUS_OK) {
        *ret_log = log;
        return STATUS_OK;
    }
    if (*kv_directory_problem(directory) == '\0')
        (void)kv__directory_problem(directory, status, "log: %s", status_text(status));
    kv_log_close(log);
    return status;
}

void kv_log_close(struct kv_log *log) {
    if (!log)
        return;
    kv__log_segments_close(log);
    kv__log_index_close(&log->index);
    kv__env_close(log->env);
    (void)pthread_mutex_destroy(&log->mutex);
    free(log->frame);
    free(log);
}
