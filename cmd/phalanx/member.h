/* How users name nodes. */
#ifndef PHALANX_CLI_MEMBER_H
#define PHALANX_CLI_MEMBER_H

#include "check.h"
#include "rpc/rpc.h"

/* A word that names a node: NODE_ID, or its identity as id:HEX, up to 16 digits. No NODE_ID has a
 * colon. False: it is neither. */
MUST_USE bool cli_member_read(const char *word, struct rpc_member_name *ret_name);

#endif
