/* Connections that this process makes. Private to the room. */
#ifndef PHALANX_RPC_CHANNEL_H
#define PHALANX_RPC_CHANNEL_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc__channel_config {
    /* A connection that was silent this long is asked whether it is there, and has so long to say
     * so. */
    uint64_t keepalive_ms;
    uint64_t keepalive_timeout_ms;
    size_t receive_bytes_max; /* one message */
};

/* host:port or [IPv6]:port. */
bool rpc__address_is_valid(const char *address);

/* One TCP connection of its own to a valid address. Connects when first used, and after a failure
 * again within 0.5 s. Never fails. */
grpc_channel *rpc__channel_new(const char *address, const struct rpc__channel_config *config);

#endif
