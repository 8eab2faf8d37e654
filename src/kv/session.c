#include "kv/session.h"

#include "wire.h"

#define FORMAT_VERSION 1
#define HEADER_BYTES (1 + 8 + 8)
#define ANSWER_BYTES (1 + 8 + 1 + 1 + 8)

/* Sessions looked at per command with a request id: more than it can open. */
#define SWEEP_STEPS 4

struct session {
    uint64_t last_sequence;
    uint64_t last_used_ms;
};

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

static enum status decode_session(struct bytes key, struct bytes record,
                                  struct session *ret_session) {
    struct bytes body;
    enum status status = kv__record_open(key, record, &body);
    if (status != STATUS_OK)
        return status;
    struct wire_reader r = wire_reader_of(body);
    uint8_t version = wire_get_u8(&r);
    struct session session = {.last_sequence = wire_get_u64(&r), .last_used_ms = wire_get_u64(&r)};
    if (version != FORMAT_VERSION || !wire_reader_is_done(&r))
        return STATUS_CORRUPT;
    *ret_session = session;
    return STATUS_OK;
}

static enum status decode_answer(struct bytes key, struct bytes record, struct answer *ret_answer) {
    struct bytes body;
    enum status status = kv__record_open(key, record, &body);
    if (status != STATUS_OK)
        return status;
    struct wire_reader r = wire_reader_of(body);
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

static enum status put_session(struct kv_machine *m, uint64_t client_id, struct session session) {
    struct kv_internal_key key = header_key(client_id);
    struct bytes old = {0};
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &old);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    uint8_t body[HEADER_BYTES];
    struct wire_writer w = wire_writer_of(body, sizeof body);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u64(&w, session.last_sequence);
    wire_put_u64(&w, session.last_used_ms);
    if (!old.data)
        m->meta.session_count++;
    return kv__machine_put(m, kv__internal_key(&key), old, bytes_of(body, w.len), (struct bytes){0});
}

static bool is_idle(const struct kv_machine *m, const struct session *session) {
    return m->meta.logged_ms >= session->last_used_ms &&
           m->meta.logged_ms - session->last_used_ms > SESSION_IDLE_MS_MAX;
}

/* Remove the header and all answers of a session. */
static enum status end_session(struct kv_machine *m, uint64_t client_id) {
    struct kv_internal_key from = header_key(client_id);
    for (;;) {
        struct kv_cursor cursor;
        enum status status = kv__cursor_seek(&cursor, &m->view, kv__internal_key(&from));
        bool is_past = status == STATUS_NOT_FOUND ||
                       (status == STATUS_OK && (cursor.key.data[0] != KV_TABLE_SESSION ||
                                                client_of(cursor.key) != client_id));
        if (is_past)
            break;
        if (status != STATUS_OK)
            return status;
        struct kv_internal_key key = {.len = cursor.key.len};
        memcpy(key.data, cursor.key.data, key.len);
        status = kv__machine_remove(m, kv__internal_key(&key), cursor.record);
        if (status != STATUS_OK)
            return status;
    }
    m->meta.session_count--;
    return STATUS_OK;
}

/* The client's session, after ending one that was idle for too long. */
static enum status find_session(struct kv_machine *m, uint64_t client_id,
                                struct session *ret_session) {
    struct kv_internal_key key = header_key(client_id);
    struct bytes record;
    struct session session;
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &record);
    if (status == STATUS_OK)
        status = decode_session(kv__internal_key(&key), record, &session);
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
    return (struct kv_response){
        .status = answer->status, .is_found = answer->is_found, .revision = answer->revision};
}

/* The answer kept for this sequence, if it was seen inside the window. */
static enum status begin_known(struct kv_machine *m, const struct kv_request *request,
                               const struct session *session, struct kv_response *response,
                               enum kv_session_verdict *verdict) {
    if (session->last_sequence >= SESSION_WINDOW &&
        request->sequence <= session->last_sequence - SESSION_WINDOW) {
        refuse(STATUS_ABORTED, "request_id: the sequence is below the last 256", response, verdict);
        return STATUS_OK;
    }
    struct kv_internal_key key = answer_key(request->client_id, request->sequence);
    struct bytes record;
    struct answer answer = {0};
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &record);
    if (status == STATUS_OK)
        status = decode_answer(kv__internal_key(&key), record, &answer);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    bool is_seen = status == STATUS_OK && answer.sequence == request->sequence;
    *verdict = is_seen ? KV_SESSION_SEEN : KV_SESSION_APPLY;
    if (is_seen)
        *response = answer_response(&answer);
    return STATUS_OK;
}

enum status kv__session_begin(struct kv_machine *m, const struct kv_request *request,
                              struct kv_response *ret_response,
                              enum kv_session_verdict *ret_verdict) {
    struct session session;
    enum status status = find_session(m, request->client_id, &session);
    if (status == STATUS_NOT_FOUND) {
        begin_new(m, request->sequence, ret_response, ret_verdict);
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    status = begin_known(m, request, &session, ret_response, ret_verdict);
    if (status != STATUS_OK || *ret_verdict != KV_SESSION_SEEN)
        return status;
    session.last_used_ms = m->meta.logged_ms;
    return put_session(m, request->client_id, session);
}

static enum status put_answer(struct kv_machine *m, const struct kv_request *request,
                              const struct kv_response *response) {
    struct kv_internal_key key = answer_key(request->client_id, request->sequence);
    struct bytes old = {0};
    enum status status = kv__view_get(&m->view, kv__internal_key(&key), &old);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    uint8_t body[ANSWER_BYTES];
    struct wire_writer w = wire_writer_of(body, sizeof body);
    wire_put_u8(&w, FORMAT_VERSION);
    wire_put_u64(&w, request->sequence);
    wire_put_u8(&w, (uint8_t)response->status);
    wire_put_u8(&w, response->is_found);
    wire_put_u64(&w, (uint64_t)response->revision);
    return kv__machine_put(m, kv__internal_key(&key), old, bytes_of(body, w.len), (struct bytes){0});
}

enum status kv__session_record(struct kv_machine *m, const struct kv_request *request,
                               const struct kv_response *response) {
    struct session session = {0};
    enum status status = find_session(m, request->client_id, &session);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    if (request->sequence > session.last_sequence)
        session.last_sequence = request->sequence;
    session.last_used_ms = m->meta.logged_ms;
    status = put_answer(m, request, response);
    return status == STATUS_OK ? put_session(m, request->client_id, session) : status;
}

/* The next session's header at or after the sweep's place; STATUS_NOT_FOUND past the last one. */
static enum status next_header(struct kv_machine *m, uint64_t *ret_client_id,
                               struct session *ret_session) {
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
    return decode_session(cursor.key, cursor.record, ret_session);
}

static enum status sweep_one(struct kv_machine *m) {
    uint64_t client_id;
    struct session session;
    enum status status = next_header(m, &client_id, &session);
    if (status == STATUS_NOT_FOUND) {
        m->meta.sweep_client = 0;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    m->meta.sweep_client = client_id == UINT64_MAX ? 0 : client_id + 1;
    return is_idle(m, &session) ? end_session(m, client_id) : STATUS_OK;
}

enum status kv__session_sweep(struct kv_machine *m) {
    for (int i = 0; i < SWEEP_STEPS && m->meta.session_count > 0; i++) {
        enum status status = sweep_one(m);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
