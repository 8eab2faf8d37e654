#include "gossip/dns.h"

#include "log.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* One question, and how often it is asked of each name server; the wait doubles each time. */
#define TRY_MS 1000
#define TRIES 2

struct answer {
    struct gossip_address list[DNS_ADDRESSES_MAX];
    size_t count;
};

/* A name, what is known of it, and its question in the round under way. */
struct question {
    struct dns_name name;
    struct answer answer;
    bool is_open;
    bool has_failed; /* the last time; said once */
};

struct dns {
    struct dns_config config;
    char name_servers[ADDRESS_BYTES_MAX];
    struct question questions[DNS_NAMES_MAX];
    struct answer told;
    bool has_told;
    pthread_t thread;
    atomic_bool is_stopping;
    int wake_fd; /* readable: stop */
};

/* ---- Addresses ----------------------------------------------------------------------------- */

static int compare(const void *left, const void *right) {
    const struct gossip_address *a = left;
    const struct gossip_address *b = right;
    int order = memcmp(a->ip, b->ip, sizeof a->ip);
    return order != 0 ? order : (a->port > b->port) - (a->port < b->port);
}

static bool has(const struct answer *answer, const struct gossip_address *address) {
    for (size_t i = 0; i < answer->count; i++)
        if (gossip_address_equal(&answer->list[i], address))
            return true;
    return false;
}

static void add(struct answer *answer, const struct gossip_address *address) {
    if (answer->count < DNS_ADDRESSES_MAX && !has(answer, address))
        answer->list[answer->count++] = *address;
}

/* Servers tell them in another order each time. */
static void gather(const struct dns *dns, struct answer *ret_all) {
    *ret_all = (struct answer){0};
    for (size_t i = 0; i < dns->config.count; i++)
        for (size_t j = 0; j < dns->questions[i].answer.count; j++)
            add(ret_all, &dns->questions[i].answer.list[j]);
    qsort(ret_all->list, ret_all->count, sizeof ret_all->list[0], compare);
}

static bool is_same(const struct answer *a, const struct answer *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!gossip_address_equal(&a->list[i], &b->list[i]))
            return false;
    return true;
}

/* ---- One round ----------------------------------------------------------------------------- */

static void take_node(const struct ares_addrinfo_node *node, uint16_t port, struct answer *answer) {
    char text[INET6_ADDRSTRLEN];
    struct gossip_address address;
    const void *ip = NULL;
    if (node->ai_family == AF_INET)
        ip = &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
    if (node->ai_family == AF_INET6)
        ip = &((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
    if (ip && ares_inet_ntop(node->ai_family, ip, text, sizeof text) &&
        gossip_address_parse(text, port, &address))
        add(answer, &address);
}

static void note_failure(struct question *question, int status) {
    if (!question->has_failed)
        log_warn("a name cannot be looked up", log_text("name", question->name.host),
                 log_text("reason", ares_strerror(status)));
    question->has_failed = true;
}

static void note_success(struct question *question) {
    if (question->has_failed)
        log_info("a name can be looked up again", log_text("name", question->name.host),
                 log_u64("addresses", question->answer.count));
    question->has_failed = false;
}

static void answered(void *context, int status, int timeouts, struct ares_addrinfo *info) {
    struct question *question = context;
    struct answer answer = {0};
    (void)timeouts;
    question->is_open = false;
    for (const struct ares_addrinfo_node *n = info ? info->nodes : NULL; n; n = n->ai_next)
        take_node(n, question->name.port, &answer);
    if (info)
        ares_freeaddrinfo(info);
    if (status == ARES_EDESTRUCTION)
        return;
    if (answer.count == 0) {
        note_failure(question, status == ARES_SUCCESS ? ARES_ENODATA : status);
        return;
    }
    question->answer = answer;
    note_success(question);
}

static uint64_t now_ms(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool has_open(const struct dns *dns) {
    for (size_t i = 0; i < dns->config.count; i++)
        if (dns->questions[i].is_open)
            return true;
    return false;
}

/* The library's sockets first, then the one that wakes the thread. */
static nfds_t find_sockets(ares_channel channel, const struct dns *dns,
                           struct pollfd fds[static ARES_GETSOCK_MAXNUM + 1]) {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    unsigned mask = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t count = 0;
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        bool reads = (mask >> i) & 1, writes = (mask >> (i + ARES_GETSOCK_MAXNUM)) & 1;
        short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
        if (events != 0)
            fds[count++] = (struct pollfd){.fd = sockets[i], .events = events};
    }
    fds[count++] = (struct pollfd){.fd = dns->wake_fd, .events = POLLIN};
    return count;
}

static void process(ares_channel channel, const struct pollfd *fds, nfds_t count) {
    for (nfds_t i = 0; i < count; i++) {
        bool is_ready = (fds[i].revents & ~POLLOUT) != 0;
        bool is_free = (fds[i].revents & POLLOUT) != 0;
        if (is_ready || is_free)
            ares_process_fd(channel, is_ready ? fds[i].fd : ARES_SOCKET_BAD,
                            is_free ? fds[i].fd : ARES_SOCKET_BAD);
    }
    ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its timers */
}

static void wait_for_answers(struct dns *dns, ares_channel channel) {
    uint64_t end_ms = now_ms() + DNS_ROUND_MS_MAX;
    while (has_open(dns) && !atomic_load(&dns->is_stopping) && now_ms() < end_ms) {
        struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
        struct timeval most = {.tv_usec = 500000}, wait;
        nfds_t count = find_sockets(channel, dns, fds);
        const struct timeval *until = ares_timeout(channel, &most, &wait);
        int wait_ms = (int)(until->tv_sec * 1000 + until->tv_usec / 1000);
        if (poll(fds, count, wait_ms > 0 ? wait_ms : 1) >= 0)
            process(channel, fds, count - 1);
    }
}

/* A channel for each round: it reads anew which name servers the system has. */
static int open_channel(const struct dns *dns, ares_channel *ret_channel) {
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    int status = ares_init_options(ret_channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS || dns->name_servers[0] == '\0')
        return status;
    status = ares_set_servers_ports_csv(*ret_channel, dns->name_servers);
    if (status != ARES_SUCCESS)
        ares_destroy(*ret_channel);
    return status;
}

static void ask(struct dns *dns, ares_channel channel) {
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
                                              .ai_family = AF_UNSPEC,
                                              .ai_socktype = SOCK_DGRAM};
    for (size_t i = 0; i < dns->config.count; i++) {
        struct question *question = &dns->questions[i];
        question->is_open = true;
        ares_getaddrinfo(channel, question->name.host, NULL, &hints, answered, question);
    }
}

static void ask_all(struct dns *dns) {
    ares_channel channel;
    int status = open_channel(dns, &channel);
    if (status != ARES_SUCCESS) {
        note_failure(&dns->questions[0], status);
        return;
    }
    ask(dns, channel);
    wait_for_answers(dns, channel);
    if (!atomic_load(&dns->is_stopping))
        ares_cancel(channel); /* what is open has failed */
    ares_destroy(channel);
}

/* ---- All rounds ---------------------------------------------------------------------------- */

/* Whether there was something new. */
static bool tell(struct dns *dns) {
    struct answer all;
    gather(dns, &all);
    if (all.count == 0 || (dns->has_told && is_same(&all, &dns->told)))
        return false;
    dns->told = all;
    dns->has_told = true;
    dns->config.on_addresses(dns->config.context, all.list, all.count);
    return true;
}

/* Between three quarters of it and all of it. */
static void pause_for(struct dns *dns, uint64_t wait_ms) {
    struct pollfd fd = {.fd = dns->wake_fd, .events = POLLIN};
    uint32_t quarter_ms = (uint32_t)wait_ms / 4;
    (void)poll(&fd, 1, (int)(wait_ms - arc4random_uniform(quarter_ms + 1))); /* early is fine */
}

static void *run(void *context) {
    struct dns *dns = context;
    uint64_t wait_ms = DNS_WAIT_MS_MIN;
    while (!atomic_load(&dns->is_stopping)) {
        ask_all(dns);
        if (atomic_load(&dns->is_stopping))
            break;
        wait_ms = tell(dns) ? DNS_WAIT_MS_MIN : 2 * wait_ms;
        wait_ms = wait_ms < DNS_WAIT_MS_MAX ? wait_ms : DNS_WAIT_MS_MAX;
        pause_for(dns, wait_ms);
    }
    return NULL;
}

/* ---- Making one ---------------------------------------------------------------------------- */

static bool servers_are_sound(const struct dns *dns) {
    ares_channel channel;
    if (open_channel(dns, &channel) != ARES_SUCCESS)
        return false;
    ares_destroy(channel);
    return true;
}

enum status dns_new(const struct dns_config *config, struct dns **ret_dns) {
    CHECK(config->count > 0 && config->count <= DNS_NAMES_MAX);
    struct dns *dns = calloc(1, sizeof *dns);
    if (!dns)
        return STATUS_NO_MEMORY;
    dns->config = *config;
    snprintf(dns->name_servers, sizeof dns->name_servers, "%s", config->name_servers);
    for (size_t i = 0; i < config->count; i++)
        dns->questions[i].name = config->names[i];
    CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
    if (dns->name_servers[0] != '\0' && !servers_are_sound(dns)) {
        ares_library_cleanup();
        free(dns);
        return STATUS_INVALID;
    }
    dns->wake_fd = eventfd(0, EFD_CLOEXEC);
    CHECK(dns->wake_fd >= 0);
    CHECK(pthread_create(&dns->thread, NULL, run, dns) == 0);
    *ret_dns = dns;
    return STATUS_OK;
}

void dns_free(struct dns *dns) {
    if (!dns)
        return;
    atomic_store(&dns->is_stopping, true);
    CHECK(eventfd_write(dns->wake_fd, 1) == 0);
    CHECK(pthread_join(dns->thread, NULL) == 0);
    CHECK(close(dns->wake_fd) == 0);
    ares_library_cleanup();
    free(dns);
}
