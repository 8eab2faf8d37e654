/* Where the settings say that others may be found: names to look up, or ports of this host. Pure.
 */
#ifndef PHALANX_SERVER_SEED_NAMES_H
#define PHALANX_SERVER_SEED_NAMES_H

#include "gossip/dns.h"
#include "server/settings.h"

/* Ports from BIND_PORT on that are tried and asked where nodes look for each other on one host. */
#define SEED_PORTS ((uint16_t)16)

/* What SEEDS and DISCOVERY_DNS name, with BIND_PORT where they say none. Returns how many. */
size_t seed_names_read(const struct settings *settings,
                       struct dns_name ret_names[static DNS_NAMES_MAX]);

/* This host's ports, if it is here that they are looked for: on loopback, or at BIND_ADDR if that
 * is one address. Returns how many. */
size_t seed_ports(const struct settings *settings,
                  struct gossip_address ret_seeds[static SEED_PORTS]);

#endif
