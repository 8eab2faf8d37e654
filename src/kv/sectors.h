/* Sectors: what a disk writes whole or not at all. */
#ifndef PHALANX_KV_SECTORS_H
#define PHALANX_KV_SECTORS_H

#include "bytes.h"

bool kv__is_zero(struct bytes bytes);

/* In how many sectors of the file the part of `bytes`, which lie at `offset` in it, is all zero. */
uint32_t kv__zero_sectors(uint64_t offset, struct bytes bytes);

#endif
