#include "kv/session.h"

#include "wire.h"

#define FORMAT_VERSION 1
#define HEADER_BYTES (1 + 8 + 8)
#define ANSWER_BYTES (1 + 8 + 1 + 1 + 8)

/* Sessions looked at per command with a request id: more than it can open. */
#define SWEEP_STEPS 4

/* Logged time between the beginnings of two rounds. Each passes once over the tombstones of what
 * the rounds before it ended, and which no flush has taken yet. */
#define SWEEP_PERIOD_MS 10000

_Static_assert(SESSION_WINDOW == 256, "a slot is one byte, and the sentences name it");

struct answer {
    uint64_t sequence;
    enum status status;
    bool is_found;
    int64_t revision;
};

static struct kv_internal_key header_key(uint64_t client_id) {
    uint64_t big_endian = htobe64(client_id);
    struct kv_internal_key key = {.data = {KV_TABLE_SESSION}, .len = 1 + sizeof big_endian};
    memcpy(key.data + 1, &big_endian, sizeof big_endian);
    return key;
}

static struct kv_internal_key answer_key(uint64_t client_id, uint64_t sequence) {
    struct kv_internal_key key = header_key(client_id);
    key.data[key.len++] = (uint8_t)(sequence % SESSION_WINDOW);
    return key;
}

static uint64_t client_of(struct bytes key) {
    uint64_t big_endian;
    memcpy(&big_endian, key.data + 1, sizeof big_endian);
    return be64toh(big_endian);
}

static bool key_is_header(struct bytes key) {
    return key.len == 1 + sizeof(uint64_t);
}

/* The header's key is what the keys of a session begin with. */
static bool key_is_of_session(struct bytes key, const struct kv_internal_key *header) {
    return key.len >= header->len && memcmp(key.data, header->data, header->len) == 0;
}

static enum status decode_session(struct bytes record, struct kv_session *ret_session) {
    struct wire_reader r = kv__machine_body(record);
    uint8_t version = wire_get_u8(&r);
    struct kv_session session = {.header = record};
    session.last_sequence = wire_get_u64(&r);
    session.last_used_ms = wire_get_u64(&r);
    if (version != FORMAT_VERSION || !wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_session = session;
    return STATUS_OK;
}

static enum status decode_answer(struct bytes record, struct answer *ret_answer) {
    struct wire_reader r = kv__machine_body(record);
    uint8_t version = wire_get_u8(&r);
    struct answer answer = {.sequence = wire_get_u64(&r)};
    answer.status = (enum status)wire_get_u8(&r);
    answer.is_found = wire_get_u8(&r);
    answer.revision = (int64_t)wire_get_u64(&r);
    if (version != FORMAT_VERSION || !wire_reader_is_done(&r) || answer.status >= STATUS_COUNT)
        return STATUS_CORRUPT;
    *ret_answer = answer;
    return STATUS_OK;
}

static enum status put_session(struct kv_machine *m, uint64_t client_id,
                               const struct kv_session *session, uint64_t last_sequence) {
    struct kv_internal_key key = header_key(client_id);
    uint8_t body[HEADER_BYTES];
    struct wire_writer w = wire_writer_of(body, sizeof body);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u64(&w, last_sequence);
    wire_put_u64(&w, m->meta.logged_ms);
    enum status status = kv__machine_put(m, kv__internal_key(&key), session->header,
                                         bytes_of(body, w.len), (struct bytes){0});
    if (status == STATUS_OK && !session->header.data)
        m->meta.session_count++;
    return status;
}

static enum status put_answer(struct kv_machine *m, const struct kv_request *request,
                              const struct kv_session *session,
                              const struct kv_response *response) {
    struct kv_internal_key key = answer_key(request->client_id, request->sequence);
    uint8_t body[ANSWER_BYTES];
    struct wire_writer w = wire_writer_of(body, sizeof body);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u64(&w, request->sequence);
    wire_put_u8(&w, (uint8_t)response->status);
    wire_put_u8(&w, response->is_found);
    wire_put_u64(&w, (uint64_t)response->revision);
    return kv__machine_put(m, kv__internal_key(&key), session->answer, bytes_of(body, w.len),
                           (struct bytes){0});
}

static bool is_idle(const struct kv_machine *m, const struct kv_session *session) {
    return m->meta.logged_ms >= session->last_used_ms &&
           m->meta.logged_ms - session->last_used_ms > SESSION_IDLE_MS_MAX;
}

/* Remove the header and all answers of a session. */
static enum status end_session(struct kv_machine *m, uint64_t client_id) {
    struct kv_internal_key header = header_key(client_id);
    struct kv_cursor cursor;
    enum status status = kv__cursor_seek(&cursor, &m->view, kv__internal_key(&header));
    while (status == STATUS_OK && key_is_of_session(cursor.key, &header)) {
        status = kv__machine_remove(m, cursor.key, cursor.record);
        if (status == STATUS_OK)
            status = kv__cursor_next(&cursor);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    m->meta.session_count--;
    return STATUS_OK;
}

/* The client's session, after ending one that was idle for too long. */
static enum status find_session(struct kv_machine *m, uint64_t client_id,
                                struct kv_session *ret_session) {
    struct kv_internal_key key = header_key(client_id);
    struct bytes record;
    struct kv_session session;
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &record);
    if (status == STATUS_OK)
        status = decode_session(record, &session);
    if (status != STATUS_OK)
        return status;
    if (is_idle(m, &session)) {
        status = end_session(m, client_id);
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    }
    *ret_session = session;
    return STATUS_OK;
}

/* Neither refusal carries the not-applied mark: an earlier try may have been applied and its
 * session have ended since. */
static void refuse(enum status status, const char *detail, struct kv_response *response,
                   enum kv_session_verdict *verdict) {
    *response = (struct kv_response){.status = status, .detail = detail};
    *verdict = KV_SESSION_REFUSED;
}

static void begin_new(struct kv_machine *m, uint64_t sequence, struct kv_response *response,
                      enum kv_session_verdict *verdict) {
    if (sequence > SESSION_WINDOW)
        refuse(STATUS_ABORTED, "request_id: unknown client with a sequence above 256", response,
               verdict);
    else if (m->meta.session_count >= SESSIONS_MAX)
        refuse(STATUS_OVERLOAD, "request_id: the session table is full", response, verdict);
    else
        *verdict = KV_SESSION_APPLY;
}

static struct kv_response answer_response(const struct answer *answer) {
    if (answer->status == STATUS_PRECONDITION)
        return kv__precondition_failed();
    return (struct kv_response){.status = answer->status,
                                .is_found = answer->is_found,
                                .revision = answer->revision};
}

static bool is_below_window(const struct kv_session *session, uint64_t sequence) {
    return session->last_sequence >= SESSION_WINDOW &&
           sequence <= session->last_sequence - SESSION_WINDOW;
}

/* Whether the sequence was seen, and what was answered then. */
static enum status begin_in_window(struct kv_machine *m, const struct kv_request *request,
                                   struct kv_session *session, struct kv_response *response,
                                   enum kv_session_verdict *verdict) {
    struct kv_internal_key key = answer_key(request->client_id, request->sequence);
    struct answer answer;
    *verdict = KV_SESSION_APPLY;
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &session->answer);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = decode_answer(session->answer, &answer);
    if (status != STATUS_OK || answer.sequence != request->sequence)
        return status;
    *response = answer_response(&answer);
    *verdict = KV_SESSION_SEEN;
    return put_session(m, request->client_id, session, session->last_sequence);
}

enum status kv__session_begin(struct kv_machine *m, const struct kv_request *request,
                              struct kv_session *ret_session, struct kv_response *ret_response,
                              enum kv_session_verdict *ret_verdict) {
    struct kv_session session = {0};
    enum status status = find_session(m, request->client_id, &session);
    if (status == STATUS_NOT_FOUND) {
        begin_new(m, request->sequence, ret_response, ret_verdict);
        status = STATUS_OK;
    } else if (status == STATUS_OK && is_below_window(&session, request->sequence)) {
        refuse(STATUS_ABORTED, "request_id: the sequence is below the last 256", ret_response,
               ret_verdict);
    } else if (status == STATUS_OK) {
        status = begin_in_window(m, request, &session, ret_response, ret_verdict);
    }
    if (status == STATUS_OK)
        *ret_session = session;
    return status;
}

enum status kv__session_record(struct kv_machine *m, const struct kv_request *request,
                               const struct kv_session *session,
                               const struct kv_response *response) {
    uint64_t last_sequence =
        request->sequence > session->last_sequence ? request->sequence : session->last_sequence;
    enum status status = put_answer(m, request, session, response);
    return status == STATUS_OK ? put_session(m, request->client_id, session, last_sequence)
                               : status;
}

/* ---- The sweep ------------------------------------------------------------------------------ */

void kv__session_clock(struct kv_machine *m, uint64_t logged_ms) {
    if (logged_ms <= m->meta.logged_ms)
        return;
    bool is_due = logged_ms / SWEEP_PERIOD_MS > m->meta.logged_ms / SWEEP_PERIOD_MS;
    m->meta.logged_ms = logged_ms;
    if (is_due && m->meta.sweep_client == 0)
        m->meta.sweep_client = 1; /* the least client id */
}

/* The next session's header at or after the sweep's place; STATUS_NOT_FOUND past the last one. */
static enum status next_header(struct kv_machine *m, uint64_t *ret_client_id,
                               struct kv_session *ret_session) {
    struct kv_internal_key from = header_key(m->meta.sweep_client);
    struct kv_cursor cursor;
    enum status status = kv__cursor_seek(&cursor, &m->view, kv__internal_key(&from));
    if (status == STATUS_OK && cursor.key.data[0] != KV_TABLE_SESSION)
        status = STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status;
    if (!key_is_header(cursor.key))
        return STATUS_CORRUPT; /* an answer without its session */
    *ret_client_id = client_of(cursor.key);
    return decode_session(cursor.record, ret_session);
}

static enum status sweep_one(struct kv_machine *m) {
    uint64_t client_id;
    struct kv_session session;
    enum status status = next_header(m, &client_id, &session);
    if (status == STATUS_NOT_FOUND) {
        m->meta.sweep_client = 0;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    m->meta.sweep_client = client_id + 1; /* after the greatest one: 0, the round is over */
    return is_idle(m, &session) ? end_session(m, client_id) : STATUS_OK;
}

enum status kv__session_sweep(struct kv_machine *m) {
    for (int i = 0; i < SWEEP_STEPS && m->meta.sweep_client != 0; i++) {
        enum status status = sweep_one(m);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
