#include "server/seed_names.h"

#include <stdio.h>
#include <stdlib.h>

/* [v6]:port */
static void read_bracketed(const char *text, size_t len, struct dns_name *name) {
    const char *end = memchr(text, ']', len);
    CHECK(end && end[1] == ':');
    snprintf(name->host, sizeof name->host, "%.*s", (int)(end - text) - 1, text + 1);
    name->port = (uint16_t)strtoul(end + 2, NULL, 10);
}

/* host, host:port, or an IPv6 address, which has more than one colon. */
static void read_plain(const char *text, size_t len, uint16_t port, struct dns_name *name) {
    const char *colon = memchr(text, ':', len);
    bool is_v6 = colon && memchr(colon + 1, ':', len - (size_t)(colon + 1 - text));
    bool has_port = colon && !is_v6;
    snprintf(name->host, sizeof name->host, "%.*s", has_port ? (int)(colon - text) : (int)len,
             text);
    name->port = has_port ? (uint16_t)strtoul(colon + 1, NULL, 10) : port;
}

static void read_name(const char *text, size_t len, uint16_t port, struct dns_name *name) {
    if (text[0] == '[')
        read_bracketed(text, len, name);
    else
        read_plain(text, len, port, name);
}

size_t seed_names_read(const struct settings *settings,
                       struct dns_name ret_names[static DNS_NAMES_MAX]) {
    uint16_t port = (uint16_t)settings->bind_port;
    const char *item = settings->seeds;
    size_t count = 0;
    while (*item != '\0') {
        size_t len = strcspn(item, ",");
        CHECK(count < DNS_NAMES_MAX);
        read_name(item, len, port, &ret_names[count++]);
        item += len + (item[len] == ',');
    }
    const char *name = settings->discovery_dns;
    CHECK(count < DNS_NAMES_MAX);
    if (name[0] != '\0')
        read_name(name, strlen(name), port, &ret_names[count++]);
    return count;
}

static bool is_wildcard(const char *ip) {
    return strcmp(ip, "::") == 0 || strcmp(ip, "0.0.0.0") == 0;
}

size_t seed_ports(const struct settings *settings,
                  struct gossip_address ret_seeds[static SEED_PORTS]) {
    const char *ip = is_wildcard(settings->bind_address) ? "127.0.0.1" : settings->bind_address;
    size_t count = 0;
    if (!settings_gossips_here(settings))
        return 0;
    for (uint64_t i = 0; i < SEED_PORTS && settings->bind_port + i <= UINT16_MAX; i++)
        if (gossip_address_parse(ip, (uint16_t)(settings->bind_port + i), &ret_seeds[count]))
            count++;
    return count;
}
