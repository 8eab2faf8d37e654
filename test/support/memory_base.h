/* The state store, in memory: an ordered map that takes flushes and is seen as of its last renewal,
 * like a read transaction. For tests and the simulator; any failed allocation ends the process.
 *
 * What the disk has and what the machine sees are two things here as well: a flush is durable at
 * once, and survives memory_base_reopen(), but is seen only after the machine renews. */
#ifndef PHALANX_TEST_MEMORY_BASE_H
#define PHALANX_TEST_MEMORY_BASE_H

#include "kv/kv.h"

struct memory_base;

struct memory_base *memory_base_new(void);
void memory_base_free(struct memory_base *base);

/* Another one with what is on the disk of this one. */
struct memory_base *memory_base_copy(const struct memory_base *base);

/* For kv_machine_config; valid until memory_base_free(). What it returns stays where it is until
 * the next renewal, and no longer: the address sanitizer sees who keeps it. */
struct kv_base memory_base_view(struct memory_base *base);

/* Make a flush durable: all of it or, when this is never called, nothing. */
void memory_base_flush(struct memory_base *base, const struct kv_flush *flush);

/* What a start finds: everything that was flushed is seen. Returns the newest flush's meta, zeros
 * before the first. */
struct kv_meta memory_base_reopen(struct memory_base *base);

/* Write one sealed record, or delete one with `record.data == NULL`, as a flush would. */
void memory_base_write(struct memory_base *base, struct bytes key, struct bytes record);

/* Flip one bit of a record that is seen; whether no record is damaged. */
void memory_base_damage(struct memory_base *base, struct bytes key);
bool memory_base_is_sound(const struct memory_base *base);

/* What every call through the view returns from now on, instead of its answer; STATUS_OK: no more
 * of that. */
void memory_base_fail(struct memory_base *base, enum status status);

uint64_t memory_base_count(const struct memory_base *base); /* records on the disk */

#endif
