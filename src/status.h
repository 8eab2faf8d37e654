/* What can go wrong in the world, under one name each, the same in every room. */
#ifndef PHALANX_STATUS_H
#define PHALANX_STATUS_H

#include <stdbool.h>

enum status {
    STATUS_OK,
    STATUS_INVALID,      /* the argument is not allowed */
    STATUS_NOT_FOUND,    /* no such thing */
    STATUS_PRECONDITION, /* compare-and-set did not match */
    STATUS_OVERLOAD,     /* a buffer is full; nothing changed */
    STATUS_DISK_FULL,    /* no room on the device; nothing changed */
    STATUS_CORRUPT,      /* a checksum or a format is wrong */
    STATUS_IO,           /* a read, write or sync failed */
    STATUS_NO_MEMORY,    /* an allocation failed; nothing changed */
    STATUS_STALE,        /* from an older term, batch or generation; ignored */
    STATUS_NOT_LEADER,   /* only a leader can; nothing changed */
    STATUS_ABORTED,      /* the fate is open, or a session cannot tell */
    STATUS_TIMEOUT,      /* the deadline passed; the fate is open */
    STATUS_UNAVAILABLE,  /* nobody can at the moment */
    STATUS_BUSY,         /* another process holds it */
    STATUS_UNSUPPORTED,  /* a version or a method that we do not know */
    STATUS_COUNT,
};

/* A short identifier for logs, such as "disk_full". */
const char *status_name(enum status status);

/* A sentence for people, without a full stop. */
const char *status_text(enum status status);

/* Whether the same request may succeed later without anything else being changed. */
bool status_is_retryable(enum status status);

#endif
