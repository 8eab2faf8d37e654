/* Every start of this node, for peers that remember one of them (design: Identity). */
#include "kv/stores.h"

enum status kv__log_start_put(struct kv_writer *writer, const struct kv_identity *identity) {
    uint8_t key[KV_LOG_START_KEY_BYTES];
    uint8_t record[KV_LOG_META_BYTES_MAX];
    uint64_t counter = identity->start_counter;
    enum status status =
        kv__writer_put(writer, kv__log_start_key(counter, key),
                       kv__log_start_record(counter, identity->start_nonce, record));
    if (status != STATUS_OK || counter <= STARTS_KEPT)
        return status;
    status = kv__writer_delete(writer, kv__log_start_key(counter - STARTS_KEPT, key));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status kv_log_start_nonce(struct kv_log *log, uint64_t counter, uint64_t *ret_nonce) {
    uint8_t key[KV_LOG_START_KEY_BYTES];
    struct kv_reader reader;
    struct bytes record;
    enum status status = kv__reader_open(log->env, &reader);
    if (status != STATUS_OK)
        return status;
    status = kv__reader_get(&reader, kv__log_start_key(counter, key), &record);
    if (status == STATUS_OK)
        status = kv__log_start_decode(counter, record, ret_nonce);
    kv__reader_close(&reader);
    return status;
}
