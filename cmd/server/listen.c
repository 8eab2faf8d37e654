/* The ports that this node opens, and where the others reach what listens there. */
#include "log.h"
#include "server/wiring.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The loop is sick when it has not run a turn for so long. */
#define STALL_MS 10000

static enum status bind_rpc(struct server *s) {
    struct rpc_server_config config = {
        .address = s->settings->grpc_address,
        .threads = (unsigned)s->settings->grpc_threads,
        .user_bytes = sizeof(struct server_call),
        .message_user_bytes = mesh_message_bytes(),
        .handlers = server__handlers(s),
    };
    enum status status = rpc_server_new(&config, &s->rpc);
    if (status == STATUS_BUSY)
        log_error("the gRPC port is taken", log_text("grpc_addr", s->settings->grpc_address));
    else if (status != STATUS_OK)
        log_error("cannot listen for gRPC", log_text("grpc_addr", s->settings->grpc_address),
                  log_status("status", status));
    return status;
}

static enum status bind_debug(struct server *s) {
    struct debug_server_config config = {
        .address = s->settings->debug_address,
        .region = s->settings->node_region,
        .stall_ms = STALL_MS,
        .context = s,
        .read_status = server__read_status,
        .read_report = server__read_report,
        .read_keys = s->settings->shows_keys ? server__browse : NULL,
    };
    return debug_server_new(&config, &s->debug); /* it logs why not */
}

/* Where the others reach what listens at `configured`, with the port that was bound. A wildcard is
 * no place to go to: this host's name stands for it, or nothing where the others will find out. */
static void find_address(const char *configured, int port, bool is_found_out,
                         char address[ADDRESS_BYTES_MAX]) {
    const char *colon = strrchr(configured, ':');
    CHECK(colon);
    int host_len = (int)(colon - configured);
    bool is_wildcard = strncmp(configured, "[::]:", 5) == 0 ||
                       strncmp(configured, "0.0.0.0:", 8) == 0 || host_len == 0;
    char host[NAME_BYTES_MAX] = "localhost";
    if (is_wildcard && is_found_out)
        host[0] = '\0';
    else if (is_wildcard && gethostname(host, sizeof host - 1) != 0)
        log_warn("no host name", log_errno("error", errno));
    if (is_wildcard)
        snprintf(address, ADDRESS_BYTES_MAX, "%s:%d", host, port);
    else
        snprintf(address, ADDRESS_BYTES_MAX, "%.*s:%d", host_len, configured, port);
}

static void find_addresses(struct server *s) {
    const struct settings *settings = s->settings;
    bool has_gossip = settings_has_gossip(settings);
    if (settings->advertise_address[0] != '\0')
        snprintf(s->address, sizeof s->address, "%s", settings->advertise_address);
    else
        find_address(settings->grpc_address, rpc_server_port(s->rpc), has_gossip, s->address);
    find_address(settings->debug_address, debug_server_port(s->debug), has_gossip, s->http_address);
}

enum status server__listen(struct server *s) {
    enum status status = bind_rpc(s);
    if (status == STATUS_OK)
        status = bind_debug(s);
    if (status == STATUS_OK)
        find_addresses(s);
    return status;
}
