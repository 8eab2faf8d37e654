/* What the files of the client half share. */
#ifndef PHALANX_RPC_CLIENT_H
#define PHALANX_RPC_CLIENT_H

#include "rpc/codec_client.h"
#include "rpc/rpc.h"

#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

/* One call. The core writes what is received in here until its completion comes out of the queue;
 * afterwards it is kept for the next call. */
struct rpc__attempt {
    LIST_ENTRY(rpc__attempt) link; /* of the client while under way, else of the idle ones */
    struct rpc_client *client;
    void *tag;
    atomic_bool is_handed_over; /* to the core, until it comes out; for the race detector to see */
    grpc_call *call;
    grpc_metadata_array initial;
    grpc_metadata_array trailing;
    grpc_byte_buffer *answer; /* NULL: none came */
    grpc_slice joined;        /* the answer, when it came in several pieces */
    grpc_status_code code;
    grpc_slice detail;
};

LIST_HEAD(rpc__attempts, rpc__attempt);

struct rpc_queue {
    grpc_completion_queue *completions;
    struct rpc__memory *memory;    /* of the newest decoded answer */
    struct rpc__attempt *finished; /* the newest completion borrows from it; or NULL */
    pthread_mutex_t lock;          /* over `idle`, and the clients' `underway` */
    struct rpc__attempts idle;
    size_t client_count;
};

struct rpc_client {
    struct rpc_queue *queue;
    bool owns_queue; /* for blocking calls */
    grpc_channel *channel;
    struct rpc__attempts underway;
};

gpr_timespec rpc__deadline_after(uint64_t timeout_ms);

/* Request metadata of what another node hands on. */
#define RPC__FORWARDED "phalanx-forwarded"

/* Takes `body`. STATUS_NO_MEMORY: no completion follows. */
MUST_USE enum status rpc__client_start(struct rpc_client *client, const char *method,
                                       grpc_slice body, uint64_t timeout_ms, bool is_forwarded,
                                       void *tag);

/* Nothing is under way on it. */
void rpc__completions_close(grpc_completion_queue *completions);

/* What became of a call, from what the core received at its end. */
void rpc__outcome_fill(grpc_status_code code, grpc_slice detail,
                       const grpc_metadata_array *trailing, struct rpc_outcome *ret_outcome);

/* An outcome of our own making. */
void rpc__outcome_set(struct rpc_outcome *ret_outcome, enum rpc_code code, bool is_not_applied,
                      const char *detail);

/* Wait until there is a connection; for clients with their own queue, between calls. False: there
 * is none, nothing was sent, and the outcome says why. */
bool rpc__client_connect(struct rpc_client *client, gpr_timespec deadline,
                         struct rpc_outcome *ret_outcome);

/* A received message as one run of bytes, borrowed from the buffer, or from `joined` when it came
 * in several pieces. `joined` is unreferenced by the caller, whatever it held before is lost. */
struct bytes rpc__buffer_bytes(grpc_byte_buffer *buffer, grpc_slice *joined);

#endif
