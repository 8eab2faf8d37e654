/* A peer's snapshot comes in: what it waits for, what stands still meanwhile, and what is different
 * after it. */
#include "support/world_peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ---- Given ----------------------------------------------------------------------------------- */

/* A follower in term 3 with ten entries, five of them committed. */
static struct world *given_a_follower(void) {
    struct world *w = world_with_peers(3);
    w->config.flush_ms = 50;
    w->config.keep_entries = 2;
    world_follow(w);
    world_receive_entries(w, 0, 10, 5);
    world_settle(w);
    assert_int_equal(world_raft(w)->last_index, 10);
    assert_int_equal(world_raft(w)->commit_index, 5);
    return w;
}

struct snapshot {
    struct turn_install install;
    struct memory_base *base;
    struct kv_meta meta;
};

/* Of a cluster where `k` is `new` and a fourth member, 10, was added, as of `index`. */
static struct snapshot given_a_snapshot(raft_index index) {
    struct world *w = world_with_peers(3);
    struct turn_order add = world_order_of(TURN_ORDER_ADD, 10);
    world_lead(w);
    world_order(w, &add);
    world_put(w, "k", "new");
    world_agree(w, 0);
    world_elapse_with(w, 5100, 0);
    struct snapshot snapshot = {.base = memory_base_copy(w->base), .meta = w->meta};
    snapshot.meta.applied_index = index;
    snapshot.meta.applied_term = 3;
    snapshot.install = (struct turn_install){.event.kind = TURN_INSTALL,
                                             .index = index,
                                             .term = 3,
                                             .configuration = w->told,
                                             .generation = 2};
    assert_int_equal(w->told.count, 4);
    world_free(w);
    return snapshot;
}

static void offered(struct world *w, struct snapshot *snapshot) {
    STAILQ_INSERT_TAIL(&w->inbox, &snapshot->install.event, link);
    world_turn(w);
}

/* The log's store names the snapshot, and drops what it stands for. */
static void written(struct world *w, struct snapshot *snapshot, bool is_log_kept) {
    assert_ptr_equal(w->install, &snapshot->install);
    w->install = NULL;
    world_forget_log(w, snapshot->install.index, snapshot->install.term, is_log_kept);
    memory_base_free(w->base);
    w->base = snapshot->base;
    w->meta = snapshot->meta;
    snapshot->base = NULL;
    (void)memory_base_reopen(w->base);
    snapshot->install.status = STATUS_OK;
    snapshot->install.is_log_kept = is_log_kept;
    snapshot->install.base = memory_base_view(w->base);
    snapshot->install.meta = snapshot->meta;
    STAILQ_INSERT_TAIL(&w->inbox, &snapshot->install.event, link);
    world_turn(w);
}

static void refused(struct world *w, struct snapshot *snapshot, enum status status) {
    assert_ptr_equal(w->install, &snapshot->install);
    w->install = NULL;
    snapshot->install.status = status;
    STAILQ_INSERT_TAIL(&w->inbox, &snapshot->install.event, link);
    world_turn(w);
}

static void assert_given_back(const struct world *w, enum status status) {
    assert_int_equal(w->installs_done, 1);
    assert_int_equal(w->install_status, status);
}

static void gone(struct world *w, struct snapshot *snapshot) {
    memory_base_free(snapshot->base);
    world_free(w);
}

/* ---- What it waits for ----------------------------------------------------------------------- */

static void is_written_at_once_when_the_writers_are_idle(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    assert_non_null(w->install);
    assert_int_equal(w->installs_done, 0);
    gone(w, &snapshot);
}

static void waits_for_the_log_writer(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    world_receive_entries(w, 10, 2, 5);
    world_turn(w);
    offered(w, &snapshot);
    assert_null(w->install);
    world_log_syncs(w);
    world_turn(w);
    assert_non_null(w->install);
    gone(w, &snapshot);
}

static void waits_for_the_flush(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    world_elapse(w, 60);
    assert_non_null(w->flush);
    offered(w, &snapshot);
    assert_null(w->install);
    world_state_syncs(w);
    world_turn(w);
    assert_non_null(w->install);
    assert_null(w->cut); /* nor does it begin one */
    gone(w, &snapshot);
}

static void waits_for_the_cut(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    world_elapse(w, 60);
    world_state_syncs(w);
    world_turn(w);
    assert_non_null(w->cut);
    offered(w, &snapshot);
    assert_null(w->install);
    world_cut_done(w);
    world_turn(w);
    assert_non_null(w->install);
    gone(w, &snapshot);
}

/* ---- What stands still ----------------------------------------------------------------------- */

static void takes_no_append_while_it_waits(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    offered(w, &snapshot);
    size_t done = w->messages_done;
    world_receive_entries(w, 11, 1, 5);
    world_turn(w);
    assert_int_equal(w->messages_done, done + 1);
    assert_int_equal(world_raft(w)->last_index, 11);
    gone(w, &snapshot);
}

static void hears_its_leader_while_it_waits(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    offered(w, &snapshot);
    size_t answers = world_sent_count(w, RAFT_HEARTBEAT_ANSWER, 8);
    world_receive(w, from_heartbeat(8, 3, 2, 5));
    world_turn(w);
    assert_int_equal(world_sent_count(w, RAFT_HEARTBEAT_ANSWER, 8), answers + 1);
    gone(w, &snapshot);
}

static void hears_nobody_while_it_is_written(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    size_t sent = w->sent_count, done = w->messages_done;
    world_receive(w, from_heartbeat(8, 3, 2, 5));
    world_receive(w, from_vote(9, 4, 100, 3));
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    assert_int_equal(w->messages_done, done + 3);
    assert_int_equal(w->sent_count, sent);
    assert_int_equal(world_raft(w)->term, 3);
    assert_int_equal(world_raft(w)->last_index, 10);
    gone(w, &snapshot);
}

static void does_not_campaign_while_it_is_written(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    world_elapse(w, 20000);
    assert_int_equal(world_sent_count(w, RAFT_PRE_VOTE, 0), 0);
    refused(w, &snapshot, STATUS_DISK_FULL);
    world_elapse(w, 3000);
    assert_true(world_sent_count(w, RAFT_PRE_VOTE, 0) > 0);
    gone(w, &snapshot);
}

static void begins_no_flush_while_it_is_written(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    world_elapse(w, 200);
    assert_null(w->flush);
    refused(w, &snapshot, STATUS_DISK_FULL);
    assert_non_null(w->flush);
    gone(w, &snapshot);
}

/* ---- Given back ------------------------------------------------------------------------------ */

static void is_stale_when_it_holds_nothing_new(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(5);
    offered(w, &snapshot);
    assert_given_back(w, STATUS_STALE);
    assert_null(w->install);
    gone(w, &snapshot);
}

static void is_stale_when_the_node_came_as_far_while_it_waited(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(8);
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    offered(w, &snapshot);
    world_receive(w, from_heartbeat(8, 3, 2, 10));
    world_turn(w);
    assert_given_back(w, STATUS_STALE);
    world_settle(w);
    assert_null(w->install);
    gone(w, &snapshot);
}

static void one_at_a_time(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot first = given_a_snapshot(20), second = given_a_snapshot(30);
    offered(w, &first);
    offered(w, &second);
    assert_given_back(w, STATUS_BUSY);
    assert_ptr_equal(w->install, &first.install);
    memory_base_free(second.base);
    gone(w, &first);
}

static void a_leader_installs_nothing(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    struct snapshot snapshot = given_a_snapshot(20);
    world_lead(w);
    offered(w, &snapshot);
    assert_given_back(w, STATUS_INVALID);
    assert_null(w->install);
    gone(w, &snapshot);
}

static void goes_on_as_before_when_the_store_found_no_room(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    refused(w, &snapshot, STATUS_DISK_FULL);
    assert_given_back(w, STATUS_DISK_FULL);
    world_receive_entries(w, 10, 1, 11);
    world_settle(w);
    world_elapse(w, 30);
    assert_int_equal(w->status.applied_index, 11);
    assert_int_equal(w->status.snapshots_installed_total, 0);
    gone(w, &snapshot);
}

static void is_given_back_when_the_node_stops(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    struct turn_event stop = {.kind = TURN_STOP};
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    offered(w, &snapshot);
    STAILQ_INSERT_TAIL(&w->inbox, &stop, link);
    world_turn(w);
    assert_given_back(w, STATUS_STALE);
    gone(w, &snapshot);
}

/* ---- After it -------------------------------------------------------------------------------- */

static void answers_from_the_new_state(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    struct kv_request stale = {.operation = KV_GET, .key = bytes_of_text("k"), .is_stale = true};
    offered(w, &snapshot);
    struct world_client *before = world_ask(w, &stale, 5000);
    world_turn(w);
    assert_false(before->response.is_found);
    written(w, &snapshot, false);
    assert_given_back(w, STATUS_OK);
    struct world_client *after = world_ask(w, &stale, 5000);
    world_turn(w);
    assert_string_equal(after->value, "new");
    gone(w, &snapshot);
}

static void tells_the_members_of_the_new_state(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    size_t told = w->told_count;
    offered(w, &snapshot);
    written(w, &snapshot, false);
    assert_int_equal(w->told_count, told + 1);
    assert_int_equal(w->told.count, 4);
    assert_non_null(raft_configuration_find(&w->told, 10));
    gone(w, &snapshot);
}

static void the_log_goes_on_after_it(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    offered(w, &snapshot);
    written(w, &snapshot, false);
    world_elapse(w, 30);
    assert_int_equal(w->status.first_index, 21);
    world_receive_entries(w, 20, 3, 23);
    world_settle(w);
    world_elapse(w, 100);
    world_settle(w);
    world_elapse(w, 30);
    assert_int_equal(w->status.applied_index, 23);
    assert_int_equal(w->status.flushed_index, 23);
    assert_int_equal(w->status.snapshots_installed_total, 1);
    gone(w, &snapshot);
}

static void what_follows_it_in_the_log_is_kept_and_applied(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(8);
    offered(w, &snapshot);
    written(w, &snapshot, true);
    assert_int_equal(world_raft(w)->last_index, 10);
    world_receive(w, from_heartbeat(8, 3, 2, 10));
    world_settle(w);
    world_elapse(w, 30);
    assert_int_equal(w->status.applied_index, 10);
    assert_int_equal(w->status.first_index, 9);
    gone(w, &snapshot);
}

/* A leader's put at index 4, on its way; then 8 leads. */
static struct world_client *given_a_put_of_a_former_leader(struct world *w) {
    world_lead(w);
    world_put(w, "a", "1");
    world_put(w, "a", "2");
    world_agree(w, 0);
    struct world_client *put = world_put(w, "a", "3");
    world_settle(w);
    assert_int_equal(put->turn.index, 4);
    world_depose(w);
    assert_false(put->is_answered);
    return put;
}

static void assert_fate_is_open(const struct world_client *client) {
    assert_true(client->is_answered);
    assert_int_equal(client->response.status, STATUS_ABORTED);
    assert_false(client->response.is_not_applied);
}

static void a_write_in_a_log_that_went_may_have_happened(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    struct snapshot snapshot = given_a_snapshot(20);
    struct world_client *put = given_a_put_of_a_former_leader(w);
    offered(w, &snapshot);
    written(w, &snapshot, false);
    assert_fate_is_open(put);
    gone(w, &snapshot);
}

static void a_write_that_the_snapshot_covers_may_have_happened(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    struct snapshot snapshot = given_a_snapshot(4);
    struct world_client *put = given_a_put_of_a_former_leader(w);
    snapshot.install.term = 1;
    offered(w, &snapshot);
    written(w, &snapshot, true);
    assert_fate_is_open(put);
    gone(w, &snapshot);
}

static void a_write_after_a_snapshot_that_fits_goes_on(void **state) {
    (void)state;
    struct world *w = world_with_peers(3);
    struct snapshot snapshot = given_a_snapshot(4);
    struct world_client *covered = given_a_put_of_a_former_leader(w);
    world_lead_again(w);
    struct world_client *put = world_put(w, "a", "4");
    world_settle(w);
    assert_int_equal(put->turn.index, 6); /* after the no-op */
    world_depose(w);
    snapshot.install.term = 1;
    offered(w, &snapshot);
    written(w, &snapshot, true);
    assert_fate_is_open(covered);
    assert_false(put->is_answered);
    raft_term term = world_raft(w)->term;
    world_receive(w, from_append(8, term, 6, term - 1, NULL, 0, 6));
    world_settle(w);
    assert_int_equal(put->response.status, STATUS_OK);
    gone(w, &snapshot);
}

static void a_read_that_waited_for_an_index_is_answered(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    struct world_client *get = world_get(w, "k");
    world_turn(w);
    const struct raft_message *question = world_sent(w, RAFT_READ, 8);
    assert_non_null(question);
    struct raft_message answer = {.kind = RAFT_READ_ANSWER, .from = 8, .term = 3};
    answer.read.token = question->read.token;
    answer.read.index = 15;
    world_receive(w, answer);
    world_turn(w);
    assert_false(get->is_answered);
    offered(w, &snapshot);
    written(w, &snapshot, false);
    assert_true(get->is_answered);
    assert_string_equal(get->value, "new");
    gone(w, &snapshot);
}

static void a_stream_that_waited_for_a_flush_is_served(void **state) {
    (void)state;
    struct world *w = given_a_follower();
    struct snapshot snapshot = given_a_snapshot(20);
    struct turn_snapshot asked = {.event.kind = TURN_SNAPSHOT};
    world_receive_entries(w, 10, 1, 5);
    world_turn(w);
    offered(w, &snapshot);
    STAILQ_INSERT_TAIL(&w->inbox, &asked.event, link);
    world_log_syncs(w);
    world_turn(w);
    assert_int_equal(w->snapshots, 0);
    written(w, &snapshot, false);
    assert_int_equal(w->snapshots, 1);
    gone(w, &snapshot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_at_once_when_the_writers_are_idle),
        cmocka_unit_test(waits_for_the_log_writer),
        cmocka_unit_test(waits_for_the_flush),
        cmocka_unit_test(waits_for_the_cut),
        cmocka_unit_test(takes_no_append_while_it_waits),
        cmocka_unit_test(hears_its_leader_while_it_waits),
        cmocka_unit_test(hears_nobody_while_it_is_written),
        cmocka_unit_test(does_not_campaign_while_it_is_written),
        cmocka_unit_test(begins_no_flush_while_it_is_written),
        cmocka_unit_test(is_stale_when_it_holds_nothing_new),
        cmocka_unit_test(is_stale_when_the_node_came_as_far_while_it_waited),
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(a_leader_installs_nothing),
        cmocka_unit_test(goes_on_as_before_when_the_store_found_no_room),
        cmocka_unit_test(is_given_back_when_the_node_stops),
        cmocka_unit_test(answers_from_the_new_state),
        cmocka_unit_test(tells_the_members_of_the_new_state),
        cmocka_unit_test(the_log_goes_on_after_it),
        cmocka_unit_test(what_follows_it_in_the_log_is_kept_and_applied),
        cmocka_unit_test(a_write_in_a_log_that_went_may_have_happened),
        cmocka_unit_test(a_write_that_the_snapshot_covers_may_have_happened),
        cmocka_unit_test(a_write_after_a_snapshot_that_fits_goes_on),
        cmocka_unit_test(a_read_that_waited_for_an_index_is_answered),
        cmocka_unit_test(a_stream_that_waited_for_a_flush_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
