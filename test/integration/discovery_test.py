#!/usr/bin/env python3
"""Machines that know a name, or nothing but each other's, become one cluster and stay one."""

import os
import re
import shutil
import socket
import time

from support import expect, main, membership, network, test
from support.client import CallFailed
from support.network import Network
from support.proto import cluster as messages

NAME = "phalanx.internal"
FAST = {"TICK_MS": 50, "ELECTION": 12, "HEARTBEAT": 3}
LIMIT_S = 60

# A node that has moved is spoken to again so soon after its start.
REACHED_S = 5


def status_of(node):
    """None: it does not answer."""
    try:
        return node.client().status(timeout=1) if node.is_running() and node.is_serving() else None
    except CallFailed:
        return None


def wait(nodes, condition, what, seconds=LIMIT_S):
    """Until condition(statuses), in the nodes' order, gives something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        statuses = [status_of(node) for node in nodes]
        value = condition(statuses)
        if value:
            return value
        expect(time.monotonic() < end, f"not within {seconds} s: {what}:", statuses)
        time.sleep(0.05)


def leader_of(nodes, seconds=LIMIT_S):
    """The one that all of these follow."""
    def followed(statuses):
        leaders = {status.leader_id for status in statuses if status}
        clusters = {status.cluster_id for status in statuses if status}
        is_one = all(statuses) and len(leaders) == 1 and len(clusters) == 1 and 0 not in clusters
        return is_one and [node for node, status in zip(nodes, statuses)
                           if status.role == messages.ROLE_LEADER]
    return wait(nodes, followed, "one leader of one cluster", seconds)[0]


def members(node):
    """By name."""
    return {member.name: member for member in membership.members(node)}


def wait_for_members(nodes, condition, what, seconds=LIMIT_S):
    """Until condition(members as the leader sees them)."""
    end = time.monotonic() + seconds
    told = None
    while time.monotonic() < end:
        try:
            told = members(leader_of(nodes, seconds))
            if condition(told):
                return told
        except CallFailed:
            pass  # it leads no more
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}: {told}")


def expect_works(nodes):
    """What one takes, all know."""
    value = str(time.monotonic())
    nodes[0].client().put("key", value, timeout=20, wait=True)
    for node in nodes:
        expect(node.client().get("key", timeout=20, wait=True).value.decode() == value)


def voters_among(told):
    return sorted(name for name, member in told.items() if member.is_voter)


# ---- By a name that is looked up ----------------------------------------------------------------

@test
def five_machines_that_share_a_name_become_one_cluster(story):
    """They are told nothing else; and the name server comes late."""
    net = Network(story)
    machines = net.machines(5, DISCOVERY_DNS=NAME, BOOTSTRAP_EXPECT=5)
    net.tell(NAME, machines)
    story.random.shuffle(machines)
    for machine in machines:
        machine.launch()
    machines[0].wait_for_log("a name cannot be looked up")
    expect(all(status.cluster_id == 0 for status in map(status_of, machines) if status))
    net.start_name_server()
    began = time.monotonic()
    leader_of(machines)
    story.say(f"one cluster {time.monotonic() - began:.1f} s after the name server's start")
    expect_works(machines)
    told = wait_for_members(
        machines, lambda told: all(member.gossip_state == messages.GOSSIP_STATE_ALIVE
                                   for member in told.values()), "that gossip knows all")
    expect(sorted(told) == ["m1", "m2", "m3", "m4", "m5"], told)
    expect(all(told[machine.name].address == machine.address for machine in machines), told)


@test
def seven_machines_for_five_and_what_befalls_them(story):
    net = Network(story)
    net.start_name_server()
    machines = net.machines(7, DISCOVERY_DNS=NAME, BOOTSTRAP_EXPECT=5, AUTOPILOT_REPLACE="on",
                            AUTOPILOT_DEAD_S=6, **FAST)
    net.tell(NAME, machines)
    for machine in machines:
        machine.launch()
    told = wait_for_members(machines, lambda told: len(told) == 7, "seven members")
    expect(len(voters_among(told)) == 5, "five of them vote:", told)
    expect_works(machines)

    moves_to_another_address(story, net, machines)
    loses_its_directory(story, machines)
    dies_for_good(machines)


def moves_to_another_address(story, net, machines):
    """Nobody is told but by the node itself."""
    leader = leader_of(machines)
    mover = next(machine for machine in machines if machine is not leader)
    before = status_of(mover).identity
    mover.terminate()
    leader.wait_for_log(f'msg="a node has left" node={mover.name}')
    mover.move_to("fdaa::77")
    mover.launch()
    began = time.monotonic()
    mover.wait_for_log("msg=serving")
    leader_of(machines, REACHED_S)
    took = time.monotonic() - began
    story.say(f"reached at its new address after {took:.1f} s")
    expect(took < REACHED_S and status_of(mover).identity == before, took)
    wait_for_members(machines, lambda told: told[mover.name].address == mover.address,
                     "that its new address is told")
    net.tell(NAME, machines)


def loses_its_directory(story, machines):
    """It is another node under the old name, and votes in its former self's place."""
    leader = leader_of(machines)
    told = members(leader)
    loser = next(machine for machine in machines
                 if machine is not leader and told[machine.name].is_voter)
    before = status_of(loser).identity
    loser.kill()
    os.rename(loser.data_dir, story.directory / "lost")
    loser.launch()

    def is_back(now):
        member = now.get(loser.name)
        return member and member.id != before and member.is_voter and len(now) == 7
    told = wait_for_members(machines, is_back, "that it votes again")
    expect(before not in {member.id for member in told.values()} and len(voters_among(told)) == 5,
           told)


def dies_for_good(machines):
    """A spare takes its place, and it is no member any more."""
    leader = leader_of(machines)
    told = members(leader)
    dead = next(machine for machine in machines
                if machine is not leader and told[machine.name].is_voter)
    dead.kill()
    living = [machine for machine in machines if machine is not dead]
    told = wait_for_members(living, lambda told: dead.name not in told, "that it is replaced")
    expect(len(voters_among(told)) == 5, told)
    dead.launch()
    expect(dead.exit_status() == 0, "who was replaced stops:", dead.log()[-2000:])


# ---- By addresses -------------------------------------------------------------------------------

PORTS = range(7946, 7951)


def founders(story):
    """Five that have each other's addresses for seeds."""
    network.enter()
    seeds = ",".join(f"127.0.0.1:{port}" for port in PORTS)
    return [story.server(NODE_ID=f"n{port}", SEEDS=seeds, BIND_PORT=port, BOOTSTRAP_EXPECT=5, **FAST)
            for port in PORTS]


def revive(node):
    """As its log tells the operator."""
    if not node.is_running():
        expect(node.exit_status() == 0 or "--rejoin" in node.log(), node.log()[-2000:])
        node.launch(*([] if node.exit_status() == 0 else ["--rejoin"]))


def wait_for_five_voters(nodes, seconds=120):
    end = time.monotonic() + seconds
    told = None
    while time.monotonic() < end:
        for node in nodes:
            revive(node)
        statuses = [status for status in map(status_of, nodes) if status]
        clusters = {status.cluster_id for status in statuses} - {0}
        expect(len(clusters) < 2, "several clusters:", statuses)
        told = told_by_anybody(nodes) or told
        identities = {status.identity for status in statuses}
        if told and {member.id for member in told if member.is_voter} == identities \
                and len(told) == len(identities) == 5:
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: five voters: {told} {list(map(status_of, nodes))}")


def told_by_anybody(nodes):
    """The members; None: all are silent, or wait for their admission."""
    for node in nodes:
        try:
            if node.is_serving():
                return membership.members(node)
        except CallFailed:
            pass
    return None


@test
def one_is_killed_or_wiped_while_they_found_a_cluster(story):
    """At any moment of it; and two come late."""
    for _ in range(story.rounds(2)):
        nodes = founders(story)
        story.random.shuffle(nodes)
        for node in nodes[2:]:
            node.launch()
        nodes[2].wait_for_log("gossip has found a node")
        for node in nodes[:2]:
            node.launch()
        time.sleep(story.random.uniform(0, 2))
        victim = story.random.choice(nodes)
        victim.kill()
        if story.random.random() < 0.5:
            shutil.rmtree(victim.data_dir, ignore_errors=True)
        victim.launch()
        began = time.monotonic()
        wait_for_five_voters(nodes)
        story.say(f"five voters {time.monotonic() - began:.1f} s later")
        expect_works(nodes)
        for node in nodes:
            node.end()


@test
def a_cluster_of_one_grows(story):
    """It was founded alone; now it is told of others, who are blank."""
    nodes = founders(story)[:3]
    told = [dict(node.settings, BOOTSTRAP_EXPECT=3) for node in nodes]
    for name in ("SEEDS", "BOOTSTRAP_EXPECT", "BIND_PORT"):
        del nodes[0].settings[name]
    nodes[0].start()
    nodes[0].client().put("key", "from before")
    expect(nodes[0].terminate() == 0)
    for node, settings in zip(nodes, told):
        node.settings = settings
        node.launch()
    wait_for_members(nodes, lambda told: len(voters_among(told)) == 3, "three voters")
    for node in nodes:
        expect(node.client().get("key", timeout=20, wait=True).value == b"from before")


# ---- By names on one host -----------------------------------------------------------------------

def neighbours(story, names, **settings):
    """Nodes that know of each other nothing but the names."""
    return [story.server(NODE_ID=name, PEERS=",".join(names), **FAST, **settings) for name in names]


@test
def two_clusters_on_one_host_never_meet(story):
    """Their ports are mixed, and each asks all of them."""
    network.enter()
    some = neighbours(story, ["a", "b", "c"])
    others = neighbours(story, ["d", "e", "f"])
    for pair in zip(some, others):
        for node in pair:
            node.launch()
            node.wait_for_log("msg=serving")
    for nodes in (some, others):
        leader_of(nodes)
        expect_works(nodes)
    clusters = {status_of(node).cluster_id for node in some + others}
    expect(len(clusters) == 2, clusters)
    for nodes, names in ((some, "abc"), (others, "def")):
        expect("".join(sorted(members(nodes[0]))) == names, members(nodes[0]))
        found = re.findall(r'msg="gossip has found a node" node=(\w)', nodes[0].log())
        expect(set(found) <= set(names), found)


# What is done to a datagram that was caught.
def replayed(chance, datagram):
    return datagram


def cut(chance, datagram):
    return datagram[:chance.randrange(len(datagram))]


def forged(chance, datagram):
    """A bit is another one."""
    at = chance.randrange(len(datagram))
    return datagram[:at] + bytes([datagram[at] ^ 1 << chance.randrange(8)]) + datagram[at + 1:]


def made_up(chance, datagram):
    return chance.randbytes(chance.randrange(1, 1400))


@test
def a_flood_harms_nobody(story):
    """Without a key the network is trusted not to forge."""
    outlive_flood(story, (replayed, cut, made_up))


@test
def with_a_key_a_flood_that_forges_harms_nobody(story):
    outlive_flood(story, (replayed, cut, made_up, forged), GOSSIP_KEY="0123456789abcdef" * 4)


def outlive_flood(story, kinds, **settings):
    """The test is one of the seeds, and so catches some real datagrams first."""
    network.enter()
    ports = (7946, 7947, 7948)
    catcher = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    catcher.bind(("127.0.0.1", 0))
    catcher.settimeout(20)
    seeds = ",".join(f"127.0.0.1:{port}" for port in (catcher.getsockname()[1], *ports))
    nodes = [story.server(NODE_ID=name, BOOTSTRAP_EXPECT=3, SEEDS=seeds, BIND_PORT=port, **FAST,
                          **settings) for name, port in zip("abc", ports)]
    for node in nodes:
        node.launch()
    leader_of(nodes)
    caught = [catcher.recv(2000) for _ in range(5)]
    catcher.close()
    before = [resident_kb(node) for node in nodes]
    count = flood([story.random.choice(kinds)(story.random, story.random.choice(caught))
                   for _ in range(5000)], ports, story.rounds(4))
    expect_works(nodes)
    grown = [after - was for was, after in zip(before, map(resident_kb, nodes))]
    story.say(count, "datagrams; memory has grown by", grown, "KB")
    expect(max(grown) < 8192, "memory grows:", grown)
    for node in nodes:
        expect(node.is_running())
        expect("takes a node for dead" not in node.log(), node.log()[-3000:])


def resident_kb(node):
    with open(f"/proc/{node.process.pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1))


def flood(datagrams, ports, seconds):
    """Some ten thousand a second; returns how many were sent."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        for _ in range(200):
            sender.sendto(datagrams[count % len(datagrams)], ("127.0.0.1", ports[count % len(ports)]))
            count += 1
        time.sleep(0.01)
    sender.close()
    return count


if __name__ == "__main__":
    main()
