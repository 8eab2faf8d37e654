/* The key browser: /debug/keys, where it is switched on. */
#ifndef PHALANX_DEBUG_HTTP_KEYS_H
#define PHALANX_DEBUG_HTTP_KEYS_H

#include "debug/debug.h"

struct mg_connection;

#define HTTP_KEYS_PATH "/debug/keys"

/* Read the keys that were asked for, and send them; returns the code. */
int debug__http_send_keys(struct mg_connection *connection,
                          const struct debug_server_config *config);

#endif
