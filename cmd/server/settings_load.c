/* Settings meet people and the process: the help, the environment, the log. */
#include "server/settings.h"
#include "server/settings_table.h"

#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PROGRAM "phalanx-server"
#define EXIT_USAGE 2
#define OUTPUT_BYTES_MAX ((size_t)16384)
#define HOST_NAME_CAPACITY 256

/* ---- Text ---------------------------------------------------------------------------------- */

static void put_padded(struct text_writer *w, const char *text, size_t width) {
    text_put(w, text);
    for (size_t len = strlen(text); len < width; len++)
        text_put(w, " ");
}

static void put_row(struct text_writer *w, const char *name, const char *flag, const char *shown,
                    const char *meaning) {
    text_put(w, "  ");
    put_padded(w, name, 18);
    put_padded(w, flag, 20);
    put_padded(w, shown, 11);
    text_put(w, meaning);
    text_put(w, "\n");
}

static void put_setting_row(struct text_writer *w, const struct setting *setting) {
    char flag[64];
    struct text_writer flag_writer = text_writer_of(flag, sizeof flag - 1);
    settings__print_flag(setting, &flag_writer);
    flag[flag_writer.len] = '\0';
    put_row(w, setting->name, flag, setting->shown ? setting->shown : setting->fallback,
            setting->meaning);
}

size_t settings_help(char *text, size_t capacity) {
    struct text_writer w = text_writer_of(text, capacity);
    text_put(&w, "usage: " PROGRAM " [flag ...]\n\n"
                 "One node of a replicated key-value store. Each setting is an environment variable"
                 " and a flag,\n"
                 "--flag value or --flag=value, with one dash or two; the flag wins. Empty means"
                 " unset.\n\n");
    put_row(&w, "VARIABLE", "FLAG", "DEFAULT", "MEANING");
    for (enum setting_id id = 0; id < SETTING_COUNT; id++)
        put_setting_row(&w, &settings__table[id]);
    text_put(&w, "\n");
    put_row(&w, "", "--adopt", "", "take NODE_ID for the name of a moved directory");
    put_row(&w, "", "--rejoin", "", "set what the directory holds aside, join as new");
    put_row(&w, "", "--reset-founding", "", "give up a founding that cannot end");
    put_row(&w, "", "--check-config", "", "check, print, and exit: 0, or 2 when wrong");
    put_row(&w, "", "--version", "", "print the version");
    put_row(&w, "", "--help", "", "print this table");
    return w.len;
}

size_t settings_print(const struct settings *s, char *text, size_t capacity) {
    struct text_writer w = text_writer_of(text, capacity);
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        text_put(&w, settings__table[id].name);
        text_put(&w, "=");
        settings__print_value(&settings__table[id], s, &w);
        text_put(&w, "\n");
    }
    return w.len;
}

/* ---- Process ------------------------------------------------------------------------------- */

static const char *environment_variable(void *context, const char *name) {
    (void)context;
    return getenv(name);
}

static void print_checked(const struct settings *s) {
    char text[OUTPUT_BYTES_MAX];
    fwrite(text, 1, settings_print(s, text, sizeof text), stdout);
    if (!settings_has_calm_elections(s))
        fputs(PROGRAM ": warning: ELECTION is less than four times HEARTBEAT\n", stderr);
}

static void print_help(void) {
    char text[OUTPUT_BYTES_MAX];
    fwrite(text, 1, settings_help(text, sizeof text), stdout);
}

bool settings_load(int argc, char *const *argv, struct settings *ret_settings,
                   int *ret_exit_status) {
    char host_name[HOST_NAME_CAPACITY] = "";
    /* On failure the name stays empty, and the line below asks for NODE_ID. */
    (void)gethostname(host_name, sizeof host_name - 1);
    const struct settings_source source = {
        .argc = argc,
        .argv = argv,
        .variable = environment_variable,
        .host_name = host_name,
    };
    enum settings_request request = SETTINGS_RUN;
    char error[SETTINGS_ERROR_BYTES_MAX];
    if (settings_parse(&source, ret_settings, &request, error) != STATUS_OK) {
        fprintf(stderr, PROGRAM ": %s\n", error);
        *ret_exit_status = EXIT_USAGE;
        return false;
    }
    switch (request) {
    case SETTINGS_RUN: return true;
    case SETTINGS_CHECK: print_checked(ret_settings); break;
    case SETTINGS_HELP: print_help(); break;
    case SETTINGS_VERSION: puts(PROGRAM " " PHALANX_VERSION " (" PHALANX_COMMIT ")"); break;
    }
    *ret_exit_status = EXIT_SUCCESS;
    return false;
}

void settings_log(const struct settings *s) {
    log_info("settings", log_text("node_id", s->node_id), log_text("cluster", s->cluster),
             log_u64("peers", s->peer_count), log_text("region", s->node_region),
             log_text("data_dir", s->data_dir), log_text("grpc_addr", s->grpc_address),
             log_text("debug_addr", s->debug_address), log_u64("tick_ms", s->tick_ms),
             log_u64("election_ms", settings_election_ms(s)),
             log_u64("heartbeat_ms", settings_heartbeat_ms(s)),
             log_bool("lease_reads", s->uses_lease_reads), log_bool("tls", settings_has_tls(s)));
    if (!settings_has_calm_elections(s))
        log_warn("ELECTION is less than four times HEARTBEAT",
                 log_u64("election_ticks", s->election_ticks),
                 log_u64("heartbeat_ticks", s->heartbeat_ticks));
}
