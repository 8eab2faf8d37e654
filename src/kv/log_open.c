#include "kv/stores.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

/* Entries checked at each end when the log is opened: what was written last is what a crash may
 * have hit. */
#define ENTRIES_CHECKED 16

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

/* ---- Checking ------------------------------------------------------------------------------ */

static enum status find_last(struct kv_reader *reader, const struct kv_cut_point *cut,
                             struct raft_entry *ret_last) {
    struct bytes key, record;
    raft_index index;
    *ret_last = (struct raft_entry){.index = cut->index, .term = cut->term};
    enum status status = kv__reader_last(reader, &key, &record);
    if (status == STATUS_OK && kv__log_number_of_key(key, KV_LOG_ENTRIES, &index))
        status = kv__log_entry_decode(key, record, ret_last);
    return status;
}

static enum status check_entries(struct kv_reader *reader, raft_index first, raft_index last,
                                 raft_index *ret_damaged) {
    for (raft_index i = first; i <= last; i++) {
        struct raft_entry entry;
        enum status status = kv__log_entry_get(reader, i, &entry);
        if (status != STATUS_OK) {
            *ret_damaged = i;
            return status == STATUS_NOT_FOUND ? STATUS_CORRUPT : status;
        }
    }
    return STATUS_OK;
}

/* Both ends of what is kept. */
static enum status check_ends(struct kv_reader *reader, raft_index first, raft_index last,
                              raft_index *ret_damaged) {
    raft_index count = last - first + 1;
    raft_index some = count < ENTRIES_CHECKED ? count : ENTRIES_CHECKED;
    enum status status = check_entries(reader, first, first + some - 1, ret_damaged);
    if (status == STATUS_OK)
        status = check_entries(reader, last - some + 1, last, ret_damaged);
    return status;
}

/* The number of records tells whether one is missing in between. */
static enum status check_log(struct kv_directory *directory, struct kv_reader *reader,
                             const struct kv_log_head *head, const struct raft_entry *last) {
    raft_index first = head->cut.index + 1;
    raft_index damaged = 0;
    uint64_t others;
    enum status status = kv__log_count_others(reader, &others);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: %s", status_text(status));
    uint64_t entries = kv__reader_count(reader) - others;
    if (last->index + 1 < first || entries != last->index - head->cut.index)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "log: %" PRIu64 " entries are kept from %" PRIu64
                                     " to %" PRIu64,
                                     entries, first, last->index);
    if (head->hard.term < last->term)
        return kv__directory_problem(directory, STATUS_CORRUPT,
                                     "log: the term is %" PRIu64
                                     " and the last entry's is %" PRIu64,
                                     head->hard.term, last->term);
    status = check_ends(reader, first, last->index, &damaged);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: entry %" PRIu64 ": %s", damaged,
                                     status_text(status));
    return STATUS_OK;
}

static enum status load(struct kv_directory *directory, struct kv_reader *reader,
                        struct kv_log_head *ret_head, struct kv_log_summary *ret_summary) {
    struct kv_log_configurations configurations;
    struct raft_entry last = {0};
    enum status status = kv__log_head_read(reader, ret_head);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: its identity, vote or cut point: %s",
                                     status_text(status));
    status = find_last(reader, &ret_head->cut, &last);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: its last entry: %s",
                                     status_text(status));
    status = check_log(directory, reader, ret_head, &last);
    if (status != STATUS_OK)
        return status;
    ret_summary->last_index = last.index;
    ret_summary->last_term = last.term;
    status = kv__log_configurations(reader, &ret_head->cut, last.index, &configurations);
    if (status != STATUS_OK)
        return kv__directory_problem(directory, status, "log: its newest configurations: %s",
                                     status_text(status));
    ret_summary->configuration = configurations.newest;
    ret_summary->configuration_before = configurations.before;
    ret_summary->configuration_term = configurations.newest_term;
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

static enum status examine(struct kv_directory *directory, struct kv_env *env,
                           const struct kv_log_options *options, struct kv_log_head *ret_head,
                           struct kv_log_summary *ret_summary) {
    struct kv_reader reader;
    enum status status = kv__reader_open(env, &reader);
    if (status != STATUS_OK)
        return status;
    ret_summary->is_new = kv__reader_count(&reader) == 0;
    if (ret_summary->is_new) {
        status = check_absence(directory);
        if (status == STATUS_OK)
            status = new_identity(options, &ret_head->identity);
    } else {
        status = load(directory, &reader, ret_head, ret_summary);
    }
    kv__reader_close(&reader);
    ret_summary->identity = ret_head->identity;
    return status;
}

/* A cluster of one: itself. */
static void found_alone(struct kv_log_head *head, struct kv_log_summary *summary) {
    struct raft_configuration *configuration = &summary->configuration;
    *configuration = kv__sole_voter(&head->identity, 1);
    head->hard = (struct raft_hard_state){.term = 1};
    summary->configuration_term = 1;
    summary->last_index = 1;
    summary->last_term = 1;
}

static enum status put_founding(struct kv_writer *writer,
                                const struct raft_configuration *configuration) {
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    size_t len = raft_configuration_encode(configuration, payload, sizeof payload);
    struct raft_entry entry = kv__log_founding(bytes_of(payload, len));
    return kv__log_append(writer, &entry);
}

/* What a start stores, in one transaction. */
static enum status write_start(struct kv_env *env, const struct kv_log_head *head,
                               const struct raft_configuration *founding) {
    struct kv_demand demand = {.single_pages = 8};
    struct kv_writer writer;
    enum status status = kv__writer_begin(env, &demand, true, &writer);
    if (status != STATUS_OK)
        return status;
    status = kv__log_head_put(&writer, head);
    if (status == STATUS_OK)
        status = kv__log_start_put(&writer, &head->identity);
    if (status == STATUS_OK && founding)
        status = put_founding(&writer, founding);
    return kv__writer_end(&writer, status);
}

static enum status open_env(struct kv_directory *directory, struct kv_env *env,
                            const struct kv_log_options *options,
                            struct kv_log_summary *ret_summary) {
    struct kv_log_head head = {0};
    enum status status = examine(directory, env, options, &head, ret_summary);
    if (status == STATUS_OK)
        status = settle_name(directory, options, &head.identity);
    if (status == STATUS_OK)
        status = start(&head.identity);
    if (status != STATUS_OK)
        return status;
    bool is_founding = ret_summary->is_new && options->is_sole_voter;
    if (is_founding)
        found_alone(&head, ret_summary);
    status = write_start(env, &head, is_founding ? &ret_summary->configuration : NULL);
    ret_summary->identity = head.identity;
    ret_summary->hard = head.hard;
    ret_summary->cut_term = head.cut.term;
    ret_summary->first_index = head.cut.index + 1;
    ret_summary->state_generation = head.state_generation;
    return status;
}

static enum status make_log(struct kv_env *env, const struct kv_log_summary *summary,
                            struct kv_log **ret_log) {
    struct kv_log *log = calloc(1, sizeof *log);
    if (!log)
        return STATUS_NO_MEMORY;
    *log = (struct kv_log){.env = env, .first = summary->first_index, .last = summary->last_index};
    *ret_log = log;
    return STATUS_OK;
}

enum status kv_log_open(struct kv_directory *directory, const struct kv_log_options *options,
                        struct kv_log **ret_log, struct kv_log_summary *ret_summary) {
    struct kv_env_options env_options = {.reserve_bytes = options->reserve_bytes};
    struct kv_log_summary summary = {0};
    struct kv_env *env;
    enum status status = kv__aside_check(directory);
    if (status == STATUS_OK &&
        !exists(directory, "log/data.mdb")) /* what is refused is not made first */
        status = check_absence(directory);
    if (status == STATUS_OK)
        status = kv__env_open(directory, "log", &env_options, &env);
    if (status != STATUS_OK)
        return status;
    status = open_env(directory, env, options, &summary);
    if (status == STATUS_OK)
        status = make_log(env, &summary, ret_log);
    if (status == STATUS_OK || status == STATUS_INVALID)
        *ret_summary = summary;
    if (status != STATUS_OK) {
        if (*kv_directory_problem(directory) == '\0')
            (void)kv__directory_problem(directory, status, "log: %s", status_text(status));
        kv__env_close(env);
    }
    return status;
}

void kv_log_close(struct kv_log *log) {
    if (!log)
        return;
    kv__env_close(log->env);
    free(log);
}
