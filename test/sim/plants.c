#include "sim/plants.h"

#include "sim/plant_table.h"

static const struct plant plants[] = {
    {"skip_vote_sync", "a vote is told before it is on the disk"},
    {"ack_before_sync", "an append is acknowledged before it is on the disk"},
    {"count_self_early", "a leader counts its own log before it is on the disk"},
    {"apply_before_durable", "what is committed is applied before it is on this disk"},
    {"durable_by_index", "a completion counts for entries that were rewritten since"},
    {"skip_sync_at_open", "what a start reads is not synced before it is relied on"},
    {"retry_old_vote", "a batch that found no room brings an old vote back"},
    {"retry_truncated", "a batch that found no room brings truncated entries back"},
    {"count_vote_twice", "a vote that comes twice counts twice"},
    {"forget_vote", "who steps down within a term forgets its vote"},
    {"keep_vote", "a vote is kept over a higher term"},
    {"vote_for_shorter_log", "a vote for whoever asks, whatever its log"},
    {"no_silence", "votes straight after a restart"},
    {"no_stickiness", "votes though it hears a leader"},
    {"commit_old_term", "entries of an older term are committed by counting"},
    {"commit_unmatched", "a follower commits what it only hopes to share"},
    {"no_truncation", "what conflicts stays in the log"},
    {"lease_forever", "a lease does not expire"},
    {"lease_after_transfer", "a lease outlives TimeoutNow"},
    {"lease_over_configuration", "a lease outlives a change of members"},
    {"read_joins_round", "a read joins a round that was sent already"},
    {"any_round_counts", "a late answer counts for the newest round"},
    {"new_half_only", "a joint configuration counts its new half only"},
    {"configure_early", "a change of members before the last one is committed"},
    {"gate_skips_memory", "a peer is let in before its start is on the disk"},
    {"gate_trusts_counter", "a peer is let in that started more often than remembered"},
    {"forget_answers", "a restart forgets what sessions were answered"},
    {"snapshot_forgets", "a snapshot leaves out what sessions were answered"},
    {"install_old", "a snapshot is installed over a newer state"},
    {"reset_kept_log", "a snapshot takes the log after it away, though it fits"},
};

bool plant_choose(const char *name) {
    return plant_table_choose(plants, sizeof plants / sizeof plants[0], "phalanx-sim", name);
}
