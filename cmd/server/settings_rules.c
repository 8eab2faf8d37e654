#include "server/settings_rules.h"

#include "bounds.h"
#include "gossip/gossip.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define HOST_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-"
#define NAME_CHARACTERS HOST_CHARACTERS "_"
#define DIGITS "0123456789"

/* What lies before the first `len` bytes of a text, as a text of its own; false: too long. */
static bool copy_part(const char *text, size_t len, char part[ADDRESS_BYTES_MAX]) {
    if (len >= ADDRESS_BYTES_MAX)
        return false;
    memcpy(part, text, len);
    part[len] = '\0';
    return true;
}

static bool is_port(const char *text) {
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, DIGITS) != len)
        return false;
    uint32_t port = 0;
    for (const char *digit = text; *digit; digit++)
        port = port * 10 + (uint32_t)(*digit - '0');
    return port <= UINT16_MAX;
}

static bool is_ipv4(const char *text) {
    struct in_addr parsed;
    return inet_pton(AF_INET, text, &parsed) == 1;
}

static bool is_ipv6(const char *text) {
    struct in6_addr parsed;
    return inet_pton(AF_INET6, text, &parsed) == 1;
}

/* A host name, or an IPv4 address; what looks like an address must be one. */
static bool is_host(const char *text) {
    size_t len = strlen(text);
    if (len == 0 || strspn(text, HOST_CHARACTERS) != len)
        return false;
    if (strspn(text, DIGITS ".") == len)
        return is_ipv4(text);
    return text[0] != '-' && text[0] != '.';
}

/* [v6]:port */
static bool is_bracketed(const char *text) {
    const char *end = strchr(text, ']');
    char host[ADDRESS_BYTES_MAX];
    if (text[0] != '[' || !end || end[1] != ':')
        return false;
    return copy_part(text + 1, (size_t)(end - text) - 1, host) && is_ipv6(host) && is_port(end + 2);
}

static bool is_host_and_port(const char *text) {
    const char *colon = strchr(text, ':');
    char host[ADDRESS_BYTES_MAX];
    if (!colon)
        return false;
    return copy_part(text, (size_t)(colon - text), host) && is_host(host) && is_port(colon + 1);
}

/* What another node calls, so that a free port will not do. */
static bool is_peer_address(const char *text) {
    if (!is_bracketed(text) && !is_host_and_port(text))
        return false;
    const char *port = strrchr(text, ':') + 1;
    return port[strspn(port, "0")] != '\0';
}

bool settings__is_name(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len < NAME_BYTES_MAX && strspn(text, NAME_CHARACTERS) == len;
}

bool settings__is_path(const char *text) {
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return text[0] != '\0';
}

bool settings__is_listen_address(const char *text) {
    if (text[0] == ':')
        return is_port(text + 1);
    return is_bracketed(text) || is_host_and_port(text);
}

bool settings__is_call_address(const char *text) {
    return text[0] != ':' && settings__is_listen_address(text);
}

bool settings__is_ip(const char *text) {
    return is_ipv4(text) || is_ipv6(text);
}

/* Each item between the commas must be allowed; spaces around it are not. */
static bool is_list(const char *text, size_t items_max, bool (*item_is_allowed)(const char *item)) {
    for (size_t count = 1; count <= items_max; count++) {
        char item[ADDRESS_BYTES_MAX];
        size_t len = strcspn(text, ",");
        if (!copy_part(text, len, item) || !item_is_allowed(item))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
    return false;
}

static bool is_peer(const char *item) {
    const char *equals = strchr(item, '=');
    char name[ADDRESS_BYTES_MAX];
    if (!equals)
        return settings__is_name(item);
    return copy_part(item, (size_t)(equals - item), name) && settings__is_name(name) &&
           is_peer_address(equals + 1);
}

bool settings__is_peers(const char *text) {
    return is_list(text, MEMBERS_MAX, is_peer);
}

static bool is_seed(const char *item) {
    return is_host(item) || is_ipv6(item) || is_bracketed(item) || is_host_and_port(item);
}

bool settings__is_seeds(const char *text) {
    return is_list(text, MEMBERS_MAX, is_seed);
}

bool settings__is_host(const char *text) {
    return is_host(text) && !is_ipv4(text);
}

static bool is_server(const char *item) {
    return is_ipv4(item) || is_ipv6(item) || is_bracketed(item) ||
           (is_host_and_port(item) && strspn(item, DIGITS ".:") == strlen(item));
}

bool settings__is_servers(const char *text) {
    return is_list(text, MEMBERS_MAX, is_server);
}

bool settings__is_key_ring(const char *text) {
    struct gossip_keys keys;
    return gossip_keys_parse(text, &keys) == STATUS_OK && keys.count > 0;
}
