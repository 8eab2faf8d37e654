/* A directory with its log, and a few verbs. */
#ifndef PHALANX_TEST_LOG_FIXTURE_H
#define PHALANX_TEST_LOG_FIXTURE_H

#include "kv/stores.h"
#include "support/temporary.h"

struct log_fixture {
    struct kv_directory *directory;
    struct kv_log *log;
    struct kv_log_summary summary;
    struct kv_log_options options;
};

/* The log in `<folder>/data`; afterwards the directory is open, whatever the status. */
enum status fixture_try_open(struct log_fixture *f, const struct temporary *t);
void fixture_open(struct log_fixture *f, const struct temporary *t);
void fixture_close(struct log_fixture *f);
void fixture_reopen(struct log_fixture *f, const struct temporary *t);

struct raft_entry fixture_entry(raft_index index, raft_term term, const char *payload);
enum status fixture_write(struct log_fixture *f, const struct kv_log_batch *batch);

/* Entries first..last of one term, a batch each, with a payload that tells both. */
void fixture_append(struct log_fixture *f, raft_index first, raft_index last, raft_term term);

/* Voters 1 .. `voters`, as of `index`; and an entry with them. */
struct raft_configuration fixture_voters(size_t voters, raft_index index);
void fixture_configure(struct log_fixture *f, raft_index index, raft_term term, size_t voters);

struct seen {
    raft_index next;
    raft_term last_term;
    size_t count;
};

/* Reads entries that fixture_append() wrote. */
enum status fixture_read(struct log_fixture *f, raft_index first, raft_index last,
                         struct seen *ret_seen);

#endif
