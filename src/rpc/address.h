/* Whether an address can be served on. Private to the room. */
#ifndef PHALANX_RPC_ADDRESS_H
#define PHALANX_RPC_ADDRESS_H

#include "check.h"
#include "status.h"

/* gRPC says only that binding failed, is content with half of the addresses that a name has, and
 * complains on stderr; so ask the kernel first.
 *
 * STATUS_BUSY     the port is taken.
 * STATUS_INVALID  not host:port, or not an address of this host, or not allowed. */
MUST_USE enum status rpc__address_probe(const char *address);

#endif
