#include "sim/disk.h"

#include "plant.h"
#include "sim/checks.h"
#include "sim/image.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>

/* A cut may take several calls. */
#define CUT_ENTRIES ((raft_index)1000)

static void free_entries(struct sim_disk *disk, raft_index first, raft_index last) {
    for (raft_index index = first; index <= last; index++)
        free((void *)(uintptr_t)disk->entries[index].entry.payload.data);
}

void sim_disk_close(struct sim_disk *disk) {
    free_entries(disk, disk->first_index, disk->last_index);
    free(disk->entries);
    free(disk->configurations);
    memory_base_free(disk->base);
    memory_base_free(disk->old_base);
    sim_image_free(disk->unsynced);
}

const struct sim_entry *sim_disk_entry(const struct sim_disk *disk, raft_index index) {
    bool is_there = index >= disk->first_index && index <= disk->last_index;
    return is_there ? &disk->entries[index] : NULL;
}

uint64_t sim_disk_chain(const struct sim_disk *disk, raft_index index) {
    return index <= disk->last_index ? disk->entries[index].chain : 0;
}

bool sim_disk_holds(const struct sim_disk *disk, raft_index index) {
    raft_index at = index < disk->installed_index ? disk->installed_index : index;
    const struct sim_checks *checks = disk->sim->checks;
    return at <= checks->commit_count && sim_disk_chain(disk, at) == checks->commits[at].chain;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void truncate(struct sim_disk *disk, raft_index from) {
    if (from == 0 || from > disk->last_index)
        return;
    sim_check_truncated(disk->sim, disk->node, from);
    if (disk->rot_index >= from)
        disk->rot_index = 0;
    free_entries(disk, from, disk->last_index);
    disk->last_index = from - 1;
    while (disk->configuration_count > 0 &&
           disk->configurations[disk->configuration_count - 1].index >= from)
        disk->configuration_count--;
}

static uint64_t chain_of(uint64_t before, const struct raft_entry *entry) {
    uint64_t chain = sim_mix(sim_mix(before, entry->term), entry->type);
    for (size_t i = 0; i < entry->payload.len; i++)
        chain = (chain ^ entry->payload.data[i]) * 0x100000001b3;
    return sim_mix(chain, entry->payload.len);
}

static void note_configuration(struct sim_disk *disk, const struct raft_entry *entry) {
    if (disk->configuration_count == disk->configuration_capacity) {
        disk->configuration_capacity *= 2;
        disk->configurations = realloc(disk->configurations,
                                       disk->configuration_capacity * sizeof *disk->configurations);
        CHECK(disk->configurations);
    }
    struct raft_configuration *next = &disk->configurations[disk->configuration_count++];
    CHECK(raft_configuration_decode(entry->payload, next) == STATUS_OK);
    next->index = entry->index;
}

static void make_place(struct sim_disk *disk, raft_index index) {
    size_t capacity = disk->capacity;
    while (index >= capacity)
        capacity *= 2;
    if (capacity == disk->capacity)
        return;
    disk->entries = realloc(disk->entries, capacity * sizeof *disk->entries);
    CHECK(disk->entries);
    memset(disk->entries + disk->capacity, 0, (capacity - disk->capacity) * sizeof *disk->entries);
    disk->capacity = capacity;
}

static void append(struct sim_disk *disk, const struct raft_entry *entry) {
    CHECK(entry->index == disk->last_index + 1);
    make_place(disk, entry->index);
    struct sim_entry *copy = &disk->entries[entry->index];
    *copy = (struct sim_entry){.entry = *entry};
    if (entry->payload.len > 0) {
        uint8_t *payload = malloc(entry->payload.len);
        CHECK(payload);
        memcpy(payload, entry->payload.data, entry->payload.len);
        copy->entry.payload.data = payload;
    } else {
        copy->entry.payload.data = NULL;
    }
    copy->chain = chain_of(disk->entries[entry->index - 1].chain, entry);
    disk->last_index = entry->index;
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        note_configuration(disk, entry);
    sim_check_appended(disk->sim, disk->node, copy);
}

static void write_batch(struct sim_disk *disk, const struct kv_log_batch *batch) {
    truncate(disk, batch->truncate_from);
    if (batch->hard) {
        sim_check_hard(disk->sim, disk->node, batch->hard);
        disk->hard = *batch->hard;
    }
    for (size_t i = 0; i < batch->entry_count; i++)
        append(disk, &batch->entries[i]);
}

/* The reserve is for votes and single entries, as long as it lasts. */
static bool has_room(struct sim_disk *disk, const struct kv_log_batch *batch) {
    if (!disk->is_full)
        return true;
    bool may_use_reserve = batch->is_essential && batch->entry_count <= 1;
    return may_use_reserve && !(disk->is_exhausted && sim_random_percent(&disk->random, 50));
}

static enum status try_batch(struct sim_disk *disk, const struct turn_batch *batch) {
    if (!log_order_allows(&disk->order, batch))
        return STATUS_DISK_FULL;
    if (!has_room(disk, &batch->log)) {
        log_order_refused(&disk->order, batch);
        return STATUS_DISK_FULL;
    }
    write_batch(disk, &batch->log);
    log_order_written(&disk->order, batch);
    return STATUS_OK;
}

/* The first entry of every founding member (facts of the founding protocol are elsewhere). */
static void found(struct sim_disk *disk, const struct raft_configuration *founding) {
    uint8_t payload[RAFT_CONFIGURATION_BYTES_MAX];
    size_t len = raft_configuration_encode(founding, payload, sizeof payload);
    append(disk, &(struct raft_entry){.index = 1,
                                      .term = 1,
                                      .type = RAFT_ENTRY_CONFIGURATION,
                                      .payload = bytes_of(payload, len)});
    disk->hard.term = 1;
    disk->order.next = 2;
}

void sim_disk_open(struct sim_disk *disk, struct sim *sim, struct sim_node *node,
                   const struct raft_configuration *founding) {
    *disk = (struct sim_disk){
        .sim = sim,
        .node = node,
        .random = sim_random_of(sim_mix(sim->options.seed, node->id), SIM_STREAM_DISK),
        .first_index = 1,
        .capacity = 256,
        .entries = calloc(256, sizeof *disk->entries),
        .configuration_capacity = 8,
        .configurations = calloc(8, sizeof *disk->configurations),
        .base = memory_base_new(),
        .order.next = 1,
        .slow_factor = 1,
    };
    CHECK(disk->entries && disk->configurations);
    if (founding->count > 0)
        found(disk, founding);
}

/* ---- The log writer -------------------------------------------------------------------------- */

static void log_written(void *context, void *data, uint64_t tag);

static void write_begin(struct sim_disk *disk) {
    bool has_work = disk->batch_count > 0 || disk->cut || disk->room || disk->asked_note_count > 0;
    if (disk->is_writing || !has_work)
        return;
    disk->is_waiting = disk->is_hung;
    if (disk->is_hung)
        return;
    disk->is_writing = true;
    disk->group_count = disk->batch_count;
    uint64_t sync_us = disk->sim->weather.sync_us * disk->slow_factor;
    sim_plan(disk->sim, sim_random_latency(&disk->random, sync_us), log_written, disk, NULL,
             disk->life);
}

static void trace_batch(const struct sim_disk *disk, const struct turn_batch *batch) {
    sim_trace(disk->sim,
              "node %zu batch %" PRIu64 ": from %" PRIu64 " truncated, %" PRIu64 "..%" PRIu64
              " (%zu), hard %" PRIu64 "/%" PRIu64 ": %s; disk up to %" PRIu64,
              disk->node->number, batch->raft.number, batch->log.truncate_from, batch->raft.first,
              batch->raft.last, batch->log.entry_count, batch->log.hard ? batch->log.hard->term : 0,
              batch->log.hard ? batch->log.hard->vote : 0, status_name(batch->status),
              disk->last_index);
}

static void give_back_batches(struct sim_disk *disk) {
    for (size_t i = 0; i < disk->group_count; i++) {
        struct turn_batch *batch = disk->batches[i];
        batch->status = try_batch(disk, batch);
        batch->has_room = !disk->is_full;
        trace_batch(disk, batch);
        sim_node_post(disk->node, &batch->event);
    }
    disk->batch_count -= disk->group_count;
    for (size_t i = 0; i < disk->batch_count; i++)
        disk->batches[i] = disk->batches[i + disk->group_count];
    disk->group_count = 0;
}

static void cut_slice(struct sim_disk *disk) {
    struct turn_cut *cut = disk->cut;
    disk->cut = NULL;
    raft_index through = cut->through;
    if (through >= disk->first_index + CUT_ENTRIES)
        through = disk->first_index + CUT_ENTRIES - 1;
    CHECK(through <= disk->last_index);
    if (disk->rot_index <= through)
        disk->rot_index = 0;
    free_entries(disk, disk->first_index, through);
    disk->first_index = through + 1;
    cut->first_index = disk->first_index;
    sim_node_post(disk->node, &cut->event);
}

/* A write or its sync failed: nobody knows what is on the disk now, and the process ends. */
static bool fails(struct sim_disk *disk) {
    if (!disk->is_broken)
        return false;
    disk->is_broken = false;
    sim_trace(disk->sim, "node %zu: a write fails", disk->node->number);
    sim_end_process(disk->sim, disk->node);
    return true;
}

/* False: what it leads to ends the process. */
static bool give_back_notes(struct sim_disk *disk) {
    uint64_t life = disk->life;
    while (disk->life == life && disk->asked_note_count > 0) {
        struct sim_note note = disk->asked_notes[--disk->asked_note_count];
        sim_disk_write_note(disk, &note);
        sim_links_noted(disk->node, note.id, note.pair);
    }
    return disk->life == life;
}

/* A sync takes everything with it that was written before. */
static void forget_unsynced(struct sim_disk *disk) {
    sim_image_free(disk->unsynced);
    disk->unsynced = NULL;
}

static void log_written(void *context, void *data, uint64_t tag) {
    struct sim_disk *disk = context;
    (void)data;
    if (tag != disk->life)
        return;
    disk->is_writing = false;
    if (fails(disk))
        return;
    forget_unsynced(disk);
    give_back_batches(disk);
    if (disk->cut)
        cut_slice(disk);
    if (!give_back_notes(disk))
        return;
    if (disk->room) {
        disk->room->log_has_room = !disk->is_full;
        disk->room->state_has_room = !disk->is_full;
        sim_node_post(disk->node, &disk->room->event);
        disk->room = NULL;
    }
    write_begin(disk);
}

void sim_disk_submit(struct sim_disk *disk, struct turn_batch *batch) {
    CHECK(disk->batch_count < BATCHES_IN_FLIGHT_MAX);
    disk->batches[disk->batch_count++] = batch;
    write_begin(disk);
}

void sim_disk_cut(struct sim_disk *disk, struct turn_cut *cut) {
    CHECK(!disk->cut);
    disk->cut = cut;
    write_begin(disk);
}

void sim_disk_note(struct sim_disk *disk, raft_id id, struct gate_pair pair) {
    size_t at = 0;
    while (at < disk->asked_note_count && disk->asked_notes[at].id != id)
        at++;
    CHECK(at < SIM_NOTES_MAX);
    disk->asked_notes[at] = (struct sim_note){.id = id, .pair = pair};
    if (at == disk->asked_note_count)
        disk->asked_note_count++;
    write_begin(disk);
}

void sim_disk_check_room(struct sim_disk *disk, struct turn_room *room) {
    CHECK(!disk->room);
    disk->room = room;
    write_begin(disk);
}

void sim_disk_hang(struct sim_disk *disk, bool is_hung) {
    disk->is_hung = is_hung;
    if (!is_hung && disk->is_waiting)
        write_begin(disk);
}

/* ---- Installing a snapshot ------------------------------------------------------------------- */

static void drop_configurations(struct sim_disk *disk, raft_index through) {
    size_t kept = 0;
    for (size_t i = 0; i < disk->configuration_count; i++)
        if (disk->configurations[i].index > through)
            disk->configurations[kept++] = disk->configurations[i];
    disk->configuration_count = kept;
}

static void put_configuration_first(struct sim_disk *disk,
                                    const struct raft_configuration *configuration) {
    CHECK(disk->configuration_count < disk->configuration_capacity);
    for (size_t i = disk->configuration_count; i > 0; i--)
        disk->configurations[i] = disk->configurations[i - 1];
    disk->configurations[0] = *configuration;
    disk->configuration_count++;
}

static bool is_held(const struct sim_disk *disk, raft_index index, raft_term term) {
    return index <= disk->last_index && index + 1 >= disk->first_index &&
           disk->entries[index].entry.term == term && !PLANTED(reset_kept_log);
}

static void reset_log(struct sim_disk *disk, const struct sim_snapshot *snapshot) {
    raft_index index = snapshot->install.index;
    if (disk->last_index > index)
        sim_check_truncated(disk->sim, disk->node, index + 1);
    free_entries(disk, disk->first_index, disk->last_index);
    make_place(disk, index);
    disk->entries[index] =
        (struct sim_entry){.entry = {.index = index, .term = snapshot->install.term},
                           .chain = snapshot->chain};
    disk->configuration_count = 0;
    disk->last_index = index;
    disk->first_index = index + 1;
}

/* Figure 5.3, and one synced transaction for all of it. */
static void install(struct sim_disk *disk, struct sim_snapshot *snapshot) {
    raft_index index = snapshot->install.index;
    snapshot->install.is_log_kept = is_held(disk, index, snapshot->install.term);
    if (snapshot->install.is_log_kept) {
        free_entries(disk, disk->first_index, index);
        disk->first_index = index + 1;
        drop_configurations(disk, index);
    } else {
        reset_log(disk, snapshot);
    }
    put_configuration_first(disk, &snapshot->install.configuration);
    if (disk->hard.term < snapshot->install.term)
        disk->hard = (struct raft_hard_state){.term = snapshot->install.term};
    disk->installed_index = index;
    if (disk->rot_index < disk->first_index || disk->rot_index > disk->last_index)
        disk->rot_index = 0;
    disk->order.next = disk->last_index + 1;
    disk->old_base = disk->base;
    disk->base = snapshot->base;
    snapshot->base = NULL;
}

static void installed(void *context, void *data, uint64_t tag) {
    struct sim_disk *disk = context;
    (void)data;
    if (tag != disk->life)
        return;
    struct sim_snapshot *snapshot = disk->snapshot;
    disk->snapshot = NULL;
    snapshot->install.status = disk->is_full ? STATUS_DISK_FULL : STATUS_OK;
    if (!disk->is_full)
        install(disk, snapshot);
    sim_node_post(disk->node, &snapshot->install.event);
}

void sim_disk_install(struct sim_disk *disk, struct sim_snapshot *snapshot) {
    CHECK(!disk->snapshot && disk->batch_count == 0 && !disk->cut && !disk->flush);
    disk->snapshot = snapshot;
    uint64_t sync_us = disk->sim->weather.sync_us * disk->slow_factor;
    sim_plan(disk->sim, sim_random_latency(&disk->random, sync_us), installed, disk, NULL,
             disk->life);
}

void sim_disk_forget_old(struct sim_disk *disk) {
    memory_base_free(disk->old_base);
    disk->old_base = NULL;
}

/* ---- The state writer ------------------------------------------------------------------------ */

static void flush_written(void *context, void *data, uint64_t tag) {
    struct sim_disk *disk = context;
    (void)data;
    if (tag != disk->life)
        return;
    if (fails(disk))
        return;
    struct turn_flush *flush = disk->flush;
    disk->flush = NULL;
    flush->status = disk->is_full ? STATUS_DISK_FULL : STATUS_OK;
    flush->has_room = !disk->is_full;
    flush->is_done = sim_random_percent(&disk->random, 70); /* else a part of it was written */
    if (!disk->is_full && flush->is_done)
        memory_base_flush(disk->base, flush->flush);
    sim_node_post(disk->node, &flush->event);
}

void sim_disk_flush(struct sim_disk *disk, struct turn_flush *flush) {
    CHECK(!disk->flush);
    disk->flush = flush;
    uint64_t sync_us = 4 * disk->sim->weather.sync_us * disk->slow_factor;
    sim_plan(disk->sim, sim_random_latency(&disk->random, sync_us), flush_written, disk, NULL,
             disk->life);
}

/* ---- Crashes --------------------------------------------------------------------------------- */

void sim_disk_start(struct sim_disk *disk) {
    if (!PLANTED(skip_sync_at_open))
        forget_unsynced(disk);
}

/* What a process wrote and did not sync outlives its end, for the next start to see, but not the
 * loss of power. */
static bool loses_power(struct sim_disk *disk) {
    struct sim_disk *image = disk->unsynced;
    if (!image || sim_random_percent(&disk->random, 50))
        return false;
    sim_trace(disk->sim, "node %zu loses what was not synced", disk->node->number);
    disk->unsynced = NULL;
    sim_image_restore(disk, image);
    return true;
}

static void end_writes(struct sim_disk *disk) {
    bool has_some = disk->group_count > 0 || disk->flush || disk->snapshot;
    if (PLANTED(skip_sync_at_open) && has_some && !disk->unsynced)
        disk->unsynced = sim_image_take(disk);
    for (size_t i = 0; i < disk->group_count && sim_random_percent(&disk->random, 60); i++)
        (void)try_batch(disk, disk->batches[i]); /* nobody is told how it went */
    for (size_t i = 0; i < disk->asked_note_count && sim_random_percent(&disk->random, 50); i++)
        sim_disk_write_note(disk, &disk->asked_notes[i]);
    if (disk->flush && !disk->is_full && sim_random_percent(&disk->random, 50))
        memory_base_flush(disk->base, disk->flush->flush);
    if (disk->snapshot && !disk->is_full && sim_random_percent(&disk->random, 50))
        install(disk, disk->snapshot);
}

void sim_disk_crash(struct sim_disk *disk) {
    if (!loses_power(disk))
        end_writes(disk);
    disk->snapshot = NULL;
    sim_disk_forget_old(disk);
    disk->life++;
    disk->order = (struct log_order){.next = disk->last_index + 1};
    disk->batch_count = 0;
    disk->group_count = 0;
    disk->cut = NULL;
    disk->room = NULL;
    disk->asked_note_count = 0;
    disk->flush = NULL;
    disk->is_writing = false;
    disk->is_waiting = false;
}

/* ---- Damage ---------------------------------------------------------------------------------- */

void sim_disk_erase(struct sim_disk *disk) {
    struct raft_configuration blank = {0};
    struct sim_disk old = *disk;
    sim_disk_close(disk);
    sim_disk_open(disk, old.sim, old.node, &blank);
    disk->life = old.life + 1;
    disk->slow_factor = old.slow_factor;
    disk->is_hung = old.is_hung;
    disk->is_full = old.is_full;
    disk->is_exhausted = old.is_exhausted;
}

static void rot_record(struct sim_disk *disk, uint64_t pick) {
    struct kv_base view = memory_base_view(disk->base);
    uint8_t place[] = {(uint8_t)(1 + (pick >> 8) % 3), (uint8_t)pick};
    struct bytes key, record;
    if (view.ops->seek(view.context, bytes_of(place, sizeof place), &key, &record) == STATUS_OK)
        memory_base_damage(disk->base, key);
}

void sim_disk_rot(struct sim_disk *disk, uint64_t pick) {
    raft_index count = disk->last_index + 1 - disk->first_index;
    if (pick % 4 == 0)
        disk->has_rotten_meta = true;
    else if (pick % 4 == 1 && count > 0)
        disk->rot_index = disk->first_index + (pick >> 8) % count;
    else
        rot_record(disk, pick >> 8);
}

bool sim_disk_is_found_rotten(const struct sim_disk *disk) {
    bool is_seen = disk->rot_index == disk->first_index || disk->rot_index == disk->last_index;
    return disk->has_rotten_meta || (disk->rot_index != 0 && is_seen);
}

bool sim_disk_rebuild_state(struct sim_disk *disk) {
    if (disk->first_index != 1)
        return false;
    sim_node_crash(disk->node);
    memory_base_free(disk->base);
    disk->base = memory_base_new();
    disk->node->is_doomed = false;
    return true;
}

/* ---- A planted bug --------------------------------------------------------------------------- */

/* Internal keys of answers: a table's byte, the client's id, a slot. */
#define SESSION_TABLE 2
#define ANSWER_KEY_BYTES (1 + 8 + 1)

void sim_disk_forget_answers(struct memory_base *base) {
    struct kv_base view = memory_base_view(base);
    uint8_t place[16] = {SESSION_TABLE};
    struct bytes next = bytes_of(place, 1);
    struct bytes key, record;
    (void)memory_base_reopen(base);
    while (view.ops->seek(view.context, next, &key, &record) == STATUS_OK &&
           key.data[0] == SESSION_TABLE) {
        memcpy(place, key.data, key.len);
        place[key.len] = 0;
        next = bytes_of(place, key.len + 1);
        if (key.len == ANSWER_KEY_BYTES)
            memory_base_write(base, key, (struct bytes){0});
    }
}
