/* Calls as a foreign client makes them: any path, any bytes, nothing checked. */
#ifndef PHALANX_TEST_RAW_CALL_H
#define PHALANX_TEST_RAW_CALL_H

#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* One connection. */
struct raw_client;
struct raw_client *raw_client_new(int port);
void raw_client_free(struct raw_client *client);

struct raw_outcome {
    int code; /* gRPC's */
    char detail[160];
    char leader[64];     /* trailing metadata */
    bool is_not_applied; /* likewise */
    bool has_body;
    uint8_t body[4096]; /* the first message, cut to fit */
    size_t body_len;    /* of the whole message */
};

/* A unary call; `body.data` NULL: no message at all. */
void raw_call(struct raw_client *client, const char *path, struct bytes body,
              struct raw_outcome *ret_outcome);

/* The same in two steps. */
struct raw_call;
struct raw_call *raw_call_start(struct raw_client *client, const char *path, struct bytes body,
                                uint64_t timeout_ms);
void raw_call_cancel(struct raw_call *call);
void raw_call_finish(struct raw_call *call, struct raw_outcome *ret_outcome);

/* A stream. The caller reads message by message, and may write as well. */
struct raw_stream;
struct raw_stream *raw_stream_open(struct raw_client *client, const char *path);
void raw_stream_write(struct raw_stream *stream, struct bytes body);
void raw_stream_close_writes(struct raw_stream *stream);
/* False: there are no more. Bytes beyond `size` are dropped. */
bool raw_stream_read(struct raw_stream *stream, void *data, size_t size, size_t *ret_len);
void raw_stream_cancel(struct raw_stream *stream);
/* Waits for the status. */
void raw_stream_finish(struct raw_stream *stream, struct raw_outcome *ret_outcome);

#endif
