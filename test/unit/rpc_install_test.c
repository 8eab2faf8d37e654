/* Snapshots from one node to another, over this host's loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/rpc.h"
#include "rpc/server.h"
#include "support/listener.h"
#include "support/raw_call.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INSTALL "/phalanx.v1.RaftService/InstallSnapshot"
#define PATIENCE_MS 120000

/* ---- The receiver -------------------------------------------------------------------------- */

enum habit {
    READS_ALL,
    REFUSES,          /* at once, on the server's thread */
    REFUSES_MIDWAY,   /* after the first piece */
    NEVER_READS,      /* until it is let go */
    EXPECTS_A_TIMEOUT /* before the first piece */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum habit habit;
    pthread_t threads[RPC__INSTALLS_MAX];
    size_t thread_count;
    bool is_let_go;
    struct rpc_install_head head;
    /* Of the last that ended: */
    size_t done_count;
    enum status status;
    uint64_t bytes;
    uint64_t hash;
} receiver = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint64_t hash_on(uint64_t hash, struct bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ bytes.data[i]) * 1099511628211u;
    return hash;
}

static enum habit habit(void) {
    pthread_mutex_lock(&receiver.lock);
    enum habit is = receiver.habit;
    pthread_mutex_unlock(&receiver.lock);
    return is;
}

static void wait_until_let_go(void) {
    pthread_mutex_lock(&receiver.lock);
    while (!receiver.is_let_go)
        pthread_cond_wait(&receiver.changed, &receiver.lock);
    pthread_mutex_unlock(&receiver.lock);
}

static enum status read_all(struct rpc_incoming *incoming, uint64_t *ret_bytes,
                            uint64_t *ret_hash) {
    struct bytes chunk;
    enum status status;
    while ((status = rpc_incoming_read(incoming, PATIENCE_MS, &chunk)) == STATUS_OK) {
        if (chunk.len == 0)
            return STATUS_OK;
        *ret_bytes += chunk.len;
        *ret_hash = hash_on(*ret_hash, chunk);
        if (habit() == REFUSES_MIDWAY)
            return STATUS_DISK_FULL;
    }
    return status;
}

static void *receive(void *argument) {
    struct rpc_incoming *incoming = argument;
    uint64_t bytes = 0;
    uint64_t hash = 0;
    struct bytes chunk;
    enum status status;
    if (habit() == NEVER_READS)
        wait_until_let_go();
    if (habit() == EXPECTS_A_TIMEOUT)
        status = rpc_incoming_read(incoming, 1, &chunk);
    else
        status = read_all(incoming, &bytes, &hash);
    rpc_incoming_finish(incoming, status, status == STATUS_DISK_FULL ? "no room here" : NULL, 42);
    pthread_mutex_lock(&receiver.lock);
    receiver.status = status;
    receiver.bytes = bytes;
    receiver.hash = hash;
    receiver.done_count++;
    pthread_cond_broadcast(&receiver.changed);
    pthread_mutex_unlock(&receiver.lock);
    return NULL;
}

static void on_install(void *context, struct rpc_incoming *incoming,
                       const struct rpc_install_head *head) {
    (void)context;
    if (habit() == REFUSES) {
        rpc_incoming_finish(incoming, STATUS_PRECONDITION, "another cluster", 0);
        return;
    }
    pthread_mutex_lock(&receiver.lock);
    receiver.head = *head;
    CHECK(receiver.thread_count < RPC__INSTALLS_MAX);
    CHECK(pthread_create(&receiver.threads[receiver.thread_count++], NULL, receive, incoming) == 0);
    pthread_cond_broadcast(&receiver.changed);
    pthread_mutex_unlock(&receiver.lock);
}

static void wait_for_done(size_t count) {
    pthread_mutex_lock(&receiver.lock);
    while (receiver.done_count < count)
        pthread_cond_wait(&receiver.changed, &receiver.lock);
    pthread_mutex_unlock(&receiver.lock);
}

static void wait_for_begun(size_t count) {
    pthread_mutex_lock(&receiver.lock);
    while (receiver.thread_count < count)
        pthread_cond_wait(&receiver.changed, &receiver.lock);
    pthread_mutex_unlock(&receiver.lock);
}

static void let_go(void) {
    pthread_mutex_lock(&receiver.lock);
    receiver.is_let_go = true;
    pthread_cond_broadcast(&receiver.changed);
    pthread_mutex_unlock(&receiver.lock);
}

/* ---- The fixture --------------------------------------------------------------------------- */

static struct rpc_server *server;
static char address[64];

static void start(enum habit is, bool has_peers) {
    receiver.habit = is;
    receiver.thread_count = 0;
    receiver.done_count = 0;
    receiver.is_let_go = false;
    struct rpc_server_config config = {
        .address = "127.0.0.1:0",
        .threads = 2,
        .handlers.on_install = has_peers ? on_install : NULL,
    };
    assert_int_equal(rpc_server_new(&config, &server), STATUS_OK);
    rpc_server_start(server);
    snprintf(address, sizeof address, "127.0.0.1:%d", rpc_server_port(server));
}

static void stop(void) {
    rpc_server_drain(server);
    let_go();
    for (size_t i = 0; i < receiver.thread_count; i++)
        assert_int_equal(pthread_join(receiver.threads[i], NULL), 0);
    rpc_server_free(server);
}

static struct rpc_upload *upload_new(uint64_t stall_ms, uint64_t bytes_per_second) {
    struct rpc_upload_config config = {
        .address = address,
        .head = {.cluster_id = 7, .from = 1, .to = 2, .term = 5, .index = 100, .index_term = 4},
        .stall_ms = stall_ms,
        .bytes_per_second = bytes_per_second,
    };
    struct rpc_upload *upload = NULL;
    assert_int_equal(rpc_upload_new(&config, &upload), STATUS_OK);
    return upload;
}

/* Pieces of odd sizes; stops when it is told to. */
static enum status write_all(struct rpc_upload *upload, uint64_t bytes, uint64_t *ret_hash) {
    static uint8_t data[300 * KIB];
    uint64_t written = 0;
    for (size_t round = 1; written < bytes; round++) {
        size_t len = (round * 7919) % sizeof data + 1;
        if (len > bytes - written)
            len = (size_t)(bytes - written);
        memset(data, (int)round, len);
        enum status status = rpc_upload_write(upload, bytes_of(data, len));
        if (status != STATUS_OK)
            return status;
        *ret_hash = hash_on(*ret_hash, bytes_of(data, len));
        written += len;
    }
    return STATUS_OK;
}

static struct rpc_outcome finish(struct rpc_upload *upload, bool is_whole, raft_index *ret_index) {
    struct rpc_outcome outcome;
    rpc_upload_finish(upload, is_whole, &outcome, ret_index);
    return outcome;
}

static int64_t ms_since(const struct timespec *before) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - before->tv_sec) * 1000 + (now.tv_nsec - before->tv_nsec) / 1000000;
}

/* ---- Transfers ----------------------------------------------------------------------------- */

static void brings_everything_unharmed(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 10 * MIB, &hash), STATUS_OK);
    struct rpc_outcome outcome = finish(upload, true, &index);
    assert_int_equal(outcome.code, RPC_OK);
    assert_int_equal(index, 42);
    wait_for_done(1);
    assert_int_equal(receiver.status, STATUS_OK);
    assert_int_equal(receiver.bytes, 10 * MIB);
    assert_true(receiver.hash == hash);
    assert_int_equal(receiver.head.cluster_id, 7);
    assert_int_equal(receiver.head.from, 1);
    assert_int_equal(receiver.head.to, 2);
    assert_int_equal(receiver.head.term, 5);
    assert_int_equal(receiver.head.index, 100);
    assert_int_equal(receiver.head.index_term, 4);
    stop();
}

static void is_no_faster_than_its_pace(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 4 * MIB);
    uint64_t hash = 0;
    raft_index index = 0;
    struct timespec before;
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(write_all(upload, 2 * MIB, &hash), STATUS_OK);
    assert_int_equal(finish(upload, true, &index).code, RPC_OK);
    assert_true(ms_since(&before) >= 400); /* half a second, but for the last piece */
    stop();
}

static void tells_why_it_was_refused(void **state) {
    (void)state;
    start(REFUSES, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 1024 * MIB, &hash), STATUS_ABORTED);
    struct rpc_outcome outcome = finish(upload, false, &index);
    assert_int_equal(outcome.code, RPC_FAILED_PRECONDITION);
    assert_string_equal(outcome.detail, "another cluster");
    assert_int_equal(index, 0);
    stop();
}

static void tells_of_a_refusal_midway(void **state) {
    (void)state;
    start(REFUSES_MIDWAY, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 1024 * MIB, &hash), STATUS_ABORTED);
    struct rpc_outcome outcome = finish(upload, false, &index);
    assert_int_equal(outcome.code, RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(outcome.detail, "no room here");
    stop();
}

/* ---- Who stalls, who goes -------------------------------------------------------------------- */

static void gives_up_a_receiver_that_stalls(void **state) {
    (void)state;
    start(NEVER_READS, true);
    struct rpc_upload *upload = upload_new(50, 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 1024 * MIB, &hash), STATUS_ABORTED);
    assert_int_equal(finish(upload, false, &index).code, RPC_DEADLINE_EXCEEDED);
    stop();
}

static void gives_up_a_sender_that_stalls(void **state) {
    (void)state;
    start(EXPECTS_A_TIMEOUT, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    wait_for_done(1);
    assert_int_equal(receiver.status, STATUS_TIMEOUT);
    raft_index index = 0;
    assert_int_equal(finish(upload, true, &index).code, RPC_DEADLINE_EXCEEDED);
    stop();
}

/* An end that is no end: what was read is less than what is whole, which the stream itself shows.
 */
static void a_sender_that_breaks_off_is_noticed(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 1 * MIB, &hash), STATUS_OK);
    wait_for_begun(1);
    assert_int_equal(finish(upload, false, &index).code, RPC_CANCELLED);
    wait_for_done(1);
    assert_true(receiver.status == STATUS_ABORTED || receiver.status == STATUS_OK);
    stop();
}

static void *cancel(void *upload) {
    wait_for_begun(1);
    rpc_upload_cancel(upload);
    return NULL;
}

static void another_thread_may_cancel_it(void **state) {
    (void)state;
    start(NEVER_READS, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    pthread_t canceller;
    assert_int_equal(pthread_create(&canceller, NULL, cancel, upload), 0);
    uint64_t hash = 0;
    raft_index index = 0;
    assert_int_equal(write_all(upload, 1024 * MIB, &hash), STATUS_ABORTED);
    assert_int_equal(pthread_join(canceller, NULL), 0);
    assert_int_equal(finish(upload, false, &index).code, RPC_CANCELLED);
    stop();
}

static void a_stopping_server_ends_its_readers(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    wait_for_begun(1);
    rpc_server_drain(server);
    wait_for_done(1);
    assert_int_equal(receiver.status, STATUS_ABORTED);
    raft_index index = 0;
    assert_int_equal(finish(upload, true, &index).code, RPC_ABORTED);
    stop();
}

/* ---- Strangers ----------------------------------------------------------------------------- */

static void nobody_is_there(void **state) {
    (void)state;
    snprintf(address, sizeof address, "127.0.0.1:1");
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    raft_index index = 0;
    assert_int_equal(rpc_upload_write(upload, bytes_of_text("chunk")), STATUS_ABORTED);
    assert_int_equal(finish(upload, true, &index).code, RPC_UNAVAILABLE);
    struct rpc_upload_config config = {.address = "nowhere"};
    assert_int_equal(rpc_upload_new(&config, &upload), STATUS_INVALID);
}

/* Whoever makes an upload may be in the middle of a turn. */
static void nobody_waits_for_a_connection_but_who_writes(void **state) {
    (void)state;
    int listener = listener_open(address, sizeof address);
    struct timespec before;
    clock_gettime(CLOCK_MONOTONIC, &before);
    struct rpc_upload *upload = upload_new(PATIENCE_MS, 0);
    assert_true(ms_since(&before) < 1500); /* an attempt to connect takes 2 s */
    rpc_upload_cancel(upload);
    raft_index index = 0;
    assert_int_equal(rpc_upload_write(upload, bytes_of_text("chunk")), STATUS_ABORTED);
    assert_int_equal(finish(upload, true, &index).code, RPC_CANCELLED);
    close(listener);
}

static void a_server_without_peers_takes_none(void **state) {
    (void)state;
    start(READS_ALL, false);
    raft_index index = 0;
    struct rpc_outcome outcome = finish(upload_new(PATIENCE_MS, 0), true, &index);
    assert_int_equal(outcome.code, RPC_UNIMPLEMENTED);
    stop();
}

static void takes_a_few_at_a_time(void **state) {
    (void)state;
    start(NEVER_READS, true);
    struct rpc_upload *uploads[RPC__INSTALLS_MAX];
    raft_index index = 0;
    for (size_t i = 0; i < RPC__INSTALLS_MAX; i++)
        uploads[i] = upload_new(PATIENCE_MS, 0);
    wait_for_begun(RPC__INSTALLS_MAX);
    assert_int_equal(finish(upload_new(PATIENCE_MS, 0), true, &index).code, RPC_RESOURCE_EXHAUSTED);
    let_go();
    pthread_mutex_lock(&receiver.lock);
    receiver.habit = READS_ALL;
    pthread_mutex_unlock(&receiver.lock);
    for (size_t i = 0; i < RPC__INSTALLS_MAX; i++)
        assert_int_equal(finish(uploads[i], true, &index).code, RPC_OK);
    stop();
}

static void refuses_what_has_no_head(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct raw_client *client = raw_client_new(rpc_server_port(server));
    const struct bytes bodies[] = {
        bytes_of_text("\x12\x05"
                      "chunk"),
        bytes_of_text("\xff\xff"), bytes_of_text(""),
        bytes_of_text("\x0a\x02\x20\x01"), /* a head without an index */
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct raw_stream *stream = raw_stream_open(client, INSTALL);
        struct raw_outcome outcome;
        raw_stream_write(stream, bodies[i]);
        raw_stream_finish(stream, &outcome);
        assert_int_equal(outcome.code, GRPC_STATUS_INVALID_ARGUMENT);
    }
    struct raw_stream *silent = raw_stream_open(client, INSTALL);
    struct raw_outcome outcome;
    raw_stream_close_writes(silent);
    raw_stream_finish(silent, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_INVALID_ARGUMENT);
    raw_client_free(client);
    assert_int_equal(receiver.thread_count, 0);
    stop();
}

static void refuses_pieces_that_are_none(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct raw_client *client = raw_client_new(rpc_server_port(server));
    struct raw_stream *stream = raw_stream_open(client, INSTALL);
    struct raw_outcome outcome;
    raw_stream_write(stream, bytes_of_text("\x0a\x02\x28\x01")); /* a head: index 1 */
    raw_stream_write(stream, bytes_of_text("\x0a\x02\x28\x01")); /* and again */
    raw_stream_finish(stream, &outcome);
    assert_int_equal(outcome.code, GRPC_STATUS_DATA_LOSS);
    raw_client_free(client);
    wait_for_done(1);
    assert_int_equal(receiver.status, STATUS_CORRUPT);
    stop();
}

/* Left open: the server's end must not wait for it. */
static void stops_while_a_stranger_is_silent(void **state) {
    (void)state;
    start(READS_ALL, true);
    struct raw_client *client = raw_client_new(rpc_server_port(server));
    struct raw_stream *stream = raw_stream_open(client, INSTALL);
    stop();
    struct raw_outcome outcome;
    raw_stream_finish(stream, &outcome);
    assert_int_not_equal(outcome.code, GRPC_STATUS_OK);
    raw_client_free(client);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_everything_unharmed),
        cmocka_unit_test(is_no_faster_than_its_pace),
        cmocka_unit_test(tells_why_it_was_refused),
        cmocka_unit_test(tells_of_a_refusal_midway),
        cmocka_unit_test(gives_up_a_receiver_that_stalls),
        cmocka_unit_test(gives_up_a_sender_that_stalls),
        cmocka_unit_test(a_sender_that_breaks_off_is_noticed),
        cmocka_unit_test(another_thread_may_cancel_it),
        cmocka_unit_test(a_stopping_server_ends_its_readers),
        cmocka_unit_test(nobody_is_there),
        cmocka_unit_test(nobody_waits_for_a_connection_but_who_writes),
        cmocka_unit_test(a_server_without_peers_takes_none),
        cmocka_unit_test(takes_a_few_at_a_time),
        cmocka_unit_test(refuses_what_has_no_head),
        cmocka_unit_test(refuses_pieces_that_are_none),
        cmocka_unit_test(stops_while_a_stranger_is_silent),
    };
    rpc_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rpc_shutdown();
    return failed;
}
