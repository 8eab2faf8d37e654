/* Against HTTP/2 rapid reset, and for memory given back.
 *
 * A client that opens streams and resets them at once, as fast as it can, keeps gRPC's reading
 * thread from ever returning to us: some 13 KB a stream stay until it pauses, and stream limits and
 * quotas do not count them. So a thread looks at the memory of the process. When it grows far
 * beyond what a busy server needs, and by far more than what the connections have received
 * explains, the connection that received the most is closed.
 *
 * Afterwards, malloc keeps what was freed in pieces; it is told to give it back. */
#include "rpc/server.h"

#include "log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/tcp.h> /* glibc's own lacks the received bytes */
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 50

/* A sanitizer's own memory, several times ours, would look like an attack. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_MEASURE false
#else
#define CAN_MEASURE true
#endif

/* Growth above what was usual lately that is looked into: what ten thousand calls take that have
 * arrived and that we do not know of yet; and for each that we do, what is kept for it. */
#define SUSPICIOUS_BYTES (128 * MIB)
#define REQUEST_BYTES (32 * KIB)

/* What is usual moves by this part towards what is, each tick without growth: in about a second. */
#define CALM_PART 16

/* Growth for each byte received that no honest traffic causes; a reset stream has about 90. */
#define SUSPICIOUS_FACTOR 16

/* Free memory that is worth a trim, and how often it is looked for. */
#define TRIM_BYTES (32 * MIB)
#define TICKS_PER_TRIM 20

/* Connections with a descriptor up to here are watched. */
#define DESCRIPTORS_MAX ((size_t)65536)

/* ---- Connections --------------------------------------------------------------------------- */

/* By descriptor. A cookie names a socket for ever, so that a descriptor used again is noticed. */
static struct {
    _Atomic uint64_t cookie; /* 0: none was accepted */
    uint64_t received_bytes; /* at the last mark; the guard's */
} connections[DESCRIPTORS_MAX];

static atomic_size_t connections_end; /* above the highest descriptor ever accepted */

static uint64_t cookie_of(int fd) {
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

void rpc__guard_accepted(int fd) {
    size_t index = (size_t)fd;
    if (index >= DESCRIPTORS_MAX)
        return;
    atomic_store(&connections[index].cookie, cookie_of(fd));
    size_t end = atomic_load(&connections_end);
    while (end <= index && !atomic_compare_exchange_weak(&connections_end, &end, index + 1))
        ;
}

/* A descriptor of our own for the connection, which then cannot become another one under our hands.
 * -1: it is gone. */
static int connection_open(size_t index) {
    uint64_t cookie = atomic_load(&connections[index].cookie);
    int fd = cookie == 0 ? -1 : fcntl((int)index, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (cookie_of(fd) == cookie)
        return fd;
    close(fd);
    atomic_compare_exchange_strong(&connections[index].cookie, &cookie, 0);
    return -1;
}

static uint64_t received_bytes(int fd) {
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? info.tcpi_bytes_received : 0;
}

/* Which connection received the most since the last call, and how much. */
static size_t mark(uint64_t *ret_bytes) {
    size_t most = 0;
    *ret_bytes = 0;
    size_t end = atomic_load(&connections_end);
    for (size_t i = 0; i < end; i++) {
        int fd = connection_open(i);
        if (fd < 0)
            continue;
        uint64_t bytes = received_bytes(fd);
        close(fd);
        /* Another one under this descriptor starts anew. */
        uint64_t before = bytes < connections[i].received_bytes ? 0 : connections[i].received_bytes;
        connections[i].received_bytes = bytes;
        if (bytes - before <= *ret_bytes)
            continue;
        most = i;
        *ret_bytes = bytes - before;
    }
    return most;
}

/* What it has sent already is thrown away too: gRPC would read all of it. */
static void shed(size_t index) {
    char rest[16384];
    int fd = connection_open(index);
    if (fd < 0)
        return;
    log_every(1000, LOG_LEVEL_WARN, "a connection that eats memory is closed");
    shutdown(fd, SHUT_RDWR);
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
        ;
    close(fd);
}

/* ---- Memory -------------------------------------------------------------------------------- */

/* What is resident and no file's. 0: unknown. */
static size_t memory_bytes(const struct rpc__guard *guard) {
    char text[128];
    ssize_t len = pread(guard->statm, text, sizeof text - 1, 0);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    uint64_t resident = 0;
    uint64_t shared = 0;
    if (sscanf(text, "%*u %" SCNu64 " %" SCNu64, &resident, &shared) != 2 || shared > resident)
        return 0;
    return (size_t)(resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

static void suspect(struct rpc__guard *guard, size_t grown_bytes) {
    uint64_t bytes = 0;
    size_t index = mark(&bytes);
    /* The first mark only tells where the next one starts from. */
    if (guard->is_suspicious && bytes > 0 && grown_bytes / SUSPICIOUS_FACTOR > bytes)
        shed(index);
    guard->is_suspicious = true;
}

/* What malloc holds without using it, and gives back when told to. mallinfo2() walks through what
 * is free; so not at every tick. */
static void trim(struct rpc__guard *guard, size_t bytes) {
    if (guard->ticks++ % TICKS_PER_TRIM != 0)
        return;
    struct mallinfo2 info = mallinfo2();
    if (bytes > info.uordblks + info.hblkhd + TRIM_BYTES)
        (void)malloc_trim(0);
}

static size_t allowance(struct rpc__guard *guard) {
    struct rpc_server *server = CONTAINER_OF(guard, struct rpc_server, guard);
    return SUSPICIOUS_BYTES + REQUEST_BYTES * atomic_load(&server->in_flight) +
           atomic_load(&server->reply_bytes);
}

static void tick(struct rpc__guard *guard) {
    size_t bytes = memory_bytes(guard);
    size_t grown_bytes = bytes > guard->last_bytes ? bytes - guard->last_bytes : 0;
    guard->last_bytes = bytes;
    if (bytes < guard->calm_bytes || guard->calm_bytes == 0)
        guard->calm_bytes = bytes;
    bool is_growing = grown_bytes > MIB;
    if (is_growing && bytes - guard->calm_bytes > allowance(guard)) {
        suspect(guard, grown_bytes);
        return;
    }
    guard->is_suspicious = false;
    if (is_growing)
        return;
    guard->calm_bytes += (bytes - guard->calm_bytes) / CALM_PART;
    trim(guard, bytes);
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void *run(void *argument) {
    struct rpc__guard *guard = argument;
    pthread_mutex_lock(&guard->lock);
    while (!guard->is_stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&guard->changed, &guard->lock, &until) == 0)
            continue;
        pthread_mutex_unlock(&guard->lock);
        tick(guard);
        pthread_mutex_lock(&guard->lock);
    }
    pthread_mutex_unlock(&guard->lock);
    return NULL;
}

void rpc__guard_start(struct rpc__guard *guard) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&guard->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&guard->lock, NULL);
    guard->statm = CAN_MEASURE ? open("/proc/self/statm", O_RDONLY | O_CLOEXEC) : -1;
    CHECK(pthread_create(&guard->thread, NULL, run, guard) == 0);
}

void rpc__guard_stop(struct rpc__guard *guard) {
    pthread_mutex_lock(&guard->lock);
    guard->is_stopping = true;
    pthread_cond_signal(&guard->changed);
    pthread_mutex_unlock(&guard->lock);
    CHECK(pthread_join(guard->thread, NULL) == 0);
    pthread_cond_destroy(&guard->changed);
    pthread_mutex_destroy(&guard->lock);
    if (guard->statm >= 0)
        close(guard->statm);
}
