#!/usr/bin/env python3
"""What each node shows of the whole cluster: true numbers, checked against what was done to it."""

import json
import re
import urllib.request

from support import expect, main, test
from support.shell import Shell
from support.story import wait_until

REGIONS = {"a": "jnb", "b": "lhr", "c": "ord"}


def status_of(node):
    return json.loads(node.http("/debug/status")[1])


def wait_status(node, condition, what, seconds=60):
    """Until condition(status) of a node that runs; returns that status."""
    def looked():
        status = status_of(node)
        return status if condition(status) else None
    return wait_until(looked, seconds, what)


def by_id(rows):
    return {row["id"]: row for row in rows}


def kinds(node):
    """(kind, text) of its timeline so far."""
    expect(node.is_serving(), node.name, "does not serve")
    told = []
    url = f"http://127.0.0.1:{node.debug_port}/debug/events"
    with urllib.request.urlopen(url, timeout=20) as lines:
        for line in lines:
            line = line.decode().strip()
            if line == "event: status":
                return told
            if line.startswith("data: "):
                event = json.loads(line[6:])
                told.append((event["kind"], event["text"]))
    return told


def level_status(cluster, node, condition):
    """What it shows, and its status by gRPC, of a moment when all are level."""
    def looked():
        level = cluster.wait_level()
        status = status_of(node)
        is_same = status["commit_index"] == status["applied_index"] == level.commit_index
        return (status, level) if is_same and condition(status) else None
    return wait_until(looked, 60, "that it shows what it says")


def start(story):
    cluster = story.cluster(3)
    for node in cluster:
        node.settings["NODE_REGION"] = REGIONS[node.name]
    return cluster.start()


def all_are_heard(status):
    mesh = by_id(status["mesh"])
    return (set(mesh) == set(REGIONS)
            and all(row["age_ms"] is not None for row in mesh.values())
            and all(rtt is not None for row in mesh.values() for rtt in row["rtt_ms"].values()))


@test
def every_node_shows_the_whole_mesh(story):
    cluster = start(story)
    leader = cluster.wait_until_all_follow()
    for index in range(25):
        leader.client().put(f"key{index}", b"value")
    level = cluster.wait_level()
    for node in cluster:
        status = wait_status(node, lambda status: all_are_heard(status) and all(
            row["log"]["commit"] >= level.commit_index and row["keys"] == 25
            and row["log"]["applied"] == row["log"]["commit"] and row["leader_id"] == leader.name
            for row in status["mesh"]), "that it hears all")
        mesh = by_id(status["mesh"])
        expect(status["mesh"][0]["id"] == node.name and status["mesh"][0]["self"])
        for name, row in mesh.items():
            expect(row["region"] == REGIONS[name], row)
            expect(row["state"] == ("LEADER" if name == leader.name else "FOLLOWER"), row)
            expect(row["term"] == level.term and row["ready"] and row["voter"], row)
            expect(row["memory_bytes"] > 1000000 and row["uptime_ms"] > 0, row)
            expect(set(row["rtt_ms"]) == set(REGIONS) - {name}, row)
            expect(all(0 < rtt < 10000 for rtt in row["rtt_ms"].values()), row)


@test
def the_documented_fields_are_true(story):
    cluster = start(story)
    leader = cluster.wait_until_all_follow()
    before = status_of(leader)["metrics"]
    client = leader.client()
    for index in range(40):
        client.put(f"key{index}", b"v" * 10)
    for index in range(30):
        client.get(f"key{index}")
    client.delete("key0")
    status, level = level_status(
        cluster, leader, lambda status: all(
            peer["match_index"] == status["log"]["last"] for peer in status["raft"]["peers"]))
    expect(status["metrics"]["reads_total"] - before["reads_total"] == 30)
    expect((status["node_id"], status["state"]) == (leader.name, "LEADER"))
    expect((status["term"], status["leader_id"]) == (level.term, leader.name))
    expect(status["commit_index"] == status["applied_index"] == level.commit_index)
    expect(status["log_length"] == level.last_index - level.first_index + 1)
    expect(status["peers"] == sorted(node.name for node in cluster.others(leader)))
    expect(status["kv_size"] == status["store"]["keys"] == 39)
    expect(status["metrics"]["proposals_total"] - before["proposals_total"] == 41)
    expect(status["metrics"]["election_count"] >= 1)
    expect(status["metrics"]["messages_sent_total"] > before["messages_sent_total"])
    expect(status["store"]["state_hash"] == f"{level.state_hash:016x}")
    expect(status["log"]["last"] == level.last_index)
    figures = {key: status["cluster"][key] for key in
               ("members", "voters", "learners", "quorum", "voters_in_reach", "failures_left")}
    expect(figures == {"members": 3, "voters": 3, "learners": 0, "quorum": 2, "voters_in_reach": 3,
                       "failures_left": 1}, figures)
    for peer in status["raft"]["peers"]:  # as of the last report
        expect((peer["state"], peer["lag"], peer["in_flight"]) == ("REPLICATE", 0, 0), peer)
        expect(peer["match_index"] == level.last_index, peer)
        expect(peer["connected"] and peer["voter"] and peer["snapshot"] is None, peer)
    for follower in cluster.others(leader):
        for peer in status_of(follower)["raft"]["peers"]:
            expect(peer["match_index"] is None and peer["state"] is None, peer)
    metrics = leader.http("/metrics")[1]
    for line in ('phalanx_store_keys 39', 'phalanx_raft_is_leader 1',
                 'phalanx_raft_failures_left 1',
                 'phalanx_grpc_server_handled_total{method="phalanx.v1.KVService/Delete",code="OK"} 1'):
        expect(line in metrics.splitlines(), line, "is not among", metrics)
    for name in ("commit", "log_sync", "apply"):
        count = re.search(rf"^phalanx_{name}_duration_seconds_count (\d+)$", metrics, re.M)
        expect(count and int(count.group(1)) > 0, name, metrics)


@test
def a_node_cut_off_is_shown_so_by_both_sides(story):
    cluster = start(story)
    leader = cluster.wait_until_all_follow()
    follower, other = cluster.others(leader)
    wait_status(leader, all_are_heard, "that it hears all")
    cluster.separate([follower], cluster.others(follower))
    status = wait_status(leader, lambda status: status["cluster"]["failures_left"] == 0
                         and not by_id(status["raft"]["peers"])[follower.name]["connected"],
                         "that one is out of reach")
    expect(status["cluster"]["voters_in_reach"] == 2, status["cluster"])
    expect(by_id(status["raft"]["peers"])[follower.name]["rtt_ms"] is None)
    expect(by_id(status["raft"]["peers"])[other.name]["connected"])
    alone = wait_status(follower, lambda status: status["cluster"]["voters_in_reach"] == 1
                        and status["state"] != "LEARNER" and status["leader_id"] == "",
                        "that it is alone")
    expect(alone["cluster"]["failures_left"] == 0 and not alone["node"]["ready"], alone["cluster"])
    cluster.heal()
    wait_status(leader, lambda status: status["cluster"]["failures_left"] == 1 and
                all_are_heard(status), "that it is back")


@test
def nodes_out_of_sight_are_told_of(story):
    cluster = start(story)
    leader = cluster.wait_until_all_follow()
    follower = cluster.others(leader)[0]
    lost = ("peer_lost", f"{follower.name} is out of sight")
    found = ("peer_found", f"{follower.name} is in sight")
    lost_before = kinds(leader).count(lost)
    follower.kill()
    wait_until(lambda: kinds(leader).count(lost) > lost_before, 60, "that the leader says so")
    found_before = kinds(leader).count(found)
    follower.start()
    wait_until(lambda: kinds(leader).count(found) > found_before, 60,
               "that the leader says that it is back")


@test
def elections_are_told_with_their_reasons(story):
    cluster = start(story)
    old = cluster.wait_until_all_follow()
    heir = cluster.others(old)[0]
    expect(Shell(old.address)("transfer-leader", heir.name)[0] == 0)
    leader = cluster.leader(among=[heir])
    term = status_of(leader)["term"]
    expect(("leader", f"{leader.name} leads term {term}") in kinds(leader), kinds(leader))
    expect(any(kind == "election" and text.endswith("the leader hands over")
               for kind, text in kinds(leader)), kinds(leader))
    wait_until(lambda: ("step_down", f"{old.name} leads no more: it handed over") in kinds(old), 60,
               "that the old one says why it leads no more")
    cluster.wait_until_all_follow()
    leader.kill()
    survivors = cluster.others(leader)
    new = cluster.leader(among=survivors)
    texts = [text for kind, text in kinds(new) if kind == "election"]
    expect(texts and (texts[-1].endswith("the connection to the leader broke")
                      or texts[-1].endswith("for an election timeout")), kinds(new))
    expect(status_of(new)["metrics"]["leader_changes_total"] >= 2)


@test
def the_terminal_shows_the_same(story):
    cluster = start(story)
    leader = cluster.wait_until_all_follow()
    leader.client().put("key", b"value")
    for node in cluster:
        wait_status(node, all_are_heard, "that it hears all")
    for node in cluster:
        shell = Shell(node.address)
        told = shell.json("status", "-all")
        expect(told["quorum"] == 2 and told["failures_left"] == 1, told)
        expect([row["name"] for row in told["members"]][0] == node.name, told)
        roles = {row["name"]: row["role"] for row in told["members"]}
        expect(roles == {other.name: "leader" if other is leader else "follower"
                         for other in cluster}, roles)
        for command in (("status", "-all"), ("top",)):
            text = shell.ok(*command).decode()
            expect(f"{leader.name} leads term" in text, text)
            expect("can take 1 more failure\n" in text, text)
            expect("ready" in text and "lhr" in text, text)
    cluster.others(leader)[0].kill()
    wait_until(lambda: "out of reach" in Shell(leader.address).ok("top").decode(), 60,
               "that top shows who is gone")


if __name__ == "__main__":
    main()
