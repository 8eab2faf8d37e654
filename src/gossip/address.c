#include "gossip/address.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool gossip_address_parse(const char *ip, uint16_t port, struct gossip_address *ret_address) {
    struct gossip_address address = {.port = port};
    if (inet_pton(AF_INET, ip, address.ip + sizeof v4_prefix) == 1)
        memcpy(address.ip, v4_prefix, sizeof v4_prefix);
    else if (inet_pton(AF_INET6, ip, address.ip) != 1)
        return false;
    *ret_address = address;
    return true;
}

void gossip_address_print(const struct gossip_address *address,
                          char text[static GOSSIP_ADDRESS_TEXT_BYTES_MAX]) {
    char ip[INET6_ADDRSTRLEN];
    bool is_v4 = memcmp(address->ip, v4_prefix, sizeof v4_prefix) == 0;
    const void *bytes = is_v4 ? address->ip + sizeof v4_prefix : address->ip;
    CHECK(inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, ip, sizeof ip));
    snprintf(text, GOSSIP_ADDRESS_TEXT_BYTES_MAX, is_v4 ? "%s:%u" : "[%s]:%u", ip, address->port);
}
