/* When does a server that is being started answer? Runs before the server does, so that its own
 * start costs nothing; asks for a connection every millisecond, then puts or gets one key. Prints
 * the answer's time on CLOCK_MONOTONIC, in nanoseconds.
 *
 *   first_answer put|get HOST PORT */
#include "rpc/rpc.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 60000

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
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

/* The server says itself when it has no leader yet, and waits for one meanwhile. */
static bool ask(struct rpc_client *client, const char *operation) {
    struct kv_request request = {
        .operation = strcmp(operation, "put") == 0 ? KV_PUT : KV_GET,
        .key = bytes_of_text("key-000000000000"),
    };
    struct kv_response response;
    struct rpc_outcome outcome;
    rpc_client_kv(client, &request, WAIT_MS, &response, &outcome);
    if (outcome.code != RPC_OK)
        fprintf(stderr, "first_answer: %s\n", outcome.detail);
    return outcome.code == RPC_OK;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: first_answer put|get HOST PORT\n");
        return 2;
    }
    char address[ADDRESS_BYTES_MAX];
    struct rpc_client *client;
    snprintf(address, sizeof address, "%s:%s", argv[2], argv[3]);
    rpc_init();
    CHECK(rpc_client_new(address, &client) == STATUS_OK);
    bool is_answered =
        wait_for_port(argv[2], (uint16_t)strtoul(argv[3], NULL, 10)) && ask(client, argv[1]);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    rpc_client_free(client);
    rpc_shutdown();
    printf("%" PRIu64 "\n", (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    return is_answered ? 0 : 1;
}
