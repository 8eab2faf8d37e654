#include "server/settings_peers.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. */
#define HASH_BASIS 0xcbf29ce484222325
#define HASH_PRIME 0x100000001b3

/* Where nothing says more of a cluster than some addresses. */
#define SEEDS_LABEL "phalanx"

/* ---- Reading ------------------------------------------------------------------------------- */

static void copy_text(char *field, size_t capacity, const char *text, size_t len) {
    CHECK(len < capacity);
    memcpy(field, text, len);
    field[len] = '\0';
}

/* name, or name=address */
static void read_peer(const char *item, size_t len, struct settings_peer *peer) {
    const char *equals = memchr(item, '=', len);
    size_t name_len = equals ? (size_t)(equals - item) : len;
    copy_text(peer->name, sizeof peer->name, item, name_len);
    if (equals)
        copy_text(peer->address, sizeof peer->address, equals + 1, len - name_len - 1);
}

void settings__peers_read(struct settings *settings) {
    const char *item = settings->peers;
    while (*item != '\0') {
        size_t len = strcspn(item, ",");
        CHECK(settings->peer_count < MEMBERS_MAX);
        read_peer(item, len, &settings->peers_list[settings->peer_count++]);
        item += len + (item[len] == ',');
    }
}

/* ---- Asking -------------------------------------------------------------------------------- */

const struct settings_peer *settings__peer_find(const struct settings *settings, const char *name) {
    for (size_t i = 0; i < settings->peer_count; i++)
        if (strcmp(settings->peers_list[i].name, name) == 0)
            return &settings->peers_list[i];
    return NULL;
}

const char *settings__peers_repeated(const struct settings *settings) {
    for (size_t i = 0; i < settings->peer_count; i++) {
        const struct settings_peer *peer = &settings->peers_list[i];
        if (settings__peer_find(settings, peer->name) != peer)
            return peer->name;
    }
    return NULL;
}

static const char *unplaced(const struct settings *settings) {
    for (size_t i = 0; i < settings->peer_count; i++) {
        const struct settings_peer *peer = &settings->peers_list[i];
        if (peer->address[0] == '\0' && strcmp(peer->name, settings->node_id) != 0)
            return peer->name;
    }
    return NULL;
}

void settings__peers_complete(struct settings *settings) {
    if (settings->peer_count == 0 || settings__peer_find(settings, settings->node_id))
        return;
    CHECK(settings->peer_count < MEMBERS_MAX);
    struct settings_peer *self = &settings->peers_list[settings->peer_count++];
    copy_text(self->name, sizeof self->name, settings->node_id, strlen(settings->node_id));
}

/* ---- Where the others are ------------------------------------------------------------------ */

static bool has_seeds(const struct settings *settings) {
    return settings->seeds[0] != '\0' || settings->discovery_dns[0] != '\0';
}

bool settings_is_alone(const struct settings *settings) {
    return settings->peer_count < 2 && !has_seeds(settings);
}

bool settings_has_gossip(const struct settings *settings) {
    return has_seeds(settings) || unplaced(settings) != NULL;
}

bool settings_gossips_here(const struct settings *settings) {
    return !has_seeds(settings) && unplaced(settings) != NULL;
}

const char *settings__expect_problem(const struct settings *settings) {
    uint64_t expect = settings->bootstrap_expect;
    if (settings->peer_count > 0 && expect != 0 && expect != settings->peer_count)
        return "the number of nodes that PEERS names, or not given";
    if (settings->peer_count == 0 && expect == 0 && has_seeds(settings))
        return "given with SEEDS or DISCOVERY_DNS: how many nodes found the cluster";
    if (settings->peer_count == 0 && expect > 1 && !has_seeds(settings))
        return "together with PEERS, SEEDS or DISCOVERY_DNS, to find the others by";
    return NULL;
}

/* ---- The label ----------------------------------------------------------------------------- */

static int compare_names(const void *left, const void *right) {
    const char *const *a = left;
    const char *const *b = right;
    return strcmp(*a, *b);
}

/* With the final zero, so that no two lists of names are the same bytes. */
static uint64_t hash_name(uint64_t hash, const char *name) {
    for (size_t i = 0; i <= strlen(name); i++)
        hash = (hash ^ (uint8_t)name[i]) * HASH_PRIME;
    return hash;
}

static void put_hash(uint64_t hash, char ret_label[NAME_BYTES_MAX]) {
    struct text_writer w = text_writer_of(ret_label, NAME_BYTES_MAX - 1);
    text_put_hex(&w, hash);
    ret_label[w.len] = '\0';
}

static void label_of_names(const struct settings *settings, char ret_label[NAME_BYTES_MAX]) {
    const char *names[MEMBERS_MAX];
    uint64_t hash = HASH_BASIS;
    for (size_t i = 0; i < settings->peer_count; i++)
        names[i] = settings->peers_list[i].name;
    qsort(names, settings->peer_count, sizeof *names, compare_names);
    for (size_t i = 0; i < settings->peer_count; i++)
        hash = hash_name(hash, names[i]);
    put_hash(hash, ret_label);
}

/* A name as it stands, unless it is too long for a label. */
static void label_of_dns(const char *name, char ret_label[NAME_BYTES_MAX]) {
    if (strlen(name) < NAME_BYTES_MAX)
        copy_text(ret_label, NAME_BYTES_MAX, name, strlen(name));
    else
        put_hash(hash_name(HASH_BASIS, name), ret_label);
}

void settings__label(const struct settings *settings, char ret_label[NAME_BYTES_MAX]) {
    ret_label[0] = '\0';
    if (settings->peer_count > 0)
        label_of_names(settings, ret_label);
    else if (settings->discovery_dns[0] != '\0')
        label_of_dns(settings->discovery_dns, ret_label);
    else if (has_seeds(settings))
        copy_text(ret_label, NAME_BYTES_MAX, SEEDS_LABEL, strlen(SEEDS_LABEL));
}
