/* What a text setting may be. Pure. */
#ifndef PHALANX_SETTINGS_RULES_H
#define PHALANX_SETTINGS_RULES_H

#include <stdbool.h>

/* 1 to 63 of A-Z a-z 0-9 . _ - */
bool settings__is_name(const char *text);

/* Not empty, without control characters. */
bool settings__is_path(const char *text);

/* host:port, a.b.c.d:port, [v6]:port, or :port for all addresses; port 0 is a free one. */
bool settings__is_listen_address(const char *text);
bool settings__is_call_address(const char *text); /* the same, but with a host */

/* An IPv4 or IPv6 address without a port. */
bool settings__is_ip(const char *text);

/* Comma-separated, at most MEMBERS_MAX: name or name=host:port, with a port above 0. */
bool settings__is_peers(const char *text);

/* A host name; no address. */
bool settings__is_host(const char *text);

/* Comma-separated: v4, v4:port, v6 or [v6]:port. */
bool settings__is_servers(const char *text);

/* Comma-separated, at most GOSSIP_KEYS_MAX: 32 bytes in hexadecimal or base64. */
bool settings__is_key_ring(const char *text);

/* Comma-separated, at most MEMBERS_MAX: host, host:port, v6 or [v6]:port. */
bool settings__is_seeds(const char *text);

#endif
