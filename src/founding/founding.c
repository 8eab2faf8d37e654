#include "founding/machine.h"

#include "deadline.h"
#include "mix.h"

#include <stdlib.h>

/* ---- Small things that all files use ------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b) {
    return mix_bits(a * MIX_STEP + mix_bits(b + 0x632be59bd9b4e019));
}

uint64_t founding__random_ms(struct founding *f, uint64_t low_retries, uint64_t high_retries) {
    uint64_t span_ms = (high_retries - low_retries) * f->retry_ms;
    return low_retries * f->retry_ms + mix_next(&f->random) % (span_ms + 1);
}

/* As random as the proposer's identity, and another one for each of its numbers. */
uint64_t founding__cluster_id(struct founding_key key) {
    uint64_t cluster_id = mix(key.proposer, key.number);
    return cluster_id != 0 ? cluster_id : 1;
}

void founding__mark(struct founding *f) {
    f->version++;
}

bool founding__is_held(const struct founding *f, struct founding_key key) {
    return f->state.is_held && f->state.key.proposer == key.proposer &&
           f->state.key.number == key.number;
}

size_t founding__place(const struct founding *f, raft_id id) {
    for (size_t i = 0; f->state.is_held && i < f->state.configuration.count; i++)
        if (f->state.configuration.members[i].id == id)
            return i;
    return MEMBERS_MAX;
}

bool founding__is_majority(const struct founding *f, uint32_t members) {
    return 2 * (size_t)__builtin_popcount(members) > f->state.configuration.count;
}

void founding__become(struct founding *f, enum founding_role role, uint64_t limit_ms) {
    f->role = role;
    f->limit_ms = limit_ms;
    f->act_ms = f->now_ms + ASK_RETRIES * f->retry_ms;
    f->answered = 0;
    if (role != FOUNDING_IDLE)
        return;
    f->left = 0;
    memset(f->reasons, 0, sizeof f->reasons);
    memset(f->heard_ms, 0, sizeof f->heard_ms);
}

/* What a planted bug lets out too early. */
static bool is_hasty(enum founding_kind kind) {
    return (kind == FOUNDING_DECIDE && PLANTED(decide_before_durable)) ||
           (kind == FOUNDING_ACCEPTED && PLANTED(accept_before_durable)) ||
           (kind == FOUNDING_PROMISE && PLANTED(promise_before_durable)) ||
           (kind == FOUNDING_DECIDED && PLANTED(decided_before_durable)) ||
           (kind == FOUNDING_DEAD && PLANTED(dead_before_durable));
}

void founding__send(struct founding *f, raft_id to, const struct founding_content *content) {
    CHECK(to != f->state.self);
    if (f->letter_count == FOUNDING_MESSAGES_MAX)
        return;
    struct founding_letter *letter = &f->letters[f->letter_count++];
    letter->to = to;
    letter->is_offered = false;
    letter->version = is_hasty(content->kind) ? 0 : f->version;
    letter->len = founding__content_encode(content, letter->bytes);
}

void founding__send_members(struct founding *f, uint32_t except,
                            const struct founding_content *content) {
    for (size_t i = 0; i < f->state.configuration.count; i++) {
        raft_id id = f->state.configuration.members[i].id;
        if (id != f->state.self && !((except >> i) & 1))
            founding__send(f, id, content);
    }
}

/* ---- Making one ---------------------------------------------------------------------------- */

static bool name_is_sound(const char *name) {
    return name && name[0] != '\0' && strnlen(name, NAME_BYTES_MAX) < NAME_BYTES_MAX;
}

static bool names_are_sound(const struct founding_config *config) {
    bool has_self = false;
    if (config->name_count < 1 || config->name_count > MEMBERS_MAX)
        return false;
    for (size_t i = 0; i < config->name_count; i++) {
        if (!name_is_sound(config->names[i]))
            return false;
        has_self |= strcmp(config->names[i], config->name) == 0;
        for (size_t j = 0; j < i; j++)
            if (strcmp(config->names[i], config->names[j]) == 0)
                return false;
    }
    return has_self;
}

static bool config_is_sound(const struct founding_config *config) {
    if (config->self == 0 || !name_is_sound(config->name) || config->retry_ms < 10 ||
        config->retry_ms > 60000)
        return false;
    if (config->names)
        return names_are_sound(config);
    return config->expect >= 1 && config->expect <= MEMBERS_MAX;
}

static enum status load_state(const struct founding_config *config, struct founding_state *state) {
    *state = (struct founding_state){.self = config->self};
    if (config->record.len == 0)
        return STATUS_OK;
    enum status status = founding__state_decode(config->record, state);
    if (status == STATUS_OK && state->self != config->self)
        return STATUS_CORRUPT;
    return status;
}

/* The store's cluster is the one that was started here, or the one that was dropped since, or there
 * is nothing held here: it has joined. */
static bool fits_store(const struct founding_state *state, uint64_t cluster_id) {
    if (cluster_id == 0 || !state->is_held || cluster_id == state->dropped_cluster)
        return true;
    return state->is_started && founding__cluster_id(state->key) == cluster_id;
}

static void take_config(struct founding *f, const struct founding_config *config) {
    memcpy(f->name, config->name, strlen(config->name));
    f->has_names = config->names != NULL;
    f->expect = f->has_names ? config->name_count : config->expect;
    for (size_t i = 0; f->has_names && i < f->expect; i++)
        memcpy(f->names[i], config->names[i], strlen(config->names[i]));
    f->retry_ms = config->retry_ms;
    f->start_ms = f->held_ms = f->now_ms = config->now_ms;
    f->random = mix(config->seed, config->self);
    f->cluster_id = config->cluster_id;
    f->has_committed = config->cluster_id != 0 && config->has_committed;
    f->told.cluster_id = config->cluster_id;
    if (config->cluster_id != 0)
        f->told.kind = f->state.is_started ? FOUNDING_FOUND : FOUNDING_JOIN;
}

/* What it holds, it takes up again; of its own proposal it knows nobody's acceptance any more. */
static void resume(struct founding *f) {
    const struct founding_state *s = &f->state;
    bool was_collecting = s->key.proposer == s->self && s->value == VALUE_NONE;
    founding__become(f, FOUNDING_IDLE, UINT64_MAX);
    if (!s->is_held)
        return;
    if (s->is_started)
        founding__become(f, FOUNDING_STARTING, UINT64_MAX);
    else if (was_collecting)
        founding__close(f);
    else
        founding__become(f, FOUNDING_HOLDING,
                         f->now_ms +
                             founding__random_ms(f, PATIENCE_RETRIES, 2 * PATIENCE_RETRIES));
    f->act_ms = f->now_ms;
}

static void reconsider(struct founding *f) {
    struct founding_candidates candidates;
    founding__candidates(f, &candidates);
    bool was_eligible = f->is_eligible;
    f->is_eligible = founding__is_eligible(f, &candidates);
    if (!f->is_eligible)
        return;
    uint64_t choice = 0;
    for (size_t i = 0; i < f->expect; i++)
        choice = mix(choice, candidates.list[i].id);
    uint64_t settled_ms = f->now_ms + (f->has_names ? 0 : SETTLE_RETRIES * f->retry_ms);
    if ((!was_eligible || choice != f->choice) && f->propose_ms < settled_ms)
        f->propose_ms = settled_ms;
    f->choice = choice;
}

enum status founding_new(const struct founding_config *config, struct founding **ret_f) {
    struct founding_state state;
    if (!config_is_sound(config))
        return STATUS_INVALID;
    enum status status = load_state(config, &state);
    if (status != STATUS_OK)
        return status;
    if (!fits_store(&state, config->cluster_id))
        return STATUS_INVALID;
    struct founding *f = calloc(1, sizeof *f);
    if (!f)
        return STATUS_NO_MEMORY;
    f->state = state;
    take_config(f, config);
    resume(f);
    reconsider(f);
    *ret_f = f;
    return STATUS_OK;
}

void founding_free(struct founding *f) {
    free(f);
}

/* ---- Events in ----------------------------------------------------------------------------- */

static void act(struct founding *f) {
    switch (f->role) {
    case FOUNDING_IDLE: break;
    case FOUNDING_COLLECTING: founding__collect_again(f); break;
    case FOUNDING_HOLDING:
    case FOUNDING_STARTING: founding__ask(f); break;
    case FOUNDING_PREPARING:
    case FOUNDING_DECIDING: founding__ballot_again(f); break;
    }
}

static void run_out(struct founding *f) {
    switch (f->role) {
    case FOUNDING_IDLE:
    case FOUNDING_STARTING: break;
    case FOUNDING_COLLECTING: founding__close(f); break;
    case FOUNDING_HOLDING:
        if (PLANTED(let_go_in_silence)) {
            founding__close(f);
            break;
        }
        founding__prepare(f);
        break;
    case FOUNDING_PREPARING:
    case FOUNDING_DECIDING: founding__prepare(f); break;
    }
}

/* A started cluster that lives needs nobody to ask. */
static bool is_at_rest(const struct founding *f) {
    return f->role == FOUNDING_IDLE || (f->role == FOUNDING_STARTING && f->has_committed);
}

static void fire(struct founding *f) {
    if (f->is_eligible && f->now_ms >= f->propose_ms)
        founding__propose(f);
    else if (f->now_ms >= f->limit_ms)
        run_out(f);
    else if (!is_at_rest(f) && f->now_ms >= f->act_ms)
        act(f);
}

static enum status receive(struct founding *f, raft_id from, struct bytes bytes) {
    struct founding_content content;
    enum status status = founding__content_decode(bytes, &content);
    if (status != STATUS_OK)
        return status;
    if (from == 0 || from == f->state.self)
        return STATUS_INVALID;
    return founding__receive(f, from, &content);
}

static enum status note_durable(struct founding *f, uint64_t number) {
    if (number == 0 || number != f->in_flight)
        return STATUS_STALE;
    f->durable = number;
    f->in_flight = 0;
    return STATUS_OK;
}

/* ---- Ready out ----------------------------------------------------------------------------- */

static bool is_all_durable(const struct founding *f) {
    return f->version == f->durable;
}

static struct founding_decision found(const struct founding *f) {
    return (struct founding_decision){.kind = FOUNDING_FOUND,
                                      .cluster_id = founding__cluster_id(f->state.key),
                                      .configuration = f->state.configuration};
}

static struct founding_decision decision_of_member(const struct founding *f) {
    bool is_its = f->state.is_started && founding__cluster_id(f->state.key) == f->cluster_id;
    if (is_its || f->cluster_id != f->state.dropped_cluster || !is_all_durable(f))
        return f->told;
    return (struct founding_decision){.kind = FOUNDING_DROP, .cluster_id = f->cluster_id};
}

static struct founding_decision decide(const struct founding *f) {
    if (f->cluster_id != 0)
        return decision_of_member(f);
    if (f->state.is_started && (is_all_durable(f) || PLANTED(found_before_durable)))
        return found(f);
    uint64_t joinable = founding__joinable(f);
    if (joinable == 0 || f->state.is_held || !is_all_durable(f))
        return (struct founding_decision){.kind = FOUNDING_WAIT};
    return (struct founding_decision){.kind = FOUNDING_JOIN, .cluster_id = joinable};
}

static bool is_told(const struct founding *f, const struct founding_decision *decision) {
    return f->told.kind == decision->kind && f->told.cluster_id == decision->cluster_id;
}

static size_t offer_letters(struct founding *f) {
    size_t count = 0;
    for (size_t i = 0; i < f->letter_count; i++) {
        struct founding_letter *letter = &f->letters[i];
        letter->is_offered = letter->version <= f->durable;
        if (letter->is_offered)
            f->messages[count++] =
                (struct founding_message){.to = letter->to,
                                          .bytes = bytes_of(letter->bytes, letter->len)};
    }
    return count;
}

void founding_ready(struct founding *f, struct founding_ready *ret_ready) {
    f->offered = f->version != f->durable && f->in_flight == 0 ? f->version : 0;
    f->telling = decide(f);
    f->is_telling = !is_told(f, &f->telling);
    *ret_ready = (struct founding_ready){.messages = f->messages,
                                         .message_count = offer_letters(f),
                                         .has_record = f->offered != 0,
                                         .has_decision = f->is_telling};
    if (ret_ready->has_decision)
        ret_ready->decision = f->telling;
    if (ret_ready->has_record)
        ret_ready->record = (struct founding_record){
            .number = f->offered,
            .bytes = bytes_of(f->record, founding__state_encode(&f->state, f->record))};
}

static void drop_offered_letters(struct founding *f) {
    size_t kept = 0;
    for (size_t i = 0; i < f->letter_count; i++)
        if (!f->letters[i].is_offered) {
            if (kept != i)
                f->letters[kept] = f->letters[i];
            kept++;
        }
    f->letter_count = kept;
}

/* The store does what it was told; should the process end before, it is told again. */
static void note_told(struct founding *f) {
    f->told = f->telling;
    switch (f->told.kind) {
    case FOUNDING_WAIT:
    case FOUNDING_JOIN: break;
    case FOUNDING_FOUND: f->cluster_id = f->told.cluster_id; break;
    case FOUNDING_DROP:
        f->cluster_id = 0;
        f->has_committed = false;
        f->state.dropped_cluster = 0; /* it may join the same one later */
        founding__mark(f);
        break;
    }
    reconsider(f);
}

void founding_advance(struct founding *f) {
    drop_offered_letters(f);
    if (f->offered != 0)
        f->in_flight = f->offered;
    f->offered = 0;
    if (f->is_telling)
        note_told(f);
    f->is_telling = false;
}

/* ---- Stepping ------------------------------------------------------------------------------ */

static enum status join(struct founding *f, uint64_t cluster_id) {
    struct founding_decision decision = decide(f);
    if (f->cluster_id != 0 || decision.kind != FOUNDING_JOIN || decision.cluster_id != cluster_id ||
        !is_told(f, &decision))
        return STATUS_BUSY;
    f->cluster_id = cluster_id;
    return STATUS_OK;
}

static void note_committed(struct founding *f) {
    if (f->state.is_started && f->cluster_id == founding__cluster_id(f->state.key))
        f->has_committed = true;
}

static enum status dispatch(struct founding *f, const struct founding_event *event) {
    switch (event->kind) {
    case FOUNDING_EVENT_TIMEOUT: fire(f); break;
    case FOUNDING_EVENT_SIGHTED: return founding__sighted(f, &event->sighted);
    case FOUNDING_EVENT_SILENT: founding__silent(f, event->silent); break;
    case FOUNDING_EVENT_RECEIVE: return receive(f, event->receive.from, event->receive.bytes);
    case FOUNDING_EVENT_DURABLE: return note_durable(f, event->durable);
    case FOUNDING_EVENT_COMMITTED: note_committed(f); break;
    case FOUNDING_EVENT_JOINED: return join(f, event->cluster_id);
    case FOUNDING_EVENT_RESET: return founding__reset(f);
    }
    return STATUS_OK;
}

/* What is true after each step. */
static void check(const struct founding *f) {
    const struct founding_state *s = &f->state;
    CHECK((f->role == FOUNDING_IDLE) == !s->is_held);
    CHECK((f->role == FOUNDING_STARTING) == s->is_started);
    CHECK(!s->is_held || (s->key.number <= s->floor && founding__place(f, s->self) < MEMBERS_MAX));
    CHECK(s->reset_floor <= s->floor);
    CHECK(f->role != FOUNDING_COLLECTING || (s->key.proposer == s->self && s->value == VALUE_NONE));
    CHECK(f->in_flight <= f->version && f->durable <= f->version);
}

enum status founding_step(struct founding *f, const struct founding_event *event) {
    if (event->now_ms > f->now_ms)
        f->now_ms = event->now_ms;
    enum status status = dispatch(f, event);
    founding__count_gone(f);
    reconsider(f);
    check(f);
    return status;
}

uint64_t founding_deadline_ms(const struct founding *f) {
    if (f->is_eligible)
        return f->propose_ms;
    if (is_at_rest(f))
        return UINT64_MAX;
    return earliest(f->act_ms, f->limit_ms);
}
