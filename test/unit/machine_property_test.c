/* Random commands, on two replicas and a dumb model. One replica never flushes; the other freezes,
 * stores, finishes and dies at random. Their answers, counts and hashes never differ. */
#include "kv/machine.h"
#include "support/chance.h"
#include "support/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEYS 24
#define CLIENTS 6
#define ANSWERS_MAX 4000 /* one per step */
#define STEPS 4000
#define RUNS 10

/* ---- The model ----------------------------------------------------------------------------- */

struct model_key {
    int64_t create, mod, version; /* version 0: no such key */
    uint8_t fill;                 /* what its value is made of */
    size_t len;
};

/* A client's whole history; what is outside of the window is kept too, and not looked at. */
struct model_client {
    bool is_known;
    uint64_t newest;
    uint64_t used_ms;
    size_t count;
    struct {
        uint64_t sequence;
        struct kv_response response;
    } answers[ANSWERS_MAX];
};

struct model {
    int64_t revision;
    uint64_t logged_ms;
    struct model_key keys[KEYS];
    struct model_client clients[CLIENTS];
};

/* One step: a request, in terms of the model. */
struct move {
    struct kv_request request;
    size_t key;
    size_t client;
    uint8_t fill;
};

static struct kv_response model_write(struct model *model, const struct move *move) {
    struct model_key *key = &model->keys[move->key];
    const struct kv_request *request = &move->request;
    if (request->has_prev_revision && request->prev_revision != key->mod)
        return (struct kv_response){.status = STATUS_PRECONDITION, .is_not_applied = true};
    bool is_put = request->operation == KV_PUT;
    bool was_there = key->version > 0;
    if (is_put || was_there)
        model->revision++;
    if (is_put)
        *key = (struct model_key){.create = was_there ? key->create : model->revision,
                                  .mod = model->revision,
                                  .version = key->version + 1,
                                  .fill = move->fill,
                                  .len = request->value.len};
    else
        *key = (struct model_key){0};
    return (struct kv_response){.is_found = !is_put && was_there, .revision = model->revision};
}

/* The answer given to this sequence since the session began, or NULL. */
static const struct kv_response *model_seen(const struct model_client *client, uint64_t sequence) {
    for (size_t i = client->count; i > 0; i--)
        if (client->answers[i - 1].sequence == sequence)
            return &client->answers[i - 1].response;
    return NULL;
}

static struct kv_response model_apply(struct model *model, const struct move *move) {
    if (!move->request.has_request_id)
        return model_write(model, move);
    struct model_client *client = &model->clients[move->client];
    uint64_t sequence = move->request.sequence;
    if (client->is_known && model->logged_ms - client->used_ms > 3600000)
        *client = (struct model_client){0};
    bool is_open = client->is_known ? sequence + 256 > client->newest : sequence <= 256;
    if (!is_open)
        return (struct kv_response){.status = STATUS_ABORTED};
    client->used_ms = model->logged_ms;
    const struct kv_response *seen = model_seen(client, sequence);
    if (seen)
        return *seen;
    client->is_known = true;
    client->newest = sequence > client->newest ? sequence : client->newest;
    client->answers[client->count].sequence = sequence;
    return client->answers[client->count++].response = model_write(model, move);
}

/* ---- Moves --------------------------------------------------------------------------------- */

static const char *key_name(size_t key) {
    static char name[8];
    snprintf(name, sizeof name, "%zu", key * key);
    return name;
}

static uint64_t random_sequence(const struct model *model, size_t client, struct chance *chance) {
    uint64_t newest = model->clients[client].newest;
    if (chance_one_in(chance, 2))
        return newest + 1;
    if (chance_one_in(chance, 20))
        return newest + chance_below(chance, 300) + 1;
    uint64_t back = chance_below(chance, chance_one_in(chance, 4) ? 300 : 8);
    return newest > back ? newest - back : 1;
}

static struct move random_move(const struct model *model, struct chance *chance) {
    static uint8_t value[300];
    struct move move = {.key = chance_below(chance, KEYS), .fill = (uint8_t)chance_next(chance)};
    struct kv_request *request = &move.request;
    request->operation = chance_one_in(chance, 3) ? KV_DELETE : KV_PUT;
    request->key = bytes_of_text(key_name(move.key));
    if (request->operation == KV_PUT) {
        memset(value, move.fill, sizeof value);
        request->value = bytes_of(value, chance_below(chance, sizeof value));
    }
    request->has_prev_revision = chance_one_in(chance, 3);
    if (request->has_prev_revision && !chance_one_in(chance, 3))
        request->prev_revision = model->keys[move.key].mod;
    request->has_request_id = !chance_one_in(chance, 3);
    if (request->has_request_id) {
        move.client = chance_below(chance, CLIENTS);
        request->client_id = 1 + move.client;
        request->sequence = random_sequence(model, move.client, chance);
    }
    return move;
}

static uint64_t random_pause(struct chance *chance) {
    if (chance_one_in(chance, 500))
        return 3600001;
    if (chance_one_in(chance, 20))
        return chance_below(chance, 1200000);
    return chance_below(chance, 100);
}

/* The next step of a flush, or the end of the process. */
static void disturb(struct replica *r, struct chance *chance) {
    if (chance_one_in(chance, 50))
        replica_restart(r);
    else if (!r->flush)
        replica_freeze(r);
    else if (!r->is_stored)
        replica_store(r);
    else
        replica_finish(r);
}

/* ---- What must hold ------------------------------------------------------------------------ */

static void assert_same(struct kv_response a, struct kv_response b) {
    assert_int_equal(a.status, b.status);
    assert_int_equal(a.revision, b.revision);
    assert_int_equal(a.is_found, b.is_found);
    assert_int_equal(a.is_not_applied, b.is_not_applied);
}

static void assert_reads_as(struct replica *r, const struct model *model, size_t index) {
    const struct model_key *key = &model->keys[index];
    struct kv_response response = replica_get(r, key_name(index));
    assert_int_equal(response.is_found, key->version > 0);
    assert_int_equal(response.item.create_revision, key->create);
    assert_int_equal(response.item.mod_revision, key->mod);
    assert_int_equal(response.item.version, key->version);
    assert_int_equal(response.item.value.len, key->len);
    for (size_t i = 0; i < key->len; i++)
        assert_int_equal(response.item.value.data[i], key->fill);
}

static void assert_scans_as(struct replica *r, const struct model *model) {
    struct kv_response response = replica_scan(r, "", "", 0);
    size_t count = 0;
    for (size_t i = 0; i < KEYS; i++)
        count += model->keys[i].version > 0;
    assert_int_equal(response.item_count, count);
    for (size_t i = 1; i < count; i++)
        assert_true(bytes_compare(response.items[i - 1].key, response.items[i].key) < 0);
}

/* Counts and hash, added up anew over what is stored. */
static void assert_meta_is_the_sum(struct replica *r) {
    struct kv_base base = memory_base_view(r->base);
    struct kv_meta sum = *replica_meta(r);
    struct bytes key = bytes_of("", 0), record, body;
    uint8_t next[KV_INTERNAL_KEY_BYTES_MAX + 1];
    sum.key_count = sum.key_value_bytes = sum.session_count = sum.record_count = sum.hash = 0;
    while (base.ops->seek(base.context, key, &key, &record) == STATUS_OK) {
        assert_int_equal(kv__record_open(key, record, &body), STATUS_OK);
        sum.record_count++;
        sum.hash += kv__record_hash(record);
        sum.session_count += key.data[0] == KV_TABLE_SESSION && key.len == 9;
        if (key.data[0] == KV_TABLE_KEY) {
            sum.key_count++;
            sum.key_value_bytes += key.len - 1 + body.len - 33;
        }
        memcpy(next, key.data, key.len);
        next[key.len] = 0;
        key = bytes_of(next, key.len + 1);
    }
    assert_memory_equal(&sum, replica_meta(r), sizeof sum);
}

/* ---- The runs ------------------------------------------------------------------------------ */

static void run_once(struct chance *chance) {
    struct replica *calm = replica_new();
    struct replica *shaken = replica_new();
    struct model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    for (int step = 0; step < STEPS; step++) {
        struct move move = random_move(model, chance);
        model->logged_ms += random_pause(chance);
        calm->now_ms = shaken->now_ms = model->logged_ms;
        struct kv_response expected = model_apply(model, &move);
        assert_same(replica_write(calm, &move.request), expected);
        assert_same(replica_write(shaken, &move.request), expected);
        if (chance_one_in(chance, 10))
            disturb(shaken, chance);
        assert_memory_equal(replica_meta(shaken), replica_meta(calm), sizeof(struct kv_meta));
        assert_reads_as(shaken, model, move.key);
        if (step % 64 == 0)
            assert_scans_as(shaken, model);
    }
    for (size_t i = 0; i < KEYS; i++)
        assert_reads_as(calm, model, i);
    replica_flush(calm);
    replica_restart(shaken);
    replica_flush(shaken);
    assert_meta_is_the_sum(calm);
    assert_meta_is_the_sum(shaken);
    replica_free(calm);
    replica_free(shaken);
    free(model);
}

static void flushes_and_restarts_change_no_answer_and_no_hash(void **state) {
    (void)state;
    struct chance chance = chance_new();
    for (int run = 0; run < RUNS; run++)
        run_once(&chance);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flushes_and_restarts_change_no_answer_and_no_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
