"""A follower that was away for longer than the log reaches back comes back by a snapshot."""

import socket
import time

import grpc

from support import expect, main, test
from support.client import CallFailed, insist
from support.history import Clients, History

# The log keeps little, so that a short absence is a long one.
SHORT_LOG = {"LOG_KEEP_ENTRIES": 100, "LOG_KEEP_MB": 1, "STATE_FLUSH_MS": 50}


def fill(node, count, size=200):
    client = node.client()
    for number in range(count):
        insist(lambda: client.put(f"fill/{number % 200}", b"." * size, timeout=30))


def wait_until_cut(nodes, index):
    """Until the logs of these begin after this index."""
    for node in nodes:
        node.wait_for_status(lambda status: status.first_index > index + 1, 60,
                             f"that the log is cut behind {index}")


def last_index(node):
    return node.client().status().last_index


@test
def a_follower_comes_back_by_a_snapshot_while_others_serve(story):
    cluster = story.cluster(3, **SHORT_LOG).start()
    away = cluster.others(cluster.leader())[0]
    index = last_index(away)
    away.kill()
    history = History(story)
    clients = Clients(history, cluster).start()
    fill(cluster.leader(), 300)
    wait_until_cut(cluster.others(away), index)
    before = history.count("ok")
    away.launch()
    away.wait_for_log('msg="snapshot installed"', 60)
    clients.wait_for(written=30)
    clients.stop()
    expect(history.count("ok") > before)
    expect(any('msg="snapshot sent"' in node.log() for node in cluster.others(away)))
    history.expect_all_well(cluster)


@test
def what_a_snapshot_brought_survives_a_restart(story):
    cluster = story.cluster(3, **SHORT_LOG).start()
    away = cluster.others(cluster.leader())[0]
    index = last_index(away)
    away.kill()
    fill(cluster.leader(), 300)
    wait_until_cut(cluster.others(away), index)
    away.launch()
    away.wait_for_log('msg="snapshot installed"', 60)
    away.kill()
    away.launch()
    state = cluster.wait_level()
    expect(state.key_count == 200, state)
    cluster.leader().client().put("key", "value")
    expect(away.client().get("key").value == b"value")


@test
def a_leader_that_waits_to_send_a_snapshot_serves_on(story):
    cluster = story.cluster(3, **SHORT_LOG).start()
    leader = cluster.leader()
    away = cluster.others(leader)[0]
    index = last_index(away)
    away.kill()
    fill(leader, 300)
    wait_until_cut(cluster.others(away), index)
    term = leader.client().status().term
    front = away.settings["ADVERTISE_ADDR"]
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never says a word
        away.settings["ADVERTISE_ADDR"] = f"127.0.0.1:{silent.getsockname()[1]}"
        away.launch()
        silent.settimeout(60)
        caller, _ = silent.accept()  # for a snapshot: links are dialled elsewhere
        end = time.monotonic() + 4
        while time.monotonic() < end:
            leader.client().put("key", "value", timeout=3)
        caller.close()
    away.kill()
    away.settings["ADVERTISE_ADDR"] = front
    away.launch()
    away.wait_for_log('msg="snapshot installed"', 60)
    expect(leader.client().status().term == term)


@test
def an_absence_within_the_log_needs_no_snapshot(story):
    cluster = story.cluster(3, STATE_FLUSH_MS=50).start()
    away = cluster.others(cluster.leader())[0]
    away.kill()
    fill(cluster.leader(), 300)
    away.launch()
    cluster.wait_level()
    expect("snapshot" not in away.log(), away.log())


def put_again(client, sequence, key):
    return insist(lambda: client.put(key, "value", request_id=(99, sequence), timeout=10))


def expect_same_answers(node, answers):
    """Asked again under the same names."""
    client = node.client()
    for sequence, (key, answer) in answers.items():
        again = put_again(client, sequence, key)
        expect(again == answer, node.name, "answers", again, "after", answer)


def expect_same_mismatch(node, sequence):
    """Whatever the condition is now."""
    client = node.client()
    try:
        insist(lambda: client.put("mismatch", "value", prev_revision=12345,
                                  request_id=(99, sequence), timeout=10))
        raise AssertionError("a mismatch passed")
    except CallFailed as failed:
        expect(failed.code == grpc.StatusCode.FAILED_PRECONDITION, failed)


@test
def a_named_request_happens_once_through_everything(story):
    """Another leader, a restart, a snapshot: the same answers."""
    cluster = story.cluster(3, **SHORT_LOG).start()
    away, other = cluster.others(cluster.leader())
    index = last_index(away)
    away.kill()
    answers = {}
    for sequence in range(1, 20):
        key = f"named-{sequence % 5}"
        answers[sequence] = key, other.client().put(key, "value", request_id=(99, sequence))
    for node in cluster.others(away):
        expect_same_answers(node, answers)
        expect_same_mismatch(node, 20)
    fill(other, 300)
    wait_until_cut(cluster.others(away), index)
    away.launch()
    away.wait_for_log('msg="snapshot installed"', 60)
    expect_same_answers(away, answers)
    leader = cluster.wait_until_all_follow()
    leader.kill()
    for node in cluster.others(leader):
        expect_same_answers(node, answers)
    leader.launch()
    cluster.wait_until_all_follow()
    for node in cluster:
        node.kill()
    cluster.start()
    for node in cluster:
        expect_same_answers(node, answers)
        expect_same_mismatch(node, 20)
    for name in range(5):
        got = cluster["a"].client().get(f"named-{name}")
        expect(got.version == sum(key == f"named-{name}" for key, _ in answers.values()), got)
    cluster.wait_level()


if __name__ == "__main__":
    main()
