/* Who this process is to others, and whom it believes. Private to the room. */
#ifndef PHALANX_RPC_CREDENTIALS_H
#define PHALANX_RPC_CREDENTIALS_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdbool.h>

/* For one channel or server; the caller's to release. In the clear without rpc_use_tls(). */
grpc_channel_credentials *rpc__channel_credentials_new(void);
grpc_server_credentials *rpc__server_credentials_new(void);

/* The name that every server's certificate carries; NULL: that of the host dialled. */
const char *rpc__credentials_server_name(void);

/* Whether the other side, caller or called, may speak as a node: its certificate carries that name,
 * where there is one. The core would also take a wildcard's server for it, or a subject's. */
bool rpc__credentials_is_node(grpc_call *call);

/* Before the library is shut down. */
void rpc__credentials_close(void);

#endif
