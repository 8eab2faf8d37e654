/* TLS by the core's own credentials, which watch the files: certificates are renewed without a
 * restart. One identity for the whole process, as server and as client alike. */
#include "rpc/credentials.h"

#include "rpc/rpc.h"

#include <grpc/grpc_security_constants.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often the files are looked at. */
#define REFRESH_S 1

/* Chains and bundles of authorities are some ten KiB. */
#define PEM_BYTES_MAX (1 * MIB)

static grpc_tls_certificate_provider *provider; /* NULL: everything is in the clear */
static char server_name[ADDRESS_BYTES_MAX];     /* empty: the host's */

/* ---- Taking the files ---------------------------------------------------------------------- */

/* The text is the caller's; NULL: it cannot be read, or is too large. */
static char *read_text(const char *path) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *text = malloc(PEM_BYTES_MAX + 1);
    CHECK(text != NULL);
    size_t len = fread(text, 1, PEM_BYTES_MAX + 1, file);
    bool is_whole = len <= PEM_BYTES_MAX && ferror(file) == 0;
    (void)fclose(file); /* it was only read */
    if (!is_whole) {
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

/* What a file lacks to be of use; NULL: nothing that shows. */
static const char *lack_of(const char *path, const char *mark, const char *lack) {
    char *text = read_text(path);
    if (text == NULL)
        return "cannot be read";
    bool has_mark = strstr(text, mark) != NULL;
    free(text);
    return has_mark ? NULL : lack;
}

enum status rpc_use_tls(const struct rpc_tls *tls, char ret_problem[static RPC_PROBLEM_BYTES_MAX]) {
    static const char certificate[] = "-----BEGIN CERTIFICATE-----";
    const struct {
        const char *path;
        const char *mark;
        const char *lack;
    } files[] = {{tls->certificate_path, certificate, "holds no certificate in PEM"},
                 {tls->key_path, "PRIVATE KEY-----", "holds no private key in PEM"},
                 {tls->ca_path, certificate, "holds no certificate in PEM"}};
    CHECK(provider == NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *lack = lack_of(files[i].path, files[i].mark, files[i].lack);
        if (lack == NULL)
            continue;
        snprintf(ret_problem, RPC_PROBLEM_BYTES_MAX, "%.400s %s", files[i].path, lack);
        return STATUS_INVALID;
    }
    provider =
        grpc_tls_certificate_provider_file_watcher_create(tls->key_path, tls->certificate_path,
                                                          tls->ca_path, REFRESH_S);
    snprintf(server_name, sizeof server_name, "%s", tls->server_name);
    return STATUS_OK;
}

void rpc__credentials_close(void) {
    if (provider != NULL)
        grpc_tls_certificate_provider_release(provider);
    provider = NULL;
    server_name[0] = '\0';
}

/* ---- Giving them out ----------------------------------------------------------------------- */

static grpc_tls_credentials_options *options_new(void) {
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_credentials_options_watch_root_certs(options);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    return options;
}

grpc_channel_credentials *rpc__channel_credentials_new(void) {
    if (provider == NULL)
        return grpc_insecure_credentials_create();
    return grpc_tls_credentials_create(options_new());
}

/* Who has no certificate of our authority is nobody. */
grpc_server_credentials *rpc__server_credentials_new(void) {
    if (provider == NULL)
        return grpc_insecure_server_credentials_create();
    grpc_tls_credentials_options *options = options_new();
    grpc_tls_credentials_options_set_cert_request_type(
        options, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    return grpc_tls_server_credentials_create(options);
}

const char *rpc__credentials_server_name(void) {
    return server_name[0] != '\0' ? server_name : NULL;
}

static bool has_name(grpc_auth_context *context, const char *name) {
    grpc_auth_property_iterator names =
        grpc_auth_context_find_properties_by_name(context, GRPC_PEER_DNS_PROPERTY_NAME);
    const grpc_auth_property *property;
    size_t len = strlen(name);
    while ((property = grpc_auth_property_iterator_next(&names)) != NULL) {
        if (property->value_length == len && memcmp(property->value, name, len) == 0)
            return true;
    }
    return false;
}

bool rpc__credentials_is_node(grpc_call *call) {
    if (server_name[0] == '\0')
        return true;
    grpc_auth_context *context = grpc_call_auth_context(call);
    bool is_node = context != NULL && has_name(context, server_name);
    grpc_auth_context_release(context);
    return is_node;
}
