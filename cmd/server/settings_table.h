/* The table behind settings.h: one row a setting. */
#ifndef PHALANX_SETTINGS_TABLE_H
#define PHALANX_SETTINGS_TABLE_H

#include "server/settings.h"
#include "text.h"

/* In the order of the help. */
enum setting_id {
    SETTING_NODE_ID,
    SETTING_PEERS,
    SETTING_CLUSTER,
    SETTING_DATA_DIR,
    SETTING_GRPC_ADDR,
    SETTING_DEBUG_ADDR,
    SETTING_ADVERTISE_ADDR,
    SETTING_BOOTSTRAP_EXPECT,
    SETTING_SEEDS,
    SETTING_DISCOVERY_DNS,
    SETTING_DISCOVERY_SERVER,
    SETTING_BIND_ADDR,
    SETTING_BIND_PORT,
    SETTING_GOSSIP_KEY,
    SETTING_TLS_CERT,
    SETTING_TLS_KEY,
    SETTING_TLS_CA,
    SETTING_TLS_NAME,
    SETTING_AUTOPILOT_JOIN,
    SETTING_AUTOPILOT_REPLACE,
    SETTING_AUTOPILOT_DEAD_S,
    SETTING_TICK_MS,
    SETTING_ELECTION,
    SETTING_HEARTBEAT,
    SETTING_NODE_REGION,
    SETTING_DEBUG_KEYS,
    SETTING_LEASE_READS,
    SETTING_GRPC_THREADS,
    SETTING_STATE_OVERLAY_MB,
    SETTING_STATE_DIRTY_MB,
    SETTING_STATE_FLUSH_MS,
    SETTING_STATE_RESERVE_MB,
    SETTING_LOG_RESERVE_MB,
    SETTING_LOG_KEEP_MB,
    SETTING_LOG_KEEP_ENTRIES,
    SETTING_LOG_HOLD_MB,
    SETTING_SCRUB_PER_SECOND,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_COUNT,
};

/* How a setting lies in struct settings. */
enum setting_type {
    SETTING_TEXT,   /* char[] */
    SETTING_NUMBER, /* uint64_t: the value times `unit` */
    SETTING_SWITCH, /* bool: on or off */
    SETTING_CHOICE, /* an enum whose values are the positions in `choices` */
};

struct setting {
    const char *name;     /* of the variable; the flag's is made of it */
    const char *fallback; /* what stands when it is unset; NULL: settings.c works it out */
    const char *shown;    /* the default as the help shows it, where `fallback` does not */
    const char *meaning;
    enum setting_type type;
    size_t offset; /* in struct settings */

    size_t capacity; /* text: bytes, with the final zero */
    bool (*is_allowed)(const char *text);
    const char *allowed; /* in words, after "must be" */
    bool is_secret;      /* it is never shown */

    uint64_t min; /* number: as it is written */
    uint64_t max;
    uint64_t unit;

    const char *const *choices; /* choice: ends with NULL */
};

extern const struct setting settings__table[SETTING_COUNT];

/* Read `text` into the setting's field; false: not allowed, nothing changed. */
bool settings__read(const struct setting *setting, const char *text, struct settings *settings);

/* The field, as it would be written. */
void settings__print_value(const struct setting *setting, const struct settings *settings,
                           struct text_writer *w);

/* What is allowed, in words that follow "must be". */
void settings__print_allowed(const struct setting *setting, struct text_writer *w);

/* "--tick-ms" of TICK_MS. */
void settings__print_flag(const struct setting *setting, struct text_writer *w);

#endif
