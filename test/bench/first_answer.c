/* When does a server that is being started answer? Runs before the server does, so that its own
 * start costs nothing; asks for a connection every millisecond, then puts or gets one key. Prints
 * the answer's time on CLOCK_MONOTONIC, in nanoseconds.
 *
 *   first_answer put|get HOST PORT phalanx|etcd */
#include "rpc/rpc.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000
#define TRY_PAUSE_MS 5

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool is_open(const struct sockaddr_in *to) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    bool is_connected = connect(fd, (const struct sockaddr *)to, sizeof *to) == 0;
    close(fd);
    return is_connected;
}

static bool wait_for_port(const char *host, uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    CHECK(inet_pton(AF_INET, host, &to.sin_addr) == 1);
    for (int ms = 0; ms < WAIT_MS; ms++) {
        if (is_open(&to))
            return true;
        pause_ms(1);
    }
    return false;
}

struct method {
    const char *target;
    const char *operation;
    const char *name;
};

static const struct method methods[] = {
    {"phalanx", "put", "/phalanx.v1.KVService/Put"},
    {"phalanx", "get", "/phalanx.v1.KVService/Get"},
    {"etcd", "put", "/etcdserverpb.KV/Put"},
    {"etcd", "get", "/etcdserverpb.KV/Range"},
};

static const char *find_method(const char *target, const char *operation) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].target, target) == 0 && strcmp(methods[i].operation, operation) == 0)
            return methods[i].name;
    return NULL;
}

/* A message with field 1, the key, and nothing else: all four methods take it. */
static enum rpc_code ask(struct rpc_queue *queue, struct rpc_client *client, const char *method) {
    struct rpc_completion completion;
    struct bytes request = bytes_of_text("\n\x10key-000000000000");
    CHECK(rpc_client_start_method(client, method, request, WAIT_MS, NULL) == STATUS_OK);
    while (rpc_queue_next(queue, WAIT_MS, &completion) != STATUS_OK)
        continue;
    return completion.outcome.code;
}

/* A server that waits for its leader says so itself, or makes the caller wait; both count. */
static bool ask_until_answered(const char *address, const char *method) {
    struct rpc_queue *queue;
    struct rpc_client *client;
    bool is_answered = false;
    CHECK(rpc_queue_new(&queue) == STATUS_OK);
    CHECK(rpc_client_new_on(queue, address, &client) == STATUS_OK);
    for (int tries = 0; tries < WAIT_MS / TRY_PAUSE_MS && !is_answered; tries++) {
        if (tries > 0)
            pause_ms(TRY_PAUSE_MS);
        is_answered = ask(queue, client, method) == RPC_OK;
    }
    rpc_client_free(client);
    rpc_queue_free(queue);
    return is_answered;
}

int main(int argc, char **argv) {
    const char *method = argc == 5 ? find_method(argv[4], argv[1]) : NULL;
    if (method == NULL) {
        fprintf(stderr, "usage: first_answer put|get HOST PORT phalanx|etcd\n");
        return 2;
    }
    char address[ADDRESS_BYTES_MAX];
    snprintf(address, sizeof address, "%s:%s", argv[2], argv[3]);
    rpc_init();
    bool is_answered = wait_for_port(argv[2], (uint16_t)strtoul(argv[3], NULL, 10)) &&
                       ask_until_answered(address, method);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    rpc_shutdown();
    printf("%" PRIu64 "\n", (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    return is_answered ? 0 : 1;
}
