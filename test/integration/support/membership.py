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


def readmit(cluster, node, former, seconds=60):
    """A node whose directory was lost comes in as a learner, and then in its own place: its former
    identity leaves."""
    present = node.client().status().identity
    member = messages.MemberName(id=present, name=node.name)

    def find(identity):
        return [member for member in members(cluster.leader()) if member.id == identity]

    def add():
        if not find(present):
            ask(cluster.leader(), "AddMember", messages.AddMemberRequest(member=member),
                messages.AddMemberResponse)
        return bool(find(present))

    def promote():
        if not find(present)[0].is_voter:
            ask(cluster.leader(), "PromoteMember", messages.PromoteMemberRequest(member=member),
                messages.PromoteMemberResponse)
        return find(present)[0].is_voter

    _until_done(add, f"that {node.name} is a learner", seconds)
    _until_done(promote, f"that {node.name} is a voter", seconds)
    expect(not find(former), "its former self is still a member:", members(cluster.leader()))
