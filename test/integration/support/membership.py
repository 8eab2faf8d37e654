"""What an operator does about the members of a cluster."""

import time

import grpc

from support.client import CallFailed
from support.proto import cluster as messages
from support.story import expect

# What may pass: nobody leads, it is not heard yet, it is behind, its former self was just heard,
# another change is under way.
_PASSING = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.RESOURCE_EXHAUSTED)


def ask(node, method, request, response_class, timeout=5):
    return node.client().call("phalanx.v1.ClusterService/" + method, request, response_class,
                              timeout=timeout)


def members(node):
    """As this node knows them; the leader knows most."""
    return ask(node, "ListMembers", messages.ListMembersRequest(),
               messages.ListMembersResponse).members


def _until_done(attempt, what, seconds):
    """`attempt()` is true once it is done, and may fail for a while."""
    end = time.monotonic() + seconds
    failed = None
    while True:
        try:
            if attempt():
                return
        except CallFailed as failure:
            failed = failure
            expect(failed.code in _PASSING, what, failed)
        expect(time.monotonic() < end, f"not within {seconds} s: {what}:", failed)
        time.sleep(0.1)


def admit(node, ask_whom, seconds=60):
    """A blank node comes in as a learner, and then as a voter. `ask_whom` gives the node to ask; it
    may have been taken in already."""
    member = messages.MemberName(id=node.client().status().identity, name=node.name)

    def find():
        return [known for known in members(ask_whom()) if known.id == member.id]

    def add():
        if not find():
            ask(ask_whom(), "AddMember", messages.AddMemberRequest(member=member),
                messages.AddMemberResponse)
        return bool(find())

    def promote():
        if not find()[0].is_voter:
            ask(ask_whom(), "PromoteMember", messages.PromoteMemberRequest(member=member),
                messages.PromoteMemberResponse)
        return find()[0].is_voter

    _until_done(add, f"that {node.name} is a learner", seconds)
    _until_done(promote, f"that {node.name} is a voter", seconds)


def readmit(cluster, node, former, seconds=60):
    """A node whose directory was lost comes in, in its own place: its former identity leaves."""
    admit(node, cluster.leader, seconds)
    left = members(cluster.leader())
    expect(former not in [member.id for member in left], "its former self is still a member:", left)
