#include "server/mesh_parts.h"

#include "log.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/* A note's key is the prefix and the identity in hexadecimal. Its value, little-endian: u8 version,
 * u64 counter and u64 nonce of the newest start, u8 and so many bytes of name, u8 and of address.
 */
#define NOTE_PREFIX "peer/"
#define NOTE_VERSION 1
#define NOTE_BYTES_MAX (1 + 16 + 1 + NAME_BYTES_MAX + 1 + ADDRESS_BYTES_MAX)

_Static_assert(ADDRESS_BYTES_MAX <= 256, "an address's length fits a byte");

struct peer_note {
    struct log_job job;
    struct loop_event noted;
    struct mesh *mesh;
    raft_id id;
    struct gate_pair pair;
    char key[sizeof NOTE_PREFIX + 16];
    uint8_t value[NOTE_BYTES_MAX];
    size_t len;
};

/* ---- The table ------------------------------------------------------------------------------- */

struct mesh_peer *mesh__peer_find(struct mesh *mesh, raft_id id) {
    for (size_t i = 0; i < mesh->peer_count; i++)
        if (mesh->peers[i].id == id)
            return &mesh->peers[i];
    return NULL;
}

static void take_text(char *field, size_t capacity, const char *text) {
    if (text[0] != '\0')
        snprintf(field, capacity, "%s", text);
}

struct mesh_peer *mesh__peer_meet(struct mesh *mesh, raft_id id, const char *name,
                                  const char *address) {
    struct mesh_peer *peer = mesh__peer_find(mesh, id);
    if (!peer && mesh->peer_count == GATE_PEERS_MAX)
        return NULL;
    if (!peer)
        peer = &mesh->peers[mesh->peer_count++];
    peer->id = id;
    take_text(peer->name, sizeof peer->name, name);
    take_text(peer->address, sizeof peer->address, address);
    return peer;
}

/* ---- Notes ----------------------------------------------------------------------------------- */

static size_t encode(const struct mesh_peer *peer, struct gate_pair pair, uint8_t *value) {
    struct wire_writer w = wire_writer_of(value, NOTE_BYTES_MAX);
    wire_put_u8(&w, NOTE_VERSION);
    wire_put_u64(&w, pair.counter);
    wire_put_u64(&w, pair.nonce);
    wire_put_u8(&w, (uint8_t)strlen(peer->name));
    wire_put(&w, peer->name, strlen(peer->name));
    wire_put_u8(&w, (uint8_t)strlen(peer->address));
    wire_put(&w, peer->address, strlen(peer->address));
    return w.len;
}

static bool get_text(struct wire_reader *r, char *field, size_t capacity) {
    struct bytes text = wire_get(r, wire_get_u8(r));
    if (r->has_failed || text.len >= capacity)
        return false;
    if (text.len > 0)
        memcpy(field, text.data, text.len);
    field[text.len] = '\0';
    return true;
}

static enum status load(void *context, struct bytes key, struct bytes value) {
    struct mesh *mesh = context;
    char id_text[17] = {0};
    char name[NAME_BYTES_MAX];
    char address[ADDRESS_BYTES_MAX];
    if (key.len != sizeof NOTE_PREFIX - 1 + 16)
        return STATUS_CORRUPT;
    memcpy(id_text, key.data + sizeof NOTE_PREFIX - 1, 16);
    raft_id id = strtoull(id_text, NULL, 16);
    struct wire_reader r = wire_reader_of(value);
    uint8_t version = wire_get_u8(&r);
    struct gate_pair pair = {.counter = wire_get_u64(&r)};
    pair.nonce = wire_get_u64(&r);
    if (version != NOTE_VERSION || !get_text(&r, name, sizeof name) ||
        !get_text(&r, address, sizeof address) || id == 0 || pair.counter == 0)
        return STATUS_CORRUPT;
    if (!mesh__peer_meet(mesh, id, name, address))
        return STATUS_CORRUPT;
    return gate_memory_load(&mesh->memory, id, pair);
}

enum status mesh__peers_load(struct mesh *mesh) {
    return kv_log_notes_each(mesh->config.log, bytes_of_text(NOTE_PREFIX), load, mesh);
}

static enum status write_note(struct log_job *job, struct kv_log *log) {
    struct peer_note *note = CONTAINER_OF(job, struct peer_note, job);
    return kv_log_note_write(log, bytes_of_text(note->key), bytes_of(note->value, note->len));
}

/* Of an earlier start than one that is being noted, or was: it must not be written after that. */
static bool is_outdated(const struct peer_note *note) {
    const struct gate_peer *peer = gate_memory_find(&note->mesh->memory, note->id);
    return !peer || !gate_pair_equal(peer->newest, note->pair);
}

/* On a full disk the note is tried again: without it this peer is not spoken to. */
static void noted(struct loop_event *event) {
    struct peer_note *note = CONTAINER_OF(event, struct peer_note, noted);
    struct mesh *mesh = note->mesh;
    if (note->job.status == STATUS_DISK_FULL) {
        STAILQ_INSERT_TAIL(&mesh->stuck_notes, &note->job, link);
        return;
    }
    gate_memory_noted(&mesh->memory, note->id, note->pair);
    free(note);
    mesh__links_pump(mesh);
}

void mesh__notes_retry(struct mesh *mesh) {
    struct log_jobs jobs = STAILQ_HEAD_INITIALIZER(jobs);
    STAILQ_CONCAT(&jobs, &mesh->stuck_notes);
    while (!STAILQ_EMPTY(&jobs)) {
        struct log_job *job = STAILQ_FIRST(&jobs);
        struct peer_note *note = CONTAINER_OF(job, struct peer_note, job);
        STAILQ_REMOVE_HEAD(&jobs, link);
        if (is_outdated(note))
            free(note);
        else
            log_writer_do(mesh->config.writer, job);
    }
}

void mesh__notes_drop(struct mesh *mesh) {
    while (!STAILQ_EMPTY(&mesh->stuck_notes)) {
        struct log_job *job = STAILQ_FIRST(&mesh->stuck_notes);
        STAILQ_REMOVE_HEAD(&mesh->stuck_notes, link);
        free(CONTAINER_OF(job, struct peer_note, job));
    }
}

void mesh__peer_note(struct mesh *mesh, raft_id id, struct gate_pair pair) {
    struct peer_note *note = calloc(1, sizeof *note);
    const struct mesh_peer *peer = mesh__peer_find(mesh, id);
    CHECK(note && peer);
    note->mesh = mesh;
    note->id = id;
    note->pair = pair;
    note->len = encode(peer, pair, note->value);
    snprintf(note->key, sizeof note->key, NOTE_PREFIX "%016llx", (unsigned long long)id);
    note->job.write = write_note;
    note->job.done = loop_event_of(&note->noted, noted);
    log_writer_do(mesh->config.writer, &note->job);
}
