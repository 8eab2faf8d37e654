/* Any bytes as a command: what decodes is within the limits, and encodes to the same bytes. */
#include "kv/command.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct kv_command command;
    if (kv__command_decode(bytes_of(data, size), &command) != STATUS_OK)
        return 0;
    CHECK(kv_request_check(&command.request) == NULL);
    CHECK(kv_command_size(&command.request) == size);
    uint8_t *again = malloc(size);
    CHECK(again);
    kv_command_encode(&command.request, command.logged_ms, again, size);
    CHECK(memcmp(again, data, size) == 0);
    free(again);
    return 0;
}
