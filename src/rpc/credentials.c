/* TLS by the core's own credentials, which watch the files: certificates are renewed without a
 * restart. One identity for the whole process, as server and as client alike. */
#include "rpc/credentials.h"

#include "rpc/rpc.h"

#include <grpc/grpc_security_constants.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* How often the files are looked at. */
#define REFRESH_S 1

static grpc_tls_certificate_provider *provider; /* NULL: everything is in the clear */
static char server_name[ADDRESS_BYTES_MAX];     /* empty: the host's */

/* ---- Taking the files ---------------------------------------------------------------------- */

static bool has_expired(const SSL_CTX *context) {
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    return X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}

static const char *problem_with_certificate(SSL_CTX *context, const char *path) {
    if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
        return "holds no certificate in PEM";
    return has_expired(context) ? "holds a certificate that has expired" : NULL;
}

static const char *problem_with_key(SSL_CTX *context, const char *path) {
    bool is_its = SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1;
    return is_its ? NULL : "holds no private key in PEM that belongs to the certificate";
}

static const char *problem_with_ca(SSL_CTX *context, const char *path) {
    return SSL_CTX_load_verify_file(context, path) == 1 ? NULL : "holds no certificate in PEM";
}

/* The core would take anything, and then never connect. */
static enum status check(const struct rpc_tls *tls, char *ret_problem) {
    const struct {
        const char *path;
        const char *(*problem_with)(SSL_CTX *context, const char *path);
    } files[] = {{tls->certificate_path, problem_with_certificate},
                 {tls->key_path, problem_with_key},
                 {tls->ca_path, problem_with_ca}};
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    CHECK(context != NULL);
    /* A key that needs a passphrase fails: without one here, OpenSSL would ask the terminal. */
    static char passphrase[] = "";
    SSL_CTX_set_default_passwd_cb_userdata(context, passphrase);
    const char *problem = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && problem == NULL; i++) {
        const char *path = files[i].path;
        problem = access(path, R_OK) != 0 ? "cannot be read" : files[i].problem_with(context, path);
        if (problem != NULL)
            snprintf(ret_problem, RPC_PROBLEM_BYTES_MAX, "%.400s %s", path, problem);
    }
    SSL_CTX_free(context);
    ERR_clear_error();
    return problem == NULL ? STATUS_OK : STATUS_INVALID;
}

enum status rpc_use_tls(const struct rpc_tls *tls, char ret_problem[static RPC_PROBLEM_BYTES_MAX]) {
    CHECK(provider == NULL);
    enum status status = check(tls, ret_problem);
    if (status != STATUS_OK)
        return status;
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
        if (property->value_length == len && strncasecmp(property->value, name, len) == 0)
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
