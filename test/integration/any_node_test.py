"""Any node takes any request; a client never needs to know who leads."""

import threading
import time

import grpc

from support import expect, main, test
from support.story import wait_until
from support.client import CallFailed, insist


def expect_failure(code, call, is_not_applied=True):
    try:
        answer = call()
    except CallFailed as failed:
        expect((failed.code, failed.is_not_applied) == (code, is_not_applied), failed)
        return failed
    raise AssertionError(f"it passed: {answer}")


@test
def every_request_gets_the_same_answer_everywhere(story):
    cluster = story.cluster(3).start()
    leader = cluster.leader()
    for number, node in enumerate(cluster):
        client = node.client()
        key = f"key-{node.name}"
        revision = client.put(key, "1").revision
        expect(client.metadata["phalanx-leader"] == f"127.0.0.1:{leader.front}", client.metadata)
        expect(client.put(key, "2", prev_revision=revision).revision == revision + 1)
        expect_failure(grpc.StatusCode.FAILED_PRECONDITION,
                       lambda: client.put(key, "3", prev_revision=revision))
        expect_failure(grpc.StatusCode.FAILED_PRECONDITION,
                       lambda: client.delete(key, prev_revision=revision))
        expect_failure(grpc.StatusCode.INVALID_ARGUMENT, lambda: client.put("", "value"))
        got = client.get(key)
        expect((got.value, got.version, got.create_revision) == (b"2", 2, revision), got)
        for other in cluster:
            reader = other.client()
            expect(reader.get(key).value == b"2", "not seen through", other.name)
            expect([item.key.decode() for item in reader.scan("key-").items] ==
                   sorted(f"key-{node.name}" for node in list(cluster)[:number + 1]))
        expect(client.delete("nothing").deleted is False)
    for node in cluster:
        expect(node.client().delete(f"key-{node.name}").deleted)
    for node in cluster:  # a status may be older than an answer; a linearizable read is not
        expect(not node.client().scan("key-").items, node.name)
    wait_until(lambda: cluster.wait_level().key_count == 0, 30, "that no status shows a key")


@test
def a_large_value_goes_through_any_node(story):
    cluster = story.cluster(3).start()
    for node in cluster:
        value = story.random.randbytes(1 << 20)
        node.client().put(node.name, value)
        for other in cluster:
            expect(other.client().get(node.name).value == value)


@test
def a_request_that_meets_no_leader_is_answered_in_time_with_the_mark(story):
    """The server waits five seconds at most, and less for whoever has less."""
    cluster = story.cluster(3).start()
    left = story.random.choice(list(cluster))
    left.client().put("key", "value")
    expect(left.client().get("key").value == b"value", "it has applied the write itself")
    for node in cluster.others(left):
        node.kill()
    left.wait_for_status(lambda status: not status.leader_id, 20, "that it knows of no leader")
    answers = []

    def ask(what, timeout):
        began = time.monotonic()
        try:
            what(timeout)
            answers.append("it passed")
        except CallFailed as failed:
            answers.append((failed, timeout, time.monotonic() - began))

    client = left.client()
    calls = [lambda timeout: client.put("key", "other", timeout=timeout),
             lambda timeout: client.delete("key", timeout=timeout),
             lambda timeout: client.put("key", "named", request_id=(7, 1), timeout=timeout),
             lambda timeout: client.get("key", timeout=timeout)]
    threads = [threading.Thread(target=ask, args=(call, timeout))
               for call in calls for timeout in (2, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    expect(len(answers) == len(threads), "some hang:", answers)
    for failed, timeout, took in answers:
        expect(failed.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED),
               failed)
        expect(took < 30, failed, "after", took, "s")
        if timeout == 60 and "Get" not in str(failed):
            expect(failed.code == grpc.StatusCode.UNAVAILABLE and failed.is_not_applied, failed)
    expect(client.get("key", stale=True).value == b"value", "a stale read needs no leader")


@test
def a_request_that_waits_for_a_leader_is_served_by_the_next(story):
    """The put is named: one that was on its way to the old leader may have to be sent again."""
    cluster = story.cluster(3).start()
    for number in range(story.rounds(3)):
        leader = cluster.leader()
        leader.kill()
        for node in cluster.others(leader):  # asked at once, while nobody leads
            client = node.client()
            name = (ord(node.name), number + 1)
            insist(lambda: client.put("key", node.name, request_id=name, timeout=30))
            expect(insist(lambda: client.get("key", timeout=30)).value == node.name.encode())
        leader.launch()
        cluster.wait_until_all_follow()


if __name__ == "__main__":
    main()
