"""A directory is lost. The node under its old name is a new one: it speaks for nobody until it is
admitted, and then its former self is gone."""

import time

from support import expect, main, membership, test
from support.client import CallFailed
from support.proto import cluster as messages

# Long enough for several elections, if there were any to win.
A_WHILE_S = 3


def wipe(node):
    """Returns its new identity."""
    node.kill()
    node.wipe()
    node.launch()
    node.wait_for_log("msg=serving")
    return node.client().status().identity


def members(node):
    return {(member.id, member.name, member.is_voter) for member in membership.members(node)}


def expect_nobody_leads(nodes):
    end = time.monotonic() + A_WHILE_S
    while time.monotonic() < end:
        for node in nodes:
            status = node.ask_status()
            expect(not status or status.role != messages.ROLE_LEADER, node.name, "leads:", status)
        time.sleep(0.05)


@test
def a_wiped_node_votes_for_nobody(story):
    cluster = story.cluster(3).start()
    leader = cluster.wait_until_all_follow()
    wiped, other = cluster.others(leader)
    before = members(leader)
    former = wiped.client().status().identity
    expect(wipe(wiped) != former, "it has its former identity")
    expect(members(leader) == before, "the members changed")
    leader.client().put("key", "value")
    leader.kill()
    expect_nobody_leads([wiped, other])
    try:
        other.client().put("key", "lost?", timeout=1)
        raise AssertionError("a write passed without a majority")
    except CallFailed:
        pass
    leader.launch()
    cluster.wait_until_all_follow([leader, other])
    expect(other.client().get("key").value == b"value")
    expect(members(leader) == before)


@test
def two_wiped_nodes_found_no_second_cluster(story):
    """They are most of those that PEERS names, but one is left that knows better."""
    cluster = story.cluster(3).start()
    leader = cluster.wait_until_all_follow()
    leader.client().put("key", "value")
    for node in cluster.others(leader):
        wipe(node)
    expect_nobody_leads(cluster.others(leader))
    expect(leader.client().get("key", stale=True).value == b"value")
    clusters = {cluster_id for cluster_id, _ in cluster.identities().values()} - {0}
    expect(len(clusters) == 1, "several clusters:", clusters)


@test
def a_wiped_node_comes_back_in_its_own_place(story):
    cluster = story.cluster(3).start()
    leader = cluster.wait_until_all_follow()
    wiped, other = cluster.others(leader)
    for number in range(100):
        leader.client().put(f"key-{number}", "value")
    former = wiped.client().status().identity
    present = wipe(wiped)
    membership.readmit(cluster, wiped, former)
    expect((present, wiped.name, True) in members(leader), members(leader))
    expect(not any(identity == former for identity, _, _ in members(leader)), members(leader))
    cluster.wait_until_all_follow()
    cluster.wait_level()
    cluster.wait_until_all_follow().kill()  # now its vote counts
    survivors = [node for node in cluster if node.is_running()]
    cluster.leader(among=survivors).client().put("key", "value")
    for node in survivors:
        expect(node.client().get("key-99").value == b"value")


if __name__ == "__main__":
    main()
