#include "server/settings.h"

#include "server/settings_peers.h"
#include "server/settings_table.h"

#include <stdio.h>

/* Room for a value in an error line. */
#define SHOWN_BYTES_MAX ((size_t)200)
#define FLAG_BYTES_MAX ((size_t)40)

enum origin { FROM_DEFAULT, FROM_HOST_NAME, FROM_VARIABLE, FROM_FLAG };

/* The texts that count, before any is read as a value. */
struct given {
    const char *text[SETTING_COUNT]; /* NULL: no flag yet, later: worked out from others */
    enum origin from[SETTING_COUNT];
    bool is_adopting;
    bool is_rejoining;
    bool is_resetting_founding;
};

/* ---- Errors -------------------------------------------------------------------------------- */

static struct text_writer error_begin(char *error) {
    return text_writer_of(error, SETTINGS_ERROR_BYTES_MAX - 1);
}

static enum status error_end(struct text_writer *w) {
    w->data[w->len] = '\0';
    return STATUS_INVALID;
}

static void put_shown(struct text_writer *w, const char *value) {
    struct bytes bytes = bytes_of_text(value);
    text_put(w, "\"");
    if (text_put_escaped(w, bytes, SHOWN_BYTES_MAX) < bytes.len)
        text_put(w, "…");
    text_put(w, "\"");
}

static void put_origin(struct text_writer *w, const struct setting *setting, enum origin from) {
    if (from == FROM_HOST_NAME)
        text_put(w, " (the host's name)");
    if (from != FROM_FLAG)
        return;
    text_put(w, " (");
    settings__print_flag(setting, w);
    text_put(w, ")");
}

static void put_refused(struct text_writer *w, const struct given *given, enum setting_id id) {
    const struct setting *setting = &settings__table[id];
    text_put(w, setting->name);
    text_put(w, "=");
    put_shown(w, setting->is_secret ? "(hidden)" : given->text[id]);
    put_origin(w, setting, given->from[id]);
    text_put(w, ": must be ");
}

/* ---- Arguments ----------------------------------------------------------------------------- */

static bool flag_is(const char *flag, size_t len, const char *name) {
    return strlen(name) == len && memcmp(flag, name, len) == 0;
}

static enum setting_id setting_of_flag(const char *flag, size_t len) {
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        char name[FLAG_BYTES_MAX];
        struct text_writer w = text_writer_of(name, sizeof name - 1);
        settings__print_flag(&settings__table[id], &w);
        name[w.len] = '\0';
        if (flag_is(flag, len, name + strlen("--")))
            return id;
    }
    return SETTING_COUNT;
}

static bool request_of_flag(const char *flag, size_t len, enum settings_request *ret_request) {
    if (flag_is(flag, len, "help") || flag_is(flag, len, "h"))
        *ret_request = SETTINGS_HELP;
    else if (flag_is(flag, len, "version"))
        *ret_request = SETTINGS_VERSION;
    else if (flag_is(flag, len, "check-config"))
        *ret_request = SETTINGS_CHECK;
    else
        return false;
    return true;
}

/* Flags of one start, which take no value. */
static bool read_order(const char *flag, size_t len, struct given *given) {
    if (flag_is(flag, len, "adopt"))
        given->is_adopting = true;
    else if (flag_is(flag, len, "rejoin"))
        given->is_rejoining = true;
    else if (flag_is(flag, len, "reset-founding"))
        given->is_resetting_founding = true;
    else
        return false;
    return true;
}

static enum status refuse_argument(const char *argument, const char *why, char *error) {
    struct text_writer w = error_begin(error);
    text_put(&w, "argument ");
    put_shown(&w, argument);
    text_put(&w, why);
    return error_end(&w);
}

/* The name behind one dash or two; NULL when the argument is no flag. */
static const char *flag_of(const char *argument) {
    if (argument[0] != '-' || argument[1] == '\0')
        return NULL;
    const char *flag = argument + (argument[1] == '-' ? 2 : 1);
    return *flag == '\0' ? NULL : flag;
}

/* Takes one argument, or two when the value is the next one; moves `*at` to the last one taken. */
static enum status read_argument(const struct settings_source *source, int *at, struct given *given,
                                 enum settings_request *request, char *error) {
    const char *argument = source->argv[*at];
    const char *flag = flag_of(argument);
    if (!flag)
        return refuse_argument(argument, ": must be a flag; --help lists them", error);
    size_t len = strcspn(flag, "=");
    bool is_alone = flag[len] == '\0';
    if (is_alone && (request_of_flag(flag, len, request) || read_order(flag, len, given)))
        return STATUS_OK;
    enum setting_id id = setting_of_flag(flag, len);
    if (id == SETTING_COUNT)
        return refuse_argument(argument, ": must be a known flag; --help lists them", error);
    if (flag[len] == '=')
        given->text[id] = flag + len + 1;
    else if (*at + 1 < source->argc)
        given->text[id] = source->argv[++*at];
    else
        return refuse_argument(argument, ": must have a value after it", error);
    given->from[id] = FROM_FLAG;
    return STATUS_OK;
}

static enum status read_arguments(const struct settings_source *source, struct given *given,
                                  enum settings_request *request, char *error) {
    for (int i = 1; i < source->argc; i++) {
        enum status status = read_argument(source, &i, given, request, error);
        if (status != STATUS_OK)
            return status;
        if (*request == SETTINGS_HELP || *request == SETTINGS_VERSION)
            return STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- Values -------------------------------------------------------------------------------- */

/* A flag wins over the variable; an empty flag asks for the default. */
static void fill_given(const struct settings_source *source, struct given *given) {
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *setting = &settings__table[id];
        if (!given->text[id]) {
            given->text[id] = source->variable(source->context, setting->name);
            given->from[id] = FROM_VARIABLE;
        }
        if (!given->text[id] || given->text[id][0] == '\0') {
            given->text[id] = setting->fallback;
            given->from[id] = FROM_DEFAULT;
        }
    }
    if (!given->text[SETTING_NODE_ID]) {
        given->text[SETTING_NODE_ID] = source->host_name;
        given->from[SETTING_NODE_ID] = FROM_HOST_NAME;
    }
}

static enum status read_values(const struct given *given, struct settings *settings, char *error) {
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *setting = &settings__table[id];
        const char *text = given->text[id];
        bool is_unset = !text || (given->from[id] == FROM_DEFAULT && text[0] == '\0');
        if (is_unset || settings__read(setting, text, settings))
            continue;
        struct text_writer w = error_begin(error);
        put_refused(&w, given, id);
        settings__print_allowed(setting, &w);
        return error_end(&w);
    }
    settings->has_node_id = given->from[SETTING_NODE_ID] != FROM_HOST_NAME;
    settings__peers_read(settings);
    return STATUS_OK;
}

/* :9000 listens on all addresses, as [::]:9000 does. */
static void complete_address(char address[ADDRESS_BYTES_MAX]) {
    char port[ADDRESS_BYTES_MAX];
    if (address[0] != ':')
        return;
    memcpy(port, address, ADDRESS_BYTES_MAX);
    snprintf(address, ADDRESS_BYTES_MAX, "[::]%.8s", port);
}

static void work_out_cluster(struct settings *settings) {
    char made[NAME_BYTES_MAX];
    settings__label(settings, made);
    settings->has_cluster = settings->cluster[0] != '\0' && strcmp(settings->cluster, made) != 0;
    if (!settings->has_cluster)
        snprintf(settings->cluster, sizeof settings->cluster, "%s", made);
}

static void work_out(const struct given *given, struct settings *settings) {
    if (!given->text[SETTING_STATE_RESERVE_MB])
        settings->state_reserve_bytes =
            2 * settings->state_overlay_bytes + 4 * settings->state_dirty_bytes;
    if (!given->text[SETTING_AUTOPILOT_JOIN])
        settings->autopilot_joins = settings_has_gossip(settings);
    if (settings->bootstrap_expect == 0)
        settings->bootstrap_expect = settings->peer_count > 0 ? settings->peer_count : 1;
    complete_address(settings->grpc_address);
    complete_address(settings->debug_address);
    work_out_cluster(settings);
    settings->is_adopting = given->is_adopting;
    settings->is_rejoining = given->is_rejoining;
    settings->is_resetting_founding = given->is_resetting_founding;
}

/* ---- Together ------------------------------------------------------------------------------ */

static enum status check_times(const struct given *given, const struct settings *settings,
                               char *error) {
    if (settings->heartbeat_ticks < settings->election_ticks)
        return STATUS_OK;
    struct text_writer w = error_begin(error);
    put_refused(&w, given, SETTING_HEARTBEAT);
    text_put(&w, "below ELECTION, which is ");
    text_put_u64(&w, settings->election_ticks);
    return error_end(&w);
}

/* What is wrong with PEERS beyond its form, as the end of an error line; false: nothing. */
static bool put_peers_problem(const struct settings *settings, struct text_writer *w) {
    const char *repeated = settings__peers_repeated(settings);
    if (!settings->has_node_id) {
        text_put(w, "together with NODE_ID: the host's name is no name to agree on");
    } else if (repeated) {
        text_put(w, "a list that names every node once, and twice there is ");
        text_put(w, repeated);
    } else if (settings->peer_count == MEMBERS_MAX &&
               !settings__peer_find(settings, settings->node_id)) {
        text_put(w, "up to 16 names, with NODE_ID's own");
    } else {
        return false;
    }
    return true;
}

static enum status check_peers(const struct given *given, const struct settings *settings,
                               char *error) {
    if (settings->peer_count == 0)
        return STATUS_OK;
    struct text_writer w = error_begin(error);
    put_refused(&w, given, SETTING_PEERS);
    return put_peers_problem(settings, &w) ? error_end(&w) : STATUS_OK;
}

static enum status check_expect(const struct given *given, const struct settings *settings,
                                char *error) {
    const char *problem = settings__expect_problem(settings);
    if (!problem)
        return STATUS_OK;
    struct text_writer w = error_begin(error);
    put_refused(&w, given, SETTING_BOOTSTRAP_EXPECT);
    text_put(&w, problem);
    return error_end(&w);
}

/* With a part of it, somebody believes to be protected who is not. */
static enum status check_tls(const struct given *given, const struct settings *settings,
                             char *error) {
    const struct {
        enum setting_id id;
        bool is_given;
    } files[] = {{SETTING_TLS_CERT, settings->tls_certificate[0] != '\0'},
                 {SETTING_TLS_KEY, settings->tls_key[0] != '\0'},
                 {SETTING_TLS_CA, settings->tls_ca[0] != '\0'},
                 {SETTING_TLS_NAME, settings->tls_name[0] != '\0'}};
    bool is_whole = files[0].is_given && files[1].is_given && files[2].is_given;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (!files[i].is_given || is_whole)
            continue;
        struct text_writer w = error_begin(error);
        put_refused(&w, given, files[i].id);
        text_put(&w, "given together with TLS_CERT, TLS_KEY and TLS_CA");
        return error_end(&w);
    }
    return STATUS_OK;
}

/* Moved, or copied: only the operator knows which. */
static enum status check_orders(const struct given *given, const struct settings *settings,
                                char *error) {
    if (given->is_adopting && given->is_rejoining)
        return refuse_argument("--adopt", ": must not come with --rejoin", error);
    if (given->is_adopting && !settings->has_node_id)
        return refuse_argument("--adopt", ": must come with NODE_ID, the name to adopt", error);
    return STATUS_OK;
}

static enum status read_settings(const struct settings_source *source, struct given *given,
                                 struct settings *ret_settings, char *error) {
    struct settings settings = {0};
    fill_given(source, given);
    enum status status = read_values(given, &settings, error);
    if (status == STATUS_OK)
        status = check_times(given, &settings, error);
    if (status == STATUS_OK)
        status = check_peers(given, &settings, error);
    if (status == STATUS_OK) {
        settings__peers_complete(&settings);
        status = check_expect(given, &settings, error);
    }
    if (status == STATUS_OK)
        status = check_tls(given, &settings, error);
    if (status == STATUS_OK)
        status = check_orders(given, &settings, error);
    if (status != STATUS_OK)
        return status;
    work_out(given, &settings);
    *ret_settings = settings;
    return STATUS_OK;
}

enum status settings_parse(const struct settings_source *source, struct settings *ret_settings,
                           enum settings_request *ret_request,
                           char ret_error[SETTINGS_ERROR_BYTES_MAX]) {
    struct given given = {0};
    enum settings_request request = SETTINGS_RUN;
    enum status status = read_arguments(source, &given, &request, ret_error);
    if (status == STATUS_OK && (request == SETTINGS_RUN || request == SETTINGS_CHECK))
        status = read_settings(source, &given, ret_settings, ret_error);
    if (status == STATUS_OK)
        *ret_request = request;
    return status;
}
