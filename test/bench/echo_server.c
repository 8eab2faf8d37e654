/* The limit: what the gRPC C core can do when a server does nothing. One completion queue, one
 * thread; Put answers nothing, Get gives back what it got, each in one batch.
 *
 *   echo_server 127.0.0.1:9000
 *
 * The figures of the real server are read against this one's, on the same machine. */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Calls awaited at a time, of each method. */
#define ARMED 128

struct method {
    const char *path;
    bool is_echo;
    void *registered;
};

static struct method methods[] = {
    {.path = "/phalanx.v1.KVService/Get", .is_echo = true},
    {.path = "/phalanx.v1.KVService/Put", .is_echo = false},
};

struct call {
    const struct method *method;
    bool is_answered;
    grpc_call *grpc;
    gpr_timespec deadline;
    grpc_metadata_array metadata;
    grpc_byte_buffer *body;
    int cancelled;
};

static grpc_server *server;
static grpc_completion_queue *queue;

static void arm(struct call *call) {
    call->is_answered = false;
    call->body = NULL;
    grpc_metadata_array_init(&call->metadata);
    grpc_call_error error =
        grpc_server_request_registered_call(server, call->method->registered, &call->grpc,
                                            &call->deadline, &call->metadata, &call->body, queue,
                                            queue, call);
    if (error != GRPC_CALL_OK)
        abort();
}

static void answer(struct call *call) {
    grpc_byte_buffer *reply = call->method->is_echo && call->body != NULL
                                  ? grpc_byte_buffer_copy(call->body)
                                  : grpc_raw_byte_buffer_create(NULL, 0);
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = reply},
        {.op = GRPC_OP_SEND_STATUS_FROM_SERVER},
        {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
         .data.recv_close_on_server.cancelled = &call->cancelled},
    };
    call->is_answered = true;
    if (grpc_call_start_batch(call->grpc, ops, sizeof ops / sizeof ops[0], call, NULL) !=
        GRPC_CALL_OK)
        abort();
    grpc_byte_buffer_destroy(reply);
}

static void finish(struct call *call) {
    grpc_call_unref(call->grpc);
    grpc_metadata_array_destroy(&call->metadata);
    grpc_byte_buffer_destroy(call->body);
    arm(call);
}

static void start(const char *address) {
    grpc_init();
    server = grpc_server_create(NULL, NULL);
    queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queue, NULL);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        methods[i].registered =
            grpc_server_register_method(server, methods[i].path, NULL,
                                        GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    grpc_server_credentials *plain = grpc_insecure_server_credentials_create();
    if (grpc_server_add_http2_port(server, address, plain) == 0) {
        fprintf(stderr, "echo_server: cannot serve on %s\n", address);
        exit(1);
    }
    grpc_server_credentials_release(plain);
    grpc_server_start(server);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: echo_server host:port\n");
        return 2;
    }
    start(argv[1]);
    static struct call calls[2 * ARMED];
    for (size_t i = 0; i < 2 * ARMED; i++) {
        calls[i].method = &methods[i % 2];
        arm(&calls[i]);
    }
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        struct call *call = event.tag;
        if (call->is_answered)
            finish(call);
        else
            answer(call);
    }
}
