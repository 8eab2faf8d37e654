#include "kv/lmdb_env.h"

#include <lmdb.h>

static MDB_val to_value(struct bytes bytes) {
    /* LMDB takes a pointer to mutable bytes and changes none. */
    return (MDB_val){.mv_size = bytes.len, .mv_data = (void *)bytes.data};
}

static struct bytes of_value(MDB_val value) {
    return bytes_of(value.mv_data, value.mv_size);
}

/* ---- Reading ------------------------------------------------------------------------------- */

enum status kv__reader_open(struct kv_env *env, struct kv_reader *ret_reader) {
    struct kv_reader reader = {.env = env};
    int result = mdb_txn_begin(env->mdb, NULL, MDB_RDONLY, &reader.txn);
    if (result != 0)
        return kv__env_status(result);
    result = mdb_cursor_open(reader.txn, env->dbi, &reader.cursor);
    if (result != 0) {
        mdb_txn_abort(reader.txn);
        return kv__env_status(result);
    }
    *ret_reader = reader;
    return STATUS_OK;
}

enum status kv__reader_renew(struct kv_reader *reader) {
    mdb_txn_reset(reader->txn);
    int result = mdb_txn_renew(reader->txn);
    if (result == 0)
        result = mdb_cursor_renew(reader->txn, reader->cursor);
    return kv__env_status(result);
}

void kv__reader_close(struct kv_reader *reader) {
    mdb_cursor_close(reader->cursor);
    mdb_txn_abort(reader->txn);
    *reader = (struct kv_reader){0};
}

enum status kv__reader_get(struct kv_reader *reader, struct bytes key, struct bytes *ret_record) {
    MDB_val name = to_value(key);
    MDB_val record;
    int result = mdb_get(reader->txn, reader->env->dbi, &name, &record);
    if (result == 0)
        *ret_record = of_value(record);
    return kv__env_status(result);
}

static enum status move(struct kv_reader *reader, struct bytes from, MDB_cursor_op operation,
                        struct bytes *ret_key, struct bytes *ret_record) {
    MDB_val key = to_value(from);
    MDB_val record;
    int result = mdb_cursor_get(reader->cursor, &key, &record, operation);
    if (result == 0) {
        *ret_key = of_value(key);
        *ret_record = of_value(record);
    }
    return kv__env_status(result);
}

enum status kv__reader_seek(struct kv_reader *reader, struct bytes key, struct bytes *ret_key,
                            struct bytes *ret_record) {
    /* LMDB has no empty keys and does not look for one. */
    MDB_cursor_op operation = key.len == 0 ? MDB_FIRST : MDB_SET_RANGE;
    return move(reader, key, operation, ret_key, ret_record);
}

enum status kv__reader_next(struct kv_reader *reader, struct bytes *ret_key,
                            struct bytes *ret_record) {
    return move(reader, (struct bytes){0}, MDB_NEXT, ret_key, ret_record);
}

enum status kv__reader_last(struct kv_reader *reader, struct bytes *ret_key,
                            struct bytes *ret_record) {
    return move(reader, (struct bytes){0}, MDB_LAST, ret_key, ret_record);
}

uint64_t kv__reader_count(struct kv_reader *reader) {
    MDB_stat stat;
    CHECK(mdb_stat(reader->txn, reader->env->dbi, &stat) == 0);
    return stat.ms_entries;
}

/* ---- Writing ------------------------------------------------------------------------------- */

enum status kv__writer_begin(struct kv_env *env, const struct kv_demand *demand, bool is_essential,
                             struct kv_writer *ret_writer) {
    if (env->has_failed)
        return STATUS_IO;
    enum status status = kv__env_make_room(env, demand, is_essential);
    if (status != STATUS_OK)
        return status;
    struct kv_writer writer = {.env = env};
    int result = mdb_txn_begin(env->mdb, NULL, 0, &writer.txn);
    if (result == 0)
        *ret_writer = writer;
    return kv__env_status(result);
}

enum status kv__writer_put(struct kv_writer *writer, struct bytes key, struct bytes record) {
    MDB_val name = to_value(key);
    MDB_val value = to_value(record);
    return kv__env_status(mdb_put(writer->txn, writer->env->dbi, &name, &value, 0));
}

static enum status place(struct kv_writer *writer, struct bytes key, size_t len, unsigned flags,
                         uint8_t **ret_record) {
    MDB_val name = to_value(key);
    MDB_val value = {.mv_size = len};
    int result = mdb_put(writer->txn, writer->env->dbi, &name, &value, flags | MDB_RESERVE);
    if (result == 0)
        *ret_record = value.mv_data;
    return kv__env_status(result);
}

enum status kv__writer_append(struct kv_writer *writer, struct bytes key, size_t len,
                              uint8_t **ret_record) {
    return place(writer, key, len, MDB_APPEND, ret_record);
}

enum status kv__writer_place(struct kv_writer *writer, struct bytes key, size_t len,
                             uint8_t **ret_record) {
    return place(writer, key, len, 0, ret_record);
}

enum status kv__writer_get(struct kv_writer *writer, struct bytes key, struct bytes *ret_record) {
    MDB_val name = to_value(key);
    MDB_val record;
    int result = mdb_get(writer->txn, writer->env->dbi, &name, &record);
    if (result == 0)
        *ret_record = of_value(record);
    return kv__env_status(result);
}

enum status kv__writer_delete(struct kv_writer *writer, struct bytes key) {
    MDB_val name = to_value(key);
    return kv__env_status(mdb_del(writer->txn, writer->env->dbi, &name, NULL));
}

enum status kv__writer_end(struct kv_writer *writer, enum status so_far) {
    if (so_far != STATUS_OK) {
        mdb_txn_abort(writer->txn);
        return so_far;
    }
    enum status status = kv__env_status(mdb_txn_commit(writer->txn));
    if (status == STATUS_OK)
        kv__env_count_pages(writer->env);
    writer->env->has_failed = status == STATUS_IO;
    return status;
}
