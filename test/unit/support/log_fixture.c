#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum status fixture_try_open(struct log_fixture *f, const struct temporary *t) {
    if (!f->options.default_name)
        f->options.default_name = "host";
    enum status status = kv_directory_open(temporary_path(t, "data"), &f->directory);
    assert_int_equal(status, STATUS_OK);
    return kv_log_open(f->directory, &f->options, &f->log, &f->summary);
}

void fixture_open(struct log_fixture *f, const struct temporary *t) {
    assert_int_equal(fixture_try_open(f, t), STATUS_OK);
}

void fixture_close(struct log_fixture *f) {
    kv_log_close(f->log);
    kv_directory_close(f->directory);
    f->log = NULL;
    f->directory = NULL;
}

void fixture_reopen(struct log_fixture *f, const struct temporary *t) {
    fixture_close(f);
    fixture_open(f, t);
}

struct raft_entry fixture_entry(raft_index index, raft_term term, const char *payload) {
    return (struct raft_entry){.index = index,
                               .term = term,
                               .type = RAFT_ENTRY_COMMAND,
                               .payload = bytes_of_text(payload)};
}

enum status fixture_write(struct log_fixture *f, const struct kv_log_batch *batch) {
    return kv_log_write(f->log, &batch, 1);
}

static void payload_of(raft_index index, raft_term term, char text[64]) {
    (void)snprintf(text, 64, "payload-%llu-%llu.", (unsigned long long)index,
                   (unsigned long long)term);
}

void fixture_append(struct log_fixture *f, raft_index first, raft_index last, raft_term term) {
    struct raft_hard_state hard = {.term = term};
    for (raft_index i = first; i <= last; i++) {
        char payload[64];
        payload_of(i, term, payload);
        struct raft_entry entry = fixture_entry(i, term, payload);
        struct kv_log_batch batch = {.hard = &hard, .entries = &entry, .entry_count = 1};
        assert_int_equal(fixture_write(f, &batch), STATUS_OK);
    }
}

struct raft_configuration fixture_voters(size_t voters, raft_index index) {
    struct raft_configuration configuration = {.index = index, .count = voters};
    for (size_t i = 0; i < voters; i++) {
        configuration.members[i].id = i + 1;
        configuration.members[i].rights = RAFT_VOTER_NEW;
    }
    return configuration;
}

void fixture_configure(struct log_fixture *f, raft_index index, raft_term term, size_t voters) {
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    struct raft_configuration configuration = fixture_voters(voters, index);
    struct raft_hard_state hard = {.term = term};
    size_t len = raft_configuration_encode(&configuration, payload, sizeof payload);
    struct raft_entry entry = {.index = index,
                               .term = term,
                               .type = RAFT_ENTRY_CONFIGURATION,
                               .payload = bytes_of(payload, len)};
    struct kv_log_batch batch = {.hard = &hard, .entries = &entry, .entry_count = 1};
    assert_int_equal(fixture_write(f, &batch), STATUS_OK);
}

static enum status see(void *context, const struct raft_entry *entry) {
    struct seen *seen = context;
    char payload[64];
    payload_of(entry->index, entry->term, payload);
    assert_int_equal(entry->index, seen->next);
    assert_true(bytes_equal(entry->payload, bytes_of_text(payload)));
    seen->next++;
    seen->last_term = entry->term;
    seen->count++;
    return STATUS_OK;
}

enum status fixture_read(struct log_fixture *f, raft_index first, raft_index last,
                         struct seen *ret_seen) {
    *ret_seen = (struct seen){.next = first};
    return kv_log_read(f->log, first, last, see, ret_seen);
}
