#!/usr/bin/env python3
"""Members come and go, at the worst moment too: right after an election."""

import re
import time

from support import expect, main, test
from support.client import CallFailed
from support.history import Clients, History
from support.proto import cluster as messages
from support.story import wait_until

def order(node, name, member, timeout=10):
    """AddMember and its neighbours, through any node."""
    request = getattr(messages, f"{name}MemberRequest")()
    request.member.name = member
    return node.client().call(f"phalanx.v1.ClusterService/{name}Member", request,
                              getattr(messages, f"{name}MemberResponse"), timeout=timeout)


def voters(node):
    answer = node.client().call("phalanx.v1.ClusterService/ListMembers",
                                messages.ListMembersRequest(), messages.ListMembersResponse)
    return sorted(member.name for member in answer.members if member.is_voter)


def new_leader(cluster, old_term, limit_s=30):
    """The first node that says it leads a later term, asked without a pause."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        for node in cluster:
            status = node.ask_status(timeout=0.3) if node.is_up() else None
            if status and status.term > old_term and status.role == messages.ROLE_LEADER:
                return node
    raise AssertionError("nobody leads")


def leaders_by_term(cluster):
    """Who said in its log that it became leader of which term."""
    found = {}
    for node in cluster:
        for term in re.findall(r'msg="became leader" term=(\d+)', node.log()):
            found.setdefault(int(term), set()).add(node.name)
    return found


@test
def a_change_of_members_right_after_an_election_harms_nothing(story):
    cluster = story.cluster(4).start()
    cluster.wait_until_all_follow()
    history = History(story)
    clients = Clients(history, cluster, count=3).start()
    done = 0
    rounds = story.rounds(3)
    for _ in range(rounds):
        leader = cluster.leader()
        old_term = leader.ask_status().term
        leader.kill()
        chosen = new_leader(cluster, old_term)
        leaves = story.random.choice([node for node in cluster if node not in (leader, chosen)])
        try:
            order(chosen, "Remove", leaves.name)
            done += 1
        except CallFailed as failed:
            story.say("refused:", failed)
        leader.launch()
        if leaves.name not in voters(cluster.leader()):
            expect(leaves.exit_status() == 0, "who was removed stops by itself")
            leaves.wipe()
            leaves.launch()
            admit(cluster, leaves)
        cluster.wait_until_all_follow()
        clients.wait_for(20)
    clients.stop()
    twice = {term: names for term, names in leaders_by_term(cluster).items() if len(names) > 1}
    expect(not twice, "two leaders in a term:", twice)
    cluster.wait_level()
    history.expect_all_well(cluster)
    story.say(rounds, "elections,", done, "changes,", history)


def admit(cluster, node):
    """A wiped node comes in as a learner, and votes once it has caught up."""
    end = time.monotonic() + 60
    for step in ("Add", "Promote"):
        while True:
            try:
                order(cluster.leader(), step, node.name)
                break
            except CallFailed as failed:
                if "already" in str(failed):
                    break
                expect(time.monotonic() < end, step, "was refused for long:", failed)
                time.sleep(0.1)


@test
def what_would_leave_no_quorum_is_refused_with_the_reason(story):
    cluster = story.cluster(3, ELECTION=40).start()  # a pause of the machine costs no office
    cluster.wait_until_all_follow()
    leader = cluster.leader()
    away, left = cluster.others(leader)
    lost = f'msg="peer lost" peer={away.name} '
    before = leader.log().count(lost)  # while they founded the cluster
    away.kill()
    wait_until(lambda: leader.log().count(lost) > before, 20, f"that {away.name} is lost")
    try:
        order(leader, "Remove", left.name)
        raise AssertionError("the last healthy follower was let go")
    except CallFailed as failed:
        expect(failed.is_not_applied and "no quorum" in str(failed), failed)
    leader.client().put("key", "value")
    order(left, "Remove", away.name)
    expect(voters(left) == sorted([leader.name, left.name]))


if __name__ == "__main__":
    main()
