#include "phalanx/member.h"

#include <stdlib.h>
#include <string.h>

static bool read_identity(const char *digits, struct rpc_member_name *ret_name) {
    size_t len = strlen(digits);
    if (len == 0 || len > 16 || strspn(digits, "0123456789abcdefABCDEF") != len)
        return false;
    uint64_t id = strtoull(digits, NULL, 16);
    if (id == 0) /* nobody's */
        return false;
    *ret_name = (struct rpc_member_name){.id = id};
    return true;
}

bool cli_member_read(const char *word, struct rpc_member_name *ret_name) {
    if (strncmp(word, "id:", 3) == 0)
        return read_identity(word + 3, ret_name);
    size_t len = strlen(word);
    if (len == 0 || len >= NAME_BYTES_MAX || strchr(word, ':') != NULL)
        return false;
    *ret_name = (struct rpc_member_name){0};
    memcpy(ret_name->name, word, len + 1);
    return true;
}
