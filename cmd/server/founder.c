/* A blank node on its way into a cluster: the founding machine, wired to the mesh and the log's
 * store. It goes on beside the turn afterwards, since others may still have to hear how it ended.
 */
#include "log.h"
#include "server/wiring.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where its record lies among the notes. */
#define RECORD_KEY "founding"

/* What a message there and back takes, with a synced write at the far end. */
#define RETRY_MS 200

/* ---- Decisions ------------------------------------------------------------------------------- */

static enum status write_decision(struct log_job *job, struct kv_log *log) {
    struct founder_write *write = CONTAINER_OF(job, struct founder_write, job);
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    enum status status =
        kv_log_note_write(log, bytes_of_text(LABEL_KEY), bytes_of_text(write->label));
    if (status != STATUS_OK)
        return status;
    if (write->decision.kind == FOUNDING_JOIN)
        return kv_log_join(log, write->decision.cluster_id);
    size_t len = raft_configuration_encode(&write->decision.configuration, payload, sizeof payload);
    status = kv_log_found(log, write->decision.cluster_id, bytes_of(payload, len));
    if (status == STATUS_OK)
        log_writer_restart(write->server->log_writer, 2);
    return status;
}

/* What a start would find now. */
static void take_summary(struct server *s, const struct founding_decision *decision) {
    s->summary.identity.cluster_id = decision->cluster_id;
    if (decision->kind == FOUNDING_JOIN)
        return;
    s->summary.hard = (struct raft_hard_state){.term = 1};
    s->summary.last_index = 1;
    s->summary.last_term = 1;
    s->summary.configuration = decision->configuration;
    s->summary.configuration.index = 1;
    s->summary.configuration_term = 1;
}

static void decided(struct loop_event *event) {
    struct founder_write *write = CONTAINER_OF(event, struct founder_write, done);
    struct server *s = write->server;
    s->is_decision_stuck = write->job.status != STATUS_OK; /* a full disk */
    if (s->is_decision_stuck || s->is_stopping) /* else the next start finds it in the store */
        return;
    s->is_deciding = false;
    take_summary(s, &write->decision);
    log_info(write->decision.kind == FOUNDING_JOIN ? "joining a cluster" : "founded a cluster",
             log_hex("cluster_id", write->decision.cluster_id),
             log_u64("members", write->decision.configuration.count));
    mesh_join(s->mesh, write->decision.cluster_id);
    transfers_join(s->transfers, write->decision.cluster_id);
    if (server__make_turn(s) == STATUS_OK)
        return;
    log_error("cannot start the turn");
    _exit(EXIT_FAILURE);
}

static void carry_out(struct server *s, const struct founding_decision *decision) {
    struct founder_write *write = &s->decision_write;
    CHECK(!s->is_deciding);
    s->is_deciding = true;
    *write = (struct founder_write){.server = s, .decision = *decision};
    snprintf(write->label, sizeof write->label, "%s", mesh_label(s->mesh));
    write->job.write = write_decision;
    write->job.done = loop_event_of(&write->done, decided);
    log_writer_do(s->log_writer, &write->job);
}

/* Nothing of it is worth keeping, not even the identity: it was of a cluster that cannot live. The
 * decision is told again after a start, until the directory has been set aside. */
static void drop(struct server *s, uint64_t cluster_id) {
    log_warn("the cluster that this node helped to found never came to life",
             log_hex("cluster_id", cluster_id));
    s->is_dropping = true;
    CHECK(kill(getpid(), SIGTERM) == 0); /* stops as by anybody else's */
}

static void decide(struct server *s, const struct founding_decision *decision) {
    s->join_id = 0;
    switch (decision->kind) {
    case FOUNDING_WAIT: return;
    case FOUNDING_JOIN: s->join_id = decision->cluster_id; return;
    case FOUNDING_FOUND:
        if (!s->turn)
            carry_out(s, decision);
        return;
    case FOUNDING_DROP: drop(s, decision->cluster_id); return;
    }
}

/* ---- The machine's outputs ------------------------------------------------------------------- */

static void pump(struct server *s);

static enum status write_record(struct log_job *job, struct kv_log *log) {
    struct founder_write *write = CONTAINER_OF(job, struct founder_write, job);
    return kv_log_note_write(log, bytes_of_text(RECORD_KEY), bytes_of(write->record, write->len));
}

static void step(struct server *s, const struct founding_event *event) {
    enum status status = founding_step(s->founding, event);
    if (status != STATUS_OK && status != STATUS_STALE)
        log_every(10000, LOG_LEVEL_WARN, "founding", log_status("status", status));
    pump(s);
}

static void recorded(struct loop_event *event) {
    struct founder_write *write = CONTAINER_OF(event, struct founder_write, done);
    struct server *s = write->server;
    struct founding_event durable = {.kind = FOUNDING_EVENT_DURABLE, .now_ms = clock_ms()};
    s->is_record_stuck = write->job.status != STATUS_OK; /* a full disk */
    if (s->is_record_stuck)
        return;
    durable.durable = write->number;
    if (s->founding) /* else the server has stopped */
        step(s, &durable);
}

static void record(struct server *s, const struct founding_record *given) {
    struct founder_write *write = &s->record_write;
    *write = (struct founder_write){.server = s, .number = given->number, .len = given->bytes.len};
    CHECK(given->bytes.len <= sizeof write->record);
    memcpy(write->record, given->bytes.data, given->bytes.len);
    write->job.write = write_record;
    write->job.done = loop_event_of(&write->done, recorded);
    log_writer_do(s->log_writer, &write->job);
}

static void pump(struct server *s) {
    struct founding_ready ready;
    founding_ready(s->founding, &ready);
    for (size_t i = 0; i < ready.message_count; i++)
        mesh_send_founding(s->mesh, ready.messages[i].to, ready.messages[i].bytes);
    if (ready.has_record)
        record(s, &ready.record);
    bool has_decision = ready.has_decision;
    struct founding_decision decision = ready.decision;
    founding_advance(s->founding);
    if (has_decision)
        decide(s, &decision);
}

/* ---- Its inputs ------------------------------------------------------------------------------ */

void founder_sighted(struct server *s, raft_id id, const char *name, uint64_t cluster_id) {
    struct founding_event event = {.kind = FOUNDING_EVENT_SIGHTED, .now_ms = clock_ms()};
    event.sighted = (struct founding_node){.id = id, .name = name, .cluster_id = cluster_id};
    if (s->founding)
        step(s, &event);
}

void founder_silent(struct server *s, raft_id id) {
    struct founding_event event = {.kind = FOUNDING_EVENT_SILENT, .now_ms = clock_ms()};
    event.silent = id;
    if (s->founding)
        step(s, &event);
}

void founder_receive(struct server *s, raft_id from, struct bytes bytes) {
    struct founding_event event = {.kind = FOUNDING_EVENT_RECEIVE, .now_ms = clock_ms()};
    event.receive.from = from;
    event.receive.bytes = bytes;
    if (s->founding)
        step(s, &event);
}

/* Whoever asks knows of a committed entry: its cluster is alive. */
void founder_invited(struct server *s, uint64_t cluster_id) {
    struct founding_event event = {.kind = FOUNDING_EVENT_JOINED, .now_ms = clock_ms()};
    struct founding_decision join = {.kind = FOUNDING_JOIN, .cluster_id = cluster_id};
    event.cluster_id = cluster_id;
    bool is_welcome = s->founding && !s->turn && !s->is_deciding && s->join_id == cluster_id;
    if (is_welcome && founding_step(s->founding, &event) == STATUS_OK)
        carry_out(s, &join);
}

void founder_committed(struct server *s) {
    struct founding_event event = {.kind = FOUNDING_EVENT_COMMITTED, .now_ms = clock_ms()};
    if (!s->founding || s->has_committed)
        return;
    s->has_committed = true;
    step(s, &event);
}

static void say_what_it_waits_for(struct server *s) {
    char text[FOUNDING_TEXT_BYTES_MAX];
    (void)founding_waiting(s->founding, text);
    if (strcmp(text, s->waiting) == 0)
        return;
    if (text[0] != '\0')
        log_info("not in a cluster yet", log_text("waiting", text));
    CHECK(pthread_mutex_lock(&s->status_mutex) == 0);
    memcpy(s->waiting, text, sizeof text);
    CHECK(pthread_mutex_unlock(&s->status_mutex) == 0);
}

static void retry(struct server *s, bool *is_stuck, struct founder_write *write) {
    if (*is_stuck)
        log_writer_do(s->log_writer, &write->job);
    *is_stuck = false;
}

void founder_tend(struct server *s) {
    retry(s, &s->is_record_stuck, &s->record_write);
    retry(s, &s->is_decision_stuck, &s->decision_write);
}

void founder_tick(struct server *s) {
    struct founding_event event = {.kind = FOUNDING_EVENT_TIMEOUT, .now_ms = clock_ms()};
    if (!s->founding)
        return;
    if (founding_deadline_ms(s->founding) <= event.now_ms)
        step(s, &event);
    say_what_it_waits_for(s);
}

uint64_t founder_deadline_ms(const struct server *s) {
    return s->founding ? founding_deadline_ms(s->founding) : UINT64_MAX;
}

/* ---- Start ----------------------------------------------------------------------------------- */

static enum status read_record(struct server *s, uint8_t *memory, struct bytes *ret_record) {
    size_t len = 0;
    enum status status = kv_log_note_read(s->log, bytes_of_text(RECORD_KEY), memory,
                                          FOUNDING_RECORD_BYTES_MAX, &len);
    *ret_record = bytes_of(memory, status == STATUS_OK ? len : 0);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status reset(struct server *s) {
    struct founding_event event = {.kind = FOUNDING_EVENT_RESET, .now_ms = clock_ms()};
    enum status status = founding_step(s->founding, &event);
    if (status == STATUS_OK)
        pump(s);
    else
        log_error("--reset-founding is refused: this node belongs to a living cluster",
                  log_status("status", status));
    return status;
}

/* PEERS names the founders; without it, whoever is found first will do. */
enum status founder_new(struct server *s) {
    const struct settings *settings = s->settings;
    uint8_t memory[FOUNDING_RECORD_BYTES_MAX];
    const char *names[MEMBERS_MAX];
    if (settings_is_alone(settings))
        return STATUS_OK;
    for (size_t i = 0; i < settings->peer_count; i++)
        names[i] = settings->peers_list[i].name;
    struct founding_config config = {
        .self = s->summary.identity.id,
        .name = s->summary.identity.name,
        .names = settings->peer_count > 0 ? names : NULL,
        .name_count = settings->peer_count,
        .expect = settings->bootstrap_expect,
        .cluster_id = s->summary.identity.cluster_id,
        .has_committed = s->meta.applied_index > 0,
        .retry_ms = RETRY_MS,
        .seed = s->summary.identity.start_nonce,
        .now_ms = clock_ms(),
    };
    s->has_committed = config.has_committed;
    enum status status = read_record(s, memory, &config.record);
    if (status == STATUS_OK)
        status = founding_new(&config, &s->founding);
    if (status == STATUS_OK && settings->is_resetting_founding)
        status = reset(s);
    if (status != STATUS_OK)
        log_error("cannot take part in founding a cluster", log_status("status", status));
    return status;
}
