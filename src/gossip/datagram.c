#include "gossip/machine.h"

static void put_address(struct wire_writer *w, const struct gossip_address *address) {
    wire_put(w, address->ip, sizeof address->ip);
    wire_put_u8(w, (uint8_t)(address->port & 0xff));
    wire_put_u8(w, (uint8_t)(address->port >> 8));
}

static struct gossip_address get_address(struct wire_reader *r) {
    struct gossip_address address = {0};
    struct bytes ip = wire_get(r, sizeof address.ip);
    if (ip.data)
        memcpy(address.ip, ip.data, ip.len);
    address.port = wire_get_u8(r);
    address.port = (uint16_t)(address.port | wire_get_u8(r) << 8);
    return address;
}

static void put_text(struct wire_writer *w, const char *text) {
    struct bytes bytes = bytes_of_text(text);
    CHECK(bytes.len <= UINT8_MAX);
    wire_put_u8(w, (uint8_t)bytes.len);
    wire_put(w, bytes.data, bytes.len);
}

/* `text` is zero to its end. What has a zero inside would not encode to the same bytes again. */
static void get_text(struct wire_reader *r, char *text, size_t capacity) {
    struct bytes bytes = wire_get(r, wire_get_u8(r));
    if (bytes.len >= capacity || (bytes.len > 0 && memchr(bytes.data, 0, bytes.len)))
        r->has_failed = true;
    else if (bytes.len > 0)
        memcpy(text, bytes.data, bytes.len);
}

/* ---- The head ------------------------------------------------------------------------------ */

void gossip__head_encode(struct wire_writer *w, const struct gossip_head *head) {
    wire_put_u8(w, GOSSIP_VERSION);
    wire_put_u8(w, (uint8_t)head->label.len);
    wire_put(w, head->label.data, head->label.len);
    wire_put_u8(w, (uint8_t)head->kind);
    wire_put_u64(w, head->from);
    wire_put_u64(w, head->incarnation);
    wire_put_u64(w, head->to);
    wire_put_u32(w, head->life);
    wire_put_u32(w, head->number);
    wire_put_u64(w, head->token);
    put_address(w, &head->address);
    wire_put_u64(w, head->subject);
}

void gossip__head_set_subject(struct wire_writer *w, size_t end, uint64_t subject) {
    struct wire_writer field = wire_writer_of(w->data + end - sizeof subject, sizeof subject);
    wire_put_u64(&field, subject);
}

static bool is_sound(const struct gossip_head *head) {
    bool has_token = head->kind != GOSSIP_NEWS;
    bool has_subject =
        head->kind == GOSSIP_ASK || head->kind == GOSSIP_ACK || head->kind == GOSSIP_NACK;
    bool has_cursor = head->kind == GOSSIP_SYNC || head->kind == GOSSIP_REPLY;
    return head->from != 0 && head->incarnation <= INCARNATION_MAX &&
           has_token == (head->token != 0) && head->label.len < NAME_BYTES_MAX &&
           (has_cursor || has_subject == (head->subject != 0));
}

enum status gossip__head_decode(struct wire_reader *r, struct gossip_head *ret_head) {
    uint8_t version = wire_get_u8(r);
    if (version > GOSSIP_VERSION)
        return STATUS_UNSUPPORTED;
    struct gossip_head head = {.label = wire_get(r, wire_get_u8(r))};
    uint8_t kind = wire_get_u8(r);
    head.from = wire_get_u64(r);
    head.incarnation = wire_get_u64(r);
    head.to = wire_get_u64(r);
    head.life = wire_get_u32(r);
    head.number = wire_get_u32(r);
    head.token = wire_get_u64(r);
    head.address = get_address(r);
    head.subject = wire_get_u64(r);
    if (r->has_failed || version != GOSSIP_VERSION || kind < GOSSIP_PING ||
        kind >= GOSSIP_KIND_COUNT)
        return STATUS_INVALID;
    head.kind = (enum gossip_kind)kind;
    if (!is_sound(&head))
        return STATUS_INVALID;
    *ret_head = head;
    return STATUS_OK;
}

size_t gossip__open_bytes(struct bytes datagram) {
    if (datagram.len < 2 || datagram.len - 2 < datagram.data[1])
        return 0;
    return (size_t)2 + datagram.data[1];
}

/* ---- Rumours ------------------------------------------------------------------------------- */

static void put_alive(struct wire_writer *w, const struct gossip_rumour *rumour) {
    put_address(w, &rumour->address);
    wire_put_u64(w, rumour->meta.cluster_id);
    wire_put_u32(w, rumour->meta.program);
    put_text(w, rumour->meta.name);
    put_text(w, rumour->meta.raft_address);
    put_text(w, rumour->meta.http_address);
    put_text(w, rumour->meta.region);
}

static void get_alive(struct wire_reader *r, struct gossip_rumour *rumour) {
    struct gossip_meta *meta = &rumour->meta;
    rumour->address = get_address(r);
    meta->cluster_id = wire_get_u64(r);
    meta->program = wire_get_u32(r);
    get_text(r, meta->name, sizeof meta->name);
    get_text(r, meta->raft_address, sizeof meta->raft_address);
    get_text(r, meta->http_address, sizeof meta->http_address);
    get_text(r, meta->region, sizeof meta->region);
}

static void put_accusers(struct wire_writer *w, const struct gossip_rumour *rumour) {
    wire_put_u8(w, (uint8_t)rumour->accuser_count);
    for (size_t i = 0; i < rumour->accuser_count; i++)
        wire_put_u64(w, rumour->accusers[i]);
}

static void get_accusers(struct wire_reader *r, struct gossip_rumour *rumour) {
    rumour->accuser_count = wire_get_u8(r);
    if (rumour->accuser_count == 0 || rumour->accuser_count > ACCUSERS_MAX) {
        r->has_failed = true;
        return;
    }
    for (size_t i = 0; i < rumour->accuser_count; i++)
        rumour->accusers[i] = wire_get_u64(r);
}

bool gossip__rumour_encode(struct wire_writer *w, const struct gossip_rumour *rumour) {
    struct wire_writer kept = *w;
    wire_put_u8(w, (uint8_t)rumour->kind);
    wire_put_u64(w, rumour->id);
    wire_put_u64(w, rumour->incarnation);
    if (rumour->kind == RUMOUR_ALIVE)
        put_alive(w, rumour);
    else if (rumour->kind == RUMOUR_SUSPECT)
        put_accusers(w, rumour);
    if (!w->has_failed)
        return true;
    *w = kept;
    return false;
}

static bool alive_is_sound(const struct gossip_rumour *rumour, uint64_t from) {
    bool has_place = !gossip__address_is_zero(&rumour->address) && rumour->address.port != 0;
    return gossip__meta_is_sound(&rumour->meta) && (has_place || rumour->id == from);
}

static bool rest_is_zero(struct wire_reader *r) {
    struct bytes rest = wire_get(r, r->len);
    for (size_t i = 0; i < rest.len; i++)
        if (rest.data[i] != 0)
            return false;
    return true;
}

enum gossip_decoded gossip__rumour_decode(struct wire_reader *r, uint64_t from,
                                          struct gossip_rumour *ret_rumour) {
    if (r->len == 0)
        return DECODED_END;
    struct gossip_rumour rumour = {0};
    uint8_t kind = wire_get_u8(r);
    if (kind == RUMOUR_END)
        return rest_is_zero(r) ? DECODED_END : DECODED_MALFORMED;
    if (kind >= RUMOUR_KIND_COUNT)
        return DECODED_MALFORMED;
    rumour.kind = (enum gossip_rumour_kind)kind;
    rumour.id = wire_get_u64(r);
    rumour.incarnation = wire_get_u64(r);
    if (rumour.kind == RUMOUR_ALIVE)
        get_alive(r, &rumour);
    else if (rumour.kind == RUMOUR_SUSPECT)
        get_accusers(r, &rumour);
    if (r->has_failed || rumour.id == 0 || rumour.incarnation > INCARNATION_MAX ||
        (rumour.kind == RUMOUR_ALIVE && !alive_is_sound(&rumour, from)))
        return DECODED_MALFORMED;
    *ret_rumour = rumour;
    return DECODED;
}
