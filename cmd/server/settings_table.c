#include "server/settings_table.h"

#include "server/settings_rules.h"

#include <stddef.h>
#include <strings.h>

#define NAME_ALLOWED "1 to 63 characters of A-Z a-z 0-9 . _ -"
#define ADDRESS_ALLOWED "host:port, [v6 address]:port or :port"

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};

_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "a choice is kept as an unsigned");
_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "a choice is kept as an unsigned");
_Static_assert(LOG_LEVEL_ERROR == 3 && LOG_FORMAT_JSON == 1, "positions in the lists above");

#define AT(field) .offset = offsetof(struct settings, field)
#define TEXT(field) \
    .type = SETTING_TEXT, AT(field), .capacity = sizeof(((struct settings *)0)->field)
#define NUMBER(field, lo, hi) .type = SETTING_NUMBER, AT(field), .min = lo, .max = hi, .unit = 1
#define SECONDS(field, lo, hi) .type = SETTING_NUMBER, AT(field), .min = lo, .max = hi, .unit = 1000
#define MEBIBYTES(field, lo, hi) \
    .type = SETTING_NUMBER, AT(field), .min = lo, .max = hi, .unit = MIB
#define SWITCH(field) .type = SETTING_SWITCH, AT(field)
#define CHOICE(field, names) .type = SETTING_CHOICE, AT(field), .choices = names
#define RULE(function, words) .is_allowed = function, .allowed = words

/* clang-format off */
const struct setting settings__table[SETTING_COUNT] = {
    [SETTING_NODE_ID] = {"NODE_ID", NULL, "hostname", "this node's name, unique in its cluster",
        TEXT(node_id), RULE(settings__is_name, NAME_ALLOWED)},
    [SETTING_PEERS] = {"PEERS", "", NULL, "the founding nodes, if they are known by name",
        TEXT(peers), RULE(settings__is_peers, "up to 16 names, comma-separated: name or name=host:port")},
    [SETTING_CLUSTER] = {"CLUSTER", "", "of PEERS", "label, the same on all nodes of a cluster",
        TEXT(cluster), RULE(settings__is_name, NAME_ALLOWED)},
    [SETTING_DATA_DIR] = {"DATA_DIR", "/data", NULL, "directory that holds everything it knows",
        TEXT(data_dir), RULE(settings__is_path, "a path of 1 to 1023 bytes")},
    [SETTING_GRPC_ADDR] = {"GRPC_ADDR", "[::]:9000", NULL, "where clients and nodes call",
        TEXT(grpc_address), RULE(settings__is_listen_address, ADDRESS_ALLOWED)},
    [SETTING_DEBUG_ADDR] = {"DEBUG_ADDR", "[::]:8080", NULL, "HTTP: health, status, metrics",
        TEXT(debug_address), RULE(settings__is_listen_address, ADDRESS_ALLOWED)},
    [SETTING_ADVERTISE_ADDR] = {"ADVERTISE_ADDR", "", "GRPC_ADDR", "where clients are told to call",
        TEXT(advertise_address), RULE(settings__is_call_address, "host:port or [v6 address]:port")},
    [SETTING_BOOTSTRAP_EXPECT] = {"BOOTSTRAP_EXPECT", "", "of PEERS", "how many nodes found the cluster",
        NUMBER(bootstrap_expect, 1, MEMBERS_MAX)},
    [SETTING_SEEDS] = {"SEEDS", "", NULL, "gossip: where some of the others are",
        TEXT(seeds), RULE(settings__is_seeds, "up to 16 addresses, comma-separated: host, host:port or [v6 address]:port")},
    [SETTING_DISCOVERY_DNS] = {"DISCOVERY_DNS", "", NULL, "gossip: a name whose addresses are seeds",
        TEXT(discovery_dns), RULE(settings__is_host, "a host name")},
    [SETTING_DISCOVERY_SERVER] = {"DISCOVERY_SERVER", "", "system's", "gossip: name servers to ask, ip or ip:port",
        TEXT(discovery_servers), RULE(settings__is_servers, "IP addresses, comma-separated: a.b.c.d, a.b.c.d:port, v6 or [v6]:port")},
    [SETTING_BIND_ADDR] = {"BIND_ADDR", "::", NULL, "gossip: address to bind",
        TEXT(bind_address), RULE(settings__is_ip, "an IPv4 or IPv6 address without a port")},
    [SETTING_BIND_PORT] = {"BIND_PORT", "7946", NULL, "gossip: UDP port to bind",
        NUMBER(bind_port, 1, 65535)},
    [SETTING_GOSSIP_KEY] = {"GOSSIP_KEY", "", NULL, "gossip: 32-byte keys; the first seals, all open",
        TEXT(gossip_keys), RULE(settings__is_key_ring, "up to 8 keys of 32 bytes, comma-separated, in hexadecimal or base64"), .is_secret = true},
    [SETTING_TLS_CERT] = {"TLS_CERT", "", NULL, "TLS: this node's certificate, PEM file",
        TEXT(tls_certificate), RULE(settings__is_path, "a path of 1 to 1023 bytes")},
    [SETTING_TLS_KEY] = {"TLS_KEY", "", NULL, "TLS: its private key, PEM file",
        TEXT(tls_key), RULE(settings__is_path, "a path of 1 to 1023 bytes")},
    [SETTING_TLS_CA] = {"TLS_CA", "", NULL, "TLS: who signs everybody's, PEM file",
        TEXT(tls_ca), RULE(settings__is_path, "a path of 1 to 1023 bytes")},
    [SETTING_TLS_NAME] = {"TLS_NAME", "", "its host", "TLS: name in every node's certificate",
        TEXT(tls_name), RULE(settings__is_host, "a host name")},
    [SETTING_AUTOPILOT_JOIN] = {"AUTOPILOT_JOIN", NULL, "if gossip", "take in blank nodes, promote who is expected",
        SWITCH(autopilot_joins)},
    [SETTING_AUTOPILOT_REPLACE] = {"AUTOPILOT_REPLACE", "off", NULL, "replace a dead voter by a learner",
        SWITCH(autopilot_replaces)},
    [SETTING_AUTOPILOT_DEAD_S] = {"AUTOPILOT_DEAD_S", "300", NULL, "seconds after which it is given up",
        SECONDS(autopilot_dead_ms, 1, 31536000)},
    [SETTING_TICK_MS] = {"TICK_MS", "200", NULL, "milliseconds in a tick",
        NUMBER(tick_ms, 1, 60000)},
    [SETTING_ELECTION] = {"ELECTION", "20", NULL, "ticks without a leader before an election",
        NUMBER(election_ticks, 2, 10000)},
    [SETTING_HEARTBEAT] = {"HEARTBEAT", "5", NULL, "ticks between a leader's heartbeats",
        NUMBER(heartbeat_ticks, 1, 9999)},
    [SETTING_NODE_REGION] = {"NODE_REGION", "", NULL, "shown in the status",
        TEXT(node_region), RULE(settings__is_name, NAME_ALLOWED)},
    [SETTING_DEBUG_KEYS] = {"DEBUG_KEYS", "off", NULL, "on: /debug/keys shows keys and values to anybody",
        SWITCH(shows_keys)},
    [SETTING_LEASE_READS] = {"LEASE_READS", "on", NULL, "on: a leader's clock may vouch for its reads",
        SWITCH(uses_lease_reads)},
    [SETTING_GRPC_THREADS] = {"GRPC_THREADS", "1", NULL, "threads that decode and answer calls",
        NUMBER(grpc_threads, 1, 16)},
    [SETTING_STATE_OVERLAY_MB] = {"STATE_OVERLAY_MB", "32", NULL, "flush when this much waits in memory",
        MEBIBYTES(state_overlay_bytes, 1, 4096)},
    [SETTING_STATE_DIRTY_MB] = {"STATE_DIRTY_MB", "4", NULL, "pages that one transaction of a flush changes",
        MEBIBYTES(state_dirty_bytes, 1, 4096)},
    [SETTING_STATE_FLUSH_MS] = {"STATE_FLUSH_MS", "30000", NULL, "flush at the latest after this long",
        NUMBER(state_flush_ms, 1, 3600000)},
    [SETTING_STATE_RESERVE_MB] = {"STATE_RESERVE_MB", NULL, "of both", "room kept for the state on a full disk",
        MEBIBYTES(state_reserve_bytes, 1, 8192)},
    [SETTING_LOG_RESERVE_MB] = {"LOG_RESERVE_MB", "16", NULL, "room kept for the log on a full disk",
        MEBIBYTES(log_reserve_bytes, 1, 8192)},
    [SETTING_LOG_KEEP_MB] = {"LOG_KEEP_MB", "32", NULL, "log kept behind the flush, at most",
        MEBIBYTES(log_keep_bytes, 0, 65536)},
    [SETTING_LOG_KEEP_ENTRIES] = {"LOG_KEEP_ENTRIES", "10000", NULL, "entries kept behind the flush, at most",
        NUMBER(log_keep_entries, 0, 1000000000)},
    [SETTING_LOG_HOLD_MB] = {"LOG_HOLD_MB", "256", NULL, "log held for a snapshot's transfer, at most",
        MEBIBYTES(log_hold_bytes, 0, 65536)},
    [SETTING_SCRUB_PER_SECOND] = {"SCRUB_PER_SECOND", "10000", NULL, "records a second checked for damage; 0: off",
        NUMBER(scrub_per_second, 0, 10000000)},
    [SETTING_LOG_LEVEL] = {"LOG_LEVEL", "info", NULL, "debug, info, warn or error",
        CHOICE(log_level, log_levels)},
    [SETTING_LOG_FORMAT] = {"LOG_FORMAT", "logfmt", NULL, "logfmt or json, a line an event on stderr",
        CHOICE(log_format, log_formats)},
};
/* clang-format on */

static bool read_text(const struct setting *setting, const char *text, char *field) {
    size_t len = strlen(text);
    if (len >= setting->capacity || !setting->is_allowed(text))
        return false;
    memcpy(field, text, len + 1);
    return true;
}

/* Digits only; an overflow ends as a number above every maximum. */
static bool parse_number(const char *text, uint64_t *ret_number) {
    uint64_t number = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
    }
    *ret_number = number;
    return text[0] != '\0';
}

static bool read_number(const struct setting *setting, const char *text, uint64_t *field) {
    uint64_t number = 0;
    if (!parse_number(text, &number) || number < setting->min || number > setting->max)
        return false;
    *field = number * setting->unit;
    return true;
}

static bool read_switch(const char *text, bool *field) {
    bool is_on = strcasecmp(text, "on") == 0;
    if (!is_on && strcasecmp(text, "off") != 0)
        return false;
    *field = is_on;
    return true;
}

static bool read_choice(const struct setting *setting, const char *text, void *field) {
    for (unsigned i = 0; setting->choices[i]; i++) {
        if (strcasecmp(text, setting->choices[i]) == 0) {
            memcpy(field, &i, sizeof i);
            return true;
        }
    }
    return false;
}

bool settings__read(const struct setting *setting, const char *text, struct settings *settings) {
    void *field = (char *)settings + setting->offset;
    switch (setting->type) {
    case SETTING_TEXT: return read_text(setting, text, field);
    case SETTING_NUMBER: return read_number(setting, text, field);
    case SETTING_SWITCH: return read_switch(text, field);
    case SETTING_CHOICE: return read_choice(setting, text, field);
    }
    return false;
}

static const char *chosen_name(const struct setting *setting, const void *field) {
    unsigned choice = 0;
    memcpy(&choice, field, sizeof choice);
    return setting->choices[choice];
}

void settings__print_value(const struct setting *setting, const struct settings *settings,
                           struct text_writer *w) {
    const void *field = (const char *)settings + setting->offset;
    switch (setting->type) {
    case SETTING_TEXT:
        text_put(w, setting->is_secret && *(const char *)field ? "(set)" : field);
        break;
    case SETTING_NUMBER: text_put_u64(w, *(const uint64_t *)field / setting->unit); break;
    case SETTING_SWITCH: text_put(w, *(const bool *)field ? "on" : "off"); break;
    case SETTING_CHOICE: text_put(w, chosen_name(setting, field)); break;
    }
}

static void print_range(const struct setting *setting, struct text_writer *w) {
    text_put(w, "a whole number from ");
    text_put_u64(w, setting->min);
    text_put(w, " to ");
    text_put_u64(w, setting->max);
}

static void print_choices(const struct setting *setting, struct text_writer *w) {
    for (size_t i = 0; setting->choices[i]; i++) {
        if (i > 0)
            text_put(w, setting->choices[i + 1] ? ", " : " or ");
        text_put(w, setting->choices[i]);
    }
}

void settings__print_allowed(const struct setting *setting, struct text_writer *w) {
    switch (setting->type) {
    case SETTING_TEXT: text_put(w, setting->allowed); break;
    case SETTING_NUMBER: print_range(setting, w); break;
    case SETTING_SWITCH: text_put(w, "on or off"); break;
    case SETTING_CHOICE: print_choices(setting, w); break;
    }
}

void settings__print_flag(const struct setting *setting, struct text_writer *w) {
    text_put(w, "--");
    for (const char *at = setting->name; *at; at++) {
        char letter = *at == '_' ? '-' : (char)(*at | 0x20); /* the names are in A-Z and _ */
        text_put_bytes(w, bytes_of(&letter, 1));
    }
}
