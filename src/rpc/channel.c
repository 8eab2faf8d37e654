#include "rpc/channel.h"

#include "bounds.h"
#include "check.h"
#include "rpc/credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Addresses ----------------------------------------------------------------------------- */

static bool port_is_valid(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 5 && text[digits] == '\0' && atol(text) <= 65535;
}

/* host:port or [IPv6]:port. */
bool rpc__address_is_valid(const char *address) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || strlen(address) >= ADDRESS_BYTES_MAX)
        return false;
    bool has_brackets = address[0] == '[' && colon[-1] == ']';
    if (!has_brackets && strcspn(address, ":[]/%") != (size_t)(colon - address))
        return false;
    return port_is_valid(colon + 1);
}

/* "dns:///host:port", escaped: the scheme is spelled out so that no host name is taken for one. */
static void target_of(const char *address, char *ret_target) {
    char *end = stpcpy(ret_target, "dns:///");
    for (const char *c = address; *c != '\0'; c++) {
        if (*c == '[' || *c == ']' || *c == '%')
            end += sprintf(end, "%%%02X", (unsigned)*c);
        else
            *end++ = *c;
    }
    *end = '\0';
}

/* ---- Channels ------------------------------------------------------------------------------ */

static grpc_arg integer_arg(const char *key, int value) {
    return (grpc_arg){
        .type = GRPC_ARG_INTEGER,
        .key = (char *)key, /* the core only reads it */
        .value = {.integer = value},
    };
}

grpc_channel *rpc__channel_new(const char *address, const struct rpc__channel_config *config) {
    CHECK(rpc__address_is_valid(address));
    grpc_arg args[] = {
        /* After an outage the first attempt should find the server soon; the core adds a fifth. */
        integer_arg("grpc.initial_reconnect_backoff_ms", 100),
        integer_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 400),
        /* Despite its name, how long one attempt to connect may take: two round trips around the
         * world, and one lost packet. */
        integer_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000),
        integer_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000),
        /* A machine that vanished is otherwise kept for many minutes. */
        integer_arg(GRPC_ARG_KEEPALIVE_TIME_MS, (int)config->keepalive_ms),
        integer_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, (int)config->keepalive_timeout_ms),
        integer_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)config->receive_bytes_max),
        integer_arg(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1),
        /* Whether a call may be repeated is not the library's to decide. */
        integer_arg(GRPC_ARG_ENABLE_RETRIES, 0),
        integer_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        /* A proxy that the environment names is not meant for us. */
        integer_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer_arg(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        /* The last: only where there is a name. */
        {.type = GRPC_ARG_STRING, .key = (char *)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG},
    };
    size_t count = sizeof args / sizeof args[0];
    const char *name = rpc__credentials_server_name();
    args[count - 1].value.string = (char *)name;
    grpc_channel_args channel_args = {.num_args = name != NULL ? count : count - 1, .args = args};
    char target[3 * ADDRESS_BYTES_MAX + 8];
    target_of(address, target);
    grpc_channel_credentials *credentials = rpc__channel_credentials_new();
    grpc_channel *channel = grpc_channel_create(target, credentials, &channel_args);
    grpc_channel_credentials_release(credentials);
    CHECK(channel != NULL);
    return channel;
}
