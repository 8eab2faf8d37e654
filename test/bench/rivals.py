"""Our cluster and etcd's on one machine: both are there all the time, one at a time runs."""

import contextlib
import signal
import time

import clusters
from points import OURS, OURS_BY_FOLLOWER

TIMINGS = (100, 10, 3)  # TICK_MS, ELECTION, HEARTBEAT: the mission's for one machine
SETTLE_SECONDS = 2.5    # who was stopped elects anew: two election timeouts and a little


class Door:
    """Where load goes in: one member's address. What it costs is the whole cluster's."""

    def __init__(self, cluster, member):
        self.name = cluster.kind
        self.address = member.address
        self.member = member
        self._cluster = cluster

    def cpu_us(self):
        return total(self._cluster, "cpu_us")

    def own_cpu_us(self):
        return self.member.server.cpu_us()


def total(cluster, figure):
    return sum(getattr(member.server, figure)() for member in cluster.members)


def leader_of(cluster):
    return Door(cluster, cluster.wait_for_leader())


def follower_of(cluster):
    leader = cluster.wait_for_leader()
    return Door(cluster, next(member for member in cluster.members if member is not leader))


def settle(cluster):
    """Everybody has written what was to be written, and is quiet."""
    for member in cluster.members:
        if cluster.kind == "phalanx":
            member.server.wait_until_flushed()
        member.server.wait_until_idle()


def _signal(cluster, number):
    for member in cluster.members:
        member.server.process.send_signal(number)


@contextlib.contextmanager
def alone(cluster, all_clusters):
    """The others' processes are stopped meanwhile, so that they take no time from this one's."""
    others = [other for other in all_clusters if other is not cluster]
    for other in others:
        _signal(other, signal.SIGSTOP)
    try:
        time.sleep(SETTLE_SECONDS)
        cluster.wait_for_leader()
        yield
    finally:
        for other in others:
            _signal(other, signal.SIGCONT)


def visit(both, number, take):
    """take(name, door): of each one's leader, of ours' follower too, while it alone runs. Who comes
    first changes from round to round."""
    for cluster in both if number % 2 == 0 else both[::-1]:
        with alone(cluster, both):
            settle(cluster)  # straight after puts, etcd's gets are slow
            take(cluster.kind, leader_of(cluster))
            if cluster.kind == OURS:
                take(OURS_BY_FOLLOWER, follower_of(cluster))


def makers():
    if clusters.has_etcd():
        return [clusters.phalanx, clusters.etcd]
    print("bench: etcd and etcdctl are not both installed; measuring without them")
    return [clusters.phalanx]
