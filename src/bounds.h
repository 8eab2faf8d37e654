/* Everything has a maximum: here they are, with unit and reason. */
#ifndef PHALANX_BOUNDS_H
#define PHALANX_BOUNDS_H

#include <stddef.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

/* A client's key. LMDB takes 511 bytes; we put one byte of table before it and keep the rest for
 * formats to come. */
#define KEY_BYTES_MAX ((size_t)480)

/* A client's value: large enough for documents, small enough for a log entry. */
#define VALUE_BYTES_MAX (1 * MIB)

/* One log entry's payload: a value, its key, and what a command says about them. */
#define ENTRY_BYTES_MAX (VALUE_BYTES_MAX + 4 * KIB)

/* What one scan answers, keys and values together; gRPC clients refuse 4 MiB by default. */
#define SCAN_BYTES_MAX (1 * MIB)
#define SCAN_ITEMS_MAX ((size_t)16384)

/* A gRPC message that a client may send. Far more than a value with its wrapping, so that one that
 * is too large is told the field and the limit, by us. */
#define MESSAGE_BYTES_MAX (4 * MIB)

/* A log transaction: large enough to be worth its sync, small enough not to hold the next one. Its
 * bytes are bounded by UNAPPLIED_BYTES_MAX. */
#define BATCH_ENTRIES_MAX ((size_t)4096)

/* Batches handed to the log writer and not yet answered; further entries wait in the engine. */
#define BATCHES_IN_FLIGHT_MAX ((size_t)4)

/* Proposed and not yet applied, in bytes of payload; past it, clients hear RESOURCE_EXHAUSTED. */
#define UNAPPLIED_BYTES_MAX (64 * MIB)
#define UNAPPLIED_ENTRIES_MAX ((size_t)65536)

/* Entries applied in one turn, so that a replay never holds up the loop for long. */
#define APPLY_ENTRIES_PER_TURN ((size_t)4096)

/* Requests inside the server at one time; the next one is refused at the door. */
#define REQUESTS_MAX ((size_t)16384)

/* Bodies of answers that wait for their callers to take them, in all; past it reads with large
 * answers hear RESOURCE_EXHAUSTED. Small ones are always answered: REQUESTS_MAX bounds them. */
#define REPLY_BYTES_MAX (128 * MIB)
#define REPLY_SMALL_BYTES_MAX (4 * KIB)

/* A request waits no longer than this, whatever its deadline says, milliseconds. */
#define REQUEST_WAIT_MS_MAX 5000

/* Sessions: answers kept per client, clients kept, and how long unused (logged time). */
#define SESSION_WINDOW 256
#define SESSIONS_MAX ((size_t)65536)
#define SESSION_IDLE_MS_MAX ((size_t)3600 * 1000)

/* Starts of this node whose random numbers are kept, for peers that remember an old one. */
#define STARTS_KEPT ((size_t)4096)

/* NODE_ID, region, and host:port texts, with their final zero. */
#define NAME_BYTES_MAX ((size_t)64)
#define ADDRESS_BYTES_MAX ((size_t)256)

/* Members of one configuration, learners included. */
#define MEMBERS_MAX ((size_t)16)

_Static_assert(ENTRY_BYTES_MAX >= VALUE_BYTES_MAX + KEY_BYTES_MAX + 256, "a put fits an entry");
_Static_assert(UNAPPLIED_BYTES_MAX >= 8 * ENTRY_BYTES_MAX, "large entries still make batches");
_Static_assert(UNAPPLIED_BYTES_MAX / 4096 < 131071 / 2, "a batch stays below LMDB's spill");
_Static_assert(REPLY_BYTES_MAX >= 16 * SCAN_BYTES_MAX, "some large answers fit");
_Static_assert(MESSAGE_BYTES_MAX >= ENTRY_BYTES_MAX, "what fits an entry fits a message");

#endif
