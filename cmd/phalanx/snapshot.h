/* What the snapshot commands share. */
#ifndef PHALANX_CLI_SNAPSHOT_H
#define PHALANX_CLI_SNAPSHOT_H

#include "kv/kv.h"
#include "phalanx/flags.h"

/* What a snapshot says of itself, on stdout. */
void cli_snapshot_print(const struct cli_flags *flags, const char *path,
                        const struct kv_snapshot_info *info);

#endif
