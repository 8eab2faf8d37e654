/* Any bytes as a message or a record of founding: what decodes is sound, and encodes to the same
 * bytes; and a node survives any message. */
#include "founding/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_record(const uint8_t *data, size_t size) {
    struct founding_state state;
    uint8_t again[FOUNDING_RECORD_BYTES_MAX];
    if (founding__state_decode(bytes_of(data, size), &state) != STATUS_OK)
        return;
    CHECK(founding__state_encode(&state, again) == size && memcmp(again, data, size) == 0);
}

static void try_message(const uint8_t *data, size_t size) {
    struct founding_content content;
    uint8_t again[FOUNDING_MESSAGE_BYTES_MAX];
    if (founding__content_decode(bytes_of(data, size), &content) != STATUS_OK)
        return;
    CHECK(founding__content_encode(&content, again) == size && memcmp(again, data, size) == 0);
}

static void try_node(const uint8_t *data, size_t size) {
    struct founding_config config = {.self = 2, .name = "b", .expect = 3, .retry_ms = 100};
    struct founding_event event = {.kind = FOUNDING_EVENT_RECEIVE,
                                   .receive = {1, bytes_of(data, size)}};
    struct founding_ready ready;
    struct founding *f;
    CHECK(founding_new(&config, &f) == STATUS_OK);
    for (int i = 0; i < 2; i++)
        if (founding_step(f, &event) != STATUS_OK)
            break;
    founding_ready(f, &ready);
    founding_advance(f);
    founding_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    try_record(data, size);
    try_message(data, size);
    try_node(data, size);
    return 0;
}
