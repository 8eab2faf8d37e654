#!/usr/bin/env python3
"""The command line and a cluster: who belongs to it, changes of that, and requests that get through
whoever dies."""
import threading

from support import expect, main, test
from support.cluster import TIMINGS, Node
from support.shell import NOT_FOUND, OK, PRECONDITION, UNAVAILABLE, UNKNOWN, Shell
from support.story import wait_until

# Longer than any election here, on the slowest machine.
PATIENCE = ("-timeout", "60s")

# Where nobody dies, nobody is to take over either, however busy the machine is.
STEADY = {**TIMINGS, "ELECTION": 40}


def shell_of(cluster):
    return Shell(",".join(node.address for node in cluster))


def members(sh):
    """By name."""
    return {member["name"]: member for member in sh.json("members", *PATIENCE)["members"]}


def newcomer(cluster, name):
    """One more node of this cluster's label, started, that knows where its members are."""
    node = Node(cluster, name, dict(STEADY))
    peers = [f"{other.name}=127.0.0.1:{other.front}" for other in (*cluster, node)]
    node.settings.update(PEERS=",".join(peers), CLUSTER=cluster["a"].settings["CLUSTER"])
    node.launch()
    wait_until(node.is_serving, 20, "that it serves")
    return node


def order(sh, *words):
    """An order that is refused only because the node was not heard yet, given until it is done."""
    def is_done():
        status, _, err = sh(*words, *PATIENCE)
        expect(status == OK or (status in (NOT_FOUND, PRECONDITION) and
                                (b"heard" in err or b"sight" in err or b"behind" in err)),
               words, status, err)
        return status == OK
    wait_until(is_done, 60, words)


# ---- Members ------------------------------------------------------------------------------------

@test
def lists_the_members(story):
    cluster = story.cluster(3, NODE_REGION="eu", **STEADY).start()
    sh = shell_of(cluster)
    sh.ok("put", "k", "v", *PATIENCE)
    listed = sh.json("members", *PATIENCE)
    expect([member["name"] for member in listed["members"]] == ["a", "b", "c"], listed)
    expect(not listed["is_joint"] and listed["configuration_index"] == 1, listed)
    for member, node in zip(listed["members"], cluster):
        expect(member["identity"] == f"{node.status().identity:016x}", member)
        expect(member["address"] == f"127.0.0.1:{node.front}" and member["is_voter"], member)
        expect({"match_index", "lag", "silent_ms"} <= set(member), "through any node:", member)
        expect(member["version"] == node.status().version and member["region"] == "eu", member)
        expect("gossip" not in member, "it does not run:", member)
    expect(sorted(member["role"] for member in listed["members"]) == ["leader", "voter", "voter"])
    lines = sh.ok("members", *PATIENCE).decode().splitlines()
    expect(lines[0].split() == 
           ["NAME", "IDENTITY", "ROLE", "ADDRESS", "GOSSIP", "REGION", "VERSION", "MATCH", "LAG",
            "SILENT"])
    expect([line.split()[:4] for line in lines[1:]]
           == [[member["name"], member["identity"], member["role"], member["address"]]
               for member in members(sh).values()], lines)
    told = [line for line in sh.ok("status").decode().splitlines() if "members" in line]
    expect(told == ["  members   3 voters"] * 3, told)


@test
def tells_what_a_node_waits_for(story):
    cluster = story.cluster(3)
    alone = cluster["a"].launch()
    wait_until(alone.is_serving, 20, "that it serves")
    sh = Shell(alone.address)
    waiting = "waiting for 2 of 3: b, c have not been seen"
    wait_until(lambda: sh.json("status")["waiting_for"] == waiting, 20, waiting)
    text = sh.ok("status").decode()
    expect(text.startswith(f"a at {alone.address}: in no cluster yet\n  {waiting}\n"), text)
    sh.fails(UNAVAILABLE, "members", "-timeout", "1s", says=["belongs to no cluster yet"])
    cluster["b"].launch()
    cluster["c"].launch()
    cluster.wait_until_all_follow()
    expect(sh.json("status")["waiting_for"] == "", "once it belongs to one, for nothing")


@test
def takes_in_promotes_replaces_and_removes(story):
    cluster = story.cluster(3, **STEADY).start()
    sh = shell_of(cluster)
    sh.fails(NOT_FOUND, "member", "add", "d", *PATIENCE, says=["no node in sight"])
    d = newcomer(cluster, "d")
    identity = f"id:{d.status().identity:016x}"
    wait_until(lambda: b"waits to be taken in" in Shell(d.address)("status")[1], 20, "what d says")
    order(sh, "member", "add", "d")
    expect(members(sh)["d"]["role"] == "learner")
    sh.fails(PRECONDITION, "member", "add", identity, *PATIENCE, says=["a member already"])
    sh.fails(PRECONDITION, "transfer-leader", "d", *PATIENCE)
    order(sh, "member", "promote", identity)
    expect(members(sh)["d"]["role"] == "voter")
    sh.fails(PRECONDITION, "member", "promote", "d", *PATIENCE, says=["votes already"])
    e = newcomer(cluster, "e")
    order(sh, "member", "add", "e")
    staying = Shell(",".join(cluster[name].address for name in "bc"))
    order(staying, "member", "replace", "a", "e")
    expect(cluster["a"].exit_status(60) == 0, "who was replaced stops by itself")
    expect(set(members(sh)) == {"b", "c", "d", "e"} and members(sh)["e"]["is_voter"])
    expect(sh.ok("member", "remove", "e", *PATIENCE) == b"e is no longer a member\n")
    expect(e.exit_status(60) == 0, "who was removed stops by itself")
    sh.fails(NOT_FOUND, "member", "remove", "e", *PATIENCE)
    sh.fails(NOT_FOUND, "member", "remove", "id:7", *PATIENCE, says=["no member"])
    expect(set(members(sh)) == {"b", "c", "d"}, "a, b and c are asked; a is gone")
    sh.ok("put", "after", "all", *PATIENCE)


@test
def takes_in_a_node_that_lost_its_directory_under_its_old_name(story):
    cluster = story.cluster(3, **STEADY).start()
    sh = shell_of(cluster)
    lost = cluster.others(cluster.leader())[0]
    before = members(sh)[lost.name]["identity"]
    lost.kill()
    lost.wipe()
    lost.launch()
    order(sh, "member", "add", lost.name)

    def roles():
        return sorted(member["role"] for member in sh.json("members", *PATIENCE)["members"]
                      if member["name"] == lost.name)
    wait_until(lambda: roles() == ["learner", "voter"], 30, "both under one name")
    sh.fails(NOT_FOUND, "member", "remove", lost.name, *PATIENCE, says=["more than one"])
    order(sh, "member", "promote", lost.name)
    now = members(sh)
    expect(len(now) == 3 and now[lost.name]["identity"] != before and now[lost.name]["is_voter"],
           "its former self leaves with that change:", now)


@test
def removes_the_leader(story):
    cluster = story.cluster(3, **STEADY).start()
    sh = shell_of(cluster)
    leader = cluster.leader()
    expect(sh.json("member", "remove", leader.name, *PATIENCE) == {"done": "member remove"})
    expect(leader.exit_status(60) == 0)
    expect(set(members(sh)) == {"a", "b", "c"} - {leader.name})
    sh.ok("put", "k", "v", *PATIENCE)


@test
def refuses_what_would_break_the_quorum(story):
    cluster = story.cluster(3).start()
    sh = shell_of(cluster)
    leader = cluster.leader()
    dead, living = cluster.others(leader)
    dead.kill()

    def is_refused():
        status, _, err = sh("member", "remove", living.name, *PATIENCE)
        expect(status == PRECONDITION and b"nothing was changed" in err, status, err)
        return b"no quorum" in err
    # Only once the leader has noticed; before, the change would wait for the dead one.
    wait_until(lambda: members(sh)[dead.name].get("silent_ms", 9999) > 2000, 60,
               "that it is missed")
    wait_until(is_refused, 60, "a refusal")
    expect(len(members(sh)) == 3)
    sh.ok("member", "remove", dead.name, *PATIENCE)
    expect(set(members(sh)) == {leader.name, living.name})


@test
def hands_leadership_over(story):
    cluster = story.cluster(3, **STEADY).start()
    sh = shell_of(cluster)
    for _ in range(2):
        heir = cluster.others(cluster.leader())[0]
        expect(sh.ok("transfer-leader", heir.name, *PATIENCE) == f"{heir.name} leads\n".encode())
        expect(cluster.wait_until_all_follow() is heir)
    before = cluster.leader()
    expect(sh.ok("transfer-leader", *PATIENCE) == b"another node leads\n")
    expect(cluster.wait_until_all_follow() is not before)


# ---- Requests -----------------------------------------------------------------------------------

class Writer:
    """One put after another in the background, each of a new key; every second one has no name."""

    def __init__(self, story, sh):
        self.story = story
        self.sh = sh
        self.ended = []  # (key, exit status)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._write)
        story.at_end(self.stop)
        self._thread.start()

    def _write(self):
        while not self._is_stopping.is_set():
            key = f"key-{len(self.ended)}"
            name = ("-request-id", "none") if len(self.ended) % 2 else ()
            status, _, _ = self.sh("put", key, key, *name, *PATIENCE)
            self.ended.append((key, status))

    def wait_for(self, count):
        """That many more."""
        goal = len(self.ended) + count
        wait_until(lambda: len(self.ended) >= goal, 120, "more puts")

    def check(self, cluster):
        """None is missing, none was done twice, and none failed but for want of a name."""
        client = cluster["a"].client()
        for number, (key, status) in enumerate(self.ended):
            item = client.get(key)
            is_named = number % 2 == 0
            expect(status == OK or (not is_named and status == UNKNOWN), key, "ended with", status)
            expect(item.version == 1 or (status == UNKNOWN and not item.found), key, status, item)
        opened = sum(status == UNKNOWN for _, status in self.ended)
        self.story.say(len(self.ended), "puts,", opened, "of them nameless and of unknown outcome")

    def stop(self):
        self._is_stopping.set()
        self._thread.join()


@test
def no_put_fails_or_is_doubled_while_leaders_die(story):
    cluster = story.cluster(3).start()
    sh = shell_of(cluster)
    writer = Writer(story, sh)
    for _ in range(story.rounds(4)):
        writer.wait_for(6)
        leader = cluster.leader()
        leader.kill()
        expect(sh.ok("put", "between", "commands", *PATIENCE).startswith(b"revision "))
        writer.wait_for(4)
        leader.start(seconds=60)
        cluster.wait_until_all_follow()
    writer.stop()
    writer.check(cluster)


@test
def no_put_fails_while_all_are_restarted_one_after_another(story):
    cluster = story.cluster(3).start()
    writer = Writer(story, shell_of(cluster))
    for node in cluster:
        writer.wait_for(4)
        expect(node.terminate(seconds=60) == 0, "the exit status")
        writer.wait_for(4)
        node.start(seconds=60)
        wait_until(lambda node=node: node.http("/ready")[0] == 200, 60, "that it is ready")
    writer.stop()
    writer.check(cluster)


@test
def a_put_waits_for_a_leader(story):
    cluster = story.cluster(3).start()
    leader = cluster.leader()
    one, other = cluster.others(leader)
    leader.kill()
    other.pause()
    sh = Shell(one.address)
    ended = []
    put = threading.Thread(target=lambda: ended.append(sh("put", "k", "v", *PATIENCE)))
    put.start()
    cluster.wait(lambda statuses: statuses[one.name] and not statuses[one.name].leader_id,
                 "that nobody leads")
    expect(not ended, ended)
    other.resume()
    put.join()
    expect(ended[0][0] == OK, ended)
    expect(cluster[one.name].client().get("k").version == 1)


if __name__ == "__main__":
    main()
