"""A full disk inside a cluster: reads go on everywhere, and writes as soon as there is room."""

import grpc

from support import expect, main, test
from support.client import CallFailed, insist
from support.history import Clients, History
from support.story import wait_until

SMALL = {"LOG_RESERVE_MB": 2, "STATE_RESERVE_MB": 8, "STATE_OVERLAY_MB": 1, "STATE_DIRTY_MB": 1,
         "LOG_KEEP_MB": 1, "LOG_KEEP_ENTRIES": 100, "STATE_FLUSH_MS": 200}


def cluster_on_small_disks(story):
    """Each node has a disk of its own; all serve."""
    cluster = story.cluster(3, **SMALL)
    disks = {}
    for node in cluster:
        disks[node] = story.disk(megabytes=96)
        node.data_dir = disks[node].path / "data"
    cluster.start()
    insist(lambda: cluster.leader().client().put("kept", b"before", timeout=10))
    return cluster, disks


def write(node):
    """The status that a large write ends with."""
    try:
        node.client().put("large", b"." * 50000, timeout=5)
        return grpc.StatusCode.OK
    except CallFailed as failed:
        return failed.code


def wait_until_full(node, writer):
    def is_full():
        write(writer)
        return node.client().status().disk_is_full
    wait_until(is_full, 60, f"that the disk of {node.name} is full")


def expect_reads(cluster):
    for node in cluster:
        found = insist(lambda: node.client().get("kept", timeout=5))
        expect(found.value == b"before", node.name, found)


def wait_until_written(node):
    wait_until(lambda: write(node) == grpc.StatusCode.OK, 20, "a write")


def expect_recovery(cluster, node, foreign, history, clients):
    foreign.unlink()
    node.wait_for_status(lambda status: not status.disk_is_full, 20, "room again")
    for each in cluster:
        wait_until_written(each)
    clients.wait_for(written=30)
    clients.stop()
    history.expect_all_well(cluster)


@test
def a_follower_with_a_full_disk_holds_nobody_up(story):
    cluster, disks = cluster_on_small_disks(story)
    history = History(story)
    clients = Clients(history, cluster).start()
    leader = cluster.leader()
    follower = cluster.others(leader)[0]
    foreign = disks[follower].fill()
    wait_until_full(follower, leader)
    expect_reads(cluster)
    for _ in range(20):
        wait_until_written(leader)
    clients.wait_for(written=30)
    expect_recovery(cluster, follower, foreign, history, clients)


@test
def a_leader_with_a_full_disk_refuses_writes_until_there_is_room(story):
    cluster, disks = cluster_on_small_disks(story)
    history = History(story)
    clients = Clients(history, cluster).start()
    leader = cluster.leader()
    foreign = disks[leader].fill()
    wait_until_full(leader, leader)
    expect_reads(cluster)
    # On a busy machine it may have lost its office meanwhile: then the others write on.
    wait_until(lambda: write(leader) == grpc.StatusCode.RESOURCE_EXHAUSTED
               or cluster.leader() is not leader, 20, "a refusal")
    expect_reads(cluster)
    expect_recovery(cluster, leader, foreign, history, clients)


if __name__ == "__main__":
    main()
