/* PEERS as a list, and what follows from it and its like: who founds the cluster, and where the
 * others are. Pure. */
#ifndef PHALANX_SETTINGS_PEERS_H
#define PHALANX_SETTINGS_PEERS_H

#include "server/settings.h"

/* Fill `peers_list` and `peer_count` from `peers`, which is of its form; none when it is empty. */
void settings__peers_read(struct settings *settings);

/* The peer of this name, or NULL. */
const struct settings_peer *settings__peer_find(const struct settings *settings, const char *name);

/* The name that comes a second time, or NULL. */
const char *settings__peers_repeated(const struct settings *settings);

/* Add this node where it is missing from a list; there must be room for it. */
void settings__peers_complete(struct settings *settings);

/* What BOOTSTRAP_EXPECT must be instead, in words, of complete PEERS; NULL: it is right. */
const char *settings__expect_problem(const struct settings *settings);

/* A label that all nodes with the same PEERS work out alike, whatever their order and addresses: 16
 * hexadecimal digits. Without PEERS, the name whose addresses are looked up. Empty: it looks for
 * nobody. */
void settings__label(const struct settings *settings, char ret_label[NAME_BYTES_MAX]);

#endif
