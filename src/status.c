#include "status.h"

#include "check.h"

struct status_row {
    const char *name;
    const char *text;
    bool is_retryable;
};

static const struct status_row rows[STATUS_COUNT] = {
    [STATUS_OK] = {"ok", "it worked", false},
    [STATUS_INVALID] = {"invalid", "the argument is not allowed", false},
    [STATUS_NOT_FOUND] = {"not_found", "there is no such thing", false},
    [STATUS_PRECONDITION] = {"precondition", "the revision did not match", false},
    [STATUS_OVERLOAD] = {"overload", "too much is waiting already", true},
    [STATUS_DISK_FULL] = {"disk_full", "the disk is full", true},
    [STATUS_CORRUPT] = {"corrupt", "stored data is damaged", false},
    [STATUS_IO] = {"io", "the device failed to read or write", false},
    [STATUS_NO_MEMORY] = {"no_memory", "no memory left", true},
    [STATUS_STALE] = {"stale", "it belongs to the past", false},
    [STATUS_NOT_LEADER] = {"not_leader", "this node is not the leader", true},
    [STATUS_ABORTED] = {"aborted", "whether it took effect cannot be told", false},
    [STATUS_TIMEOUT] = {"timeout", "the deadline passed before the answer was known", true},
    [STATUS_UNAVAILABLE] = {"unavailable", "there is no leader at the moment", true},
    [STATUS_BUSY] = {"busy", "another process holds it", true},
    [STATUS_UNSUPPORTED] = {"unsupported", "this version does not know it", false},
};

static const struct status_row *row_of(enum status status) {
    CHECK((int)status >= 0 && status < STATUS_COUNT);
    return &rows[status];
}

const char *status_name(enum status status) {
    return row_of(status)->name;
}

const char *status_text(enum status status) {
    return row_of(status)->text;
}

bool status_is_retryable(enum status status) {
    return row_of(status)->is_retryable;
}
