"""Nodes that are meant to be one cluster, wherever they run, and how to look at them.

A node has a `name` (its NODE_ID), an `address`, `is_up()`, `ask_status()` and `client()`."""

import time

from support.proto import cluster as messages
from support.story import expect

LIMIT_S = 60


class Group:
    """`nodes`: by name."""

    def __init__(self, nodes):
        self.nodes = nodes

    def __iter__(self):
        return iter(self.nodes.values())

    def __getitem__(self, name):
        return self.nodes[name]

    def others(self, *nodes):
        return [node for node in self if node not in nodes]

    def statuses(self):
        """By name; None: no answer."""
        return {node.name: node.ask_status() for node in self}

    def wait(self, condition, what, seconds=LIMIT_S):
        """Until condition(statuses) gives something true, which is returned."""
        end = time.monotonic() + seconds
        while True:
            statuses = self.statuses()
            value = condition(statuses)
            if value:
                return value
            expect(time.monotonic() < end, f"not within {seconds} s: {what}:", _show(statuses))
            time.sleep(0.02)

    def find_leader(self, statuses):
        """Its name, if most nodes of these statuses follow it."""
        return _leader_of(statuses, list(self.nodes))

    def leader(self, among=None, seconds=LIMIT_S):
        """The node that leads, and that most of all nodes follow in the same term. `among`: wait
        until it is one of these."""
        names = names_of(among or self)
        name = self.wait(lambda statuses: _leader_of(statuses, names), "a leader", seconds)
        return self.nodes[name]

    def wait_until_all_follow(self, nodes=None, seconds=LIMIT_S):
        """Until these have one leader, and each of them says so."""
        names = names_of(nodes or self)

        def follow(statuses):
            leader = _leader_of(statuses, list(self.nodes))
            return leader and all(_leader_seen_by(statuses[name], statuses[leader])
                                  for name in names) and leader
        return self.nodes[self.wait(follow, "that all follow a leader", seconds)]

    def wait_level(self, nodes=None, seconds=LIMIT_S):
        """Until these have applied the same, all that there is, and hold the same state: its
        status. Nobody may be writing."""
        names = names_of(nodes or self)

        def is_level(statuses):
            those = [statuses[name] for name in names]
            if not all(those):
                return None
            indexes = {index for status in those
                       for index in (status.applied_index, status.commit_index, status.last_index)}
            return those if len(indexes) == 1 else None
        those = self.wait(is_level, "that all are level", seconds)
        expect(len({status.state_hash for status in those}) == 1,
               "different states at one index:", those)
        return those[0]

    def identities(self):
        """cluster_id and identity of each node that answers."""
        return {name: (status.cluster_id, status.identity)
                for name, status in self.statuses().items() if status}


def names_of(nodes):
    return [node if isinstance(node, str) else node.name for node in nodes]


def _leader_seen_by(status, leader):
    return status is not None and (status.term, status.leader_id) == (leader.term, leader.node_id)


def _leader_of(statuses, names):
    """Who leads, of these names, as most see it."""
    leaders = [status for name, status in statuses.items()
               if status and status.role == messages.ROLE_LEADER and name in names]
    for leader in sorted(leaders, key=lambda status: -status.term):
        followers = sum(_leader_seen_by(status, leader) for status in statuses.values())
        if 2 * followers > len(statuses):
            return leader.node_id
    return None


def _show(statuses):
    return "\n".join(f"{name}: {str(status).strip()!r}" for name, status in statuses.items())
