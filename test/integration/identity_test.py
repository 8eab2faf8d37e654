"""Whose directory it is: another name is refused, unless the operator says that the directory was
moved, or copied; and a crash while it is set aside is not taken for a start."""

import os
import re

from support import expect, main, test
from support.story import wait_until


def used(story, data_dir=None, **settings):
    """A server that has run, with a key in its state."""
    server = story.server(data_dir, NODE_ID="node-1", **settings).start()
    server.client().put("key", b"value")
    server.identity = identity(server)
    expect(server.terminate() == 0)
    return server


def identity(server):
    return re.search(r" msg=serving .* identity=(\w+)", server.log()).group(1)


def key_of(server):
    found = server.client().get("key")
    return found.value if found.found else None


def expect_refused(server, *told):
    server.launch()
    expect(server.exit_status() == 1, server.log())
    line = server.log().splitlines()[-1]
    expect("level=error" in line, line)
    for text in told:
        expect(text in line, text, "is not told:", line)


@test
def refuses_another_name_and_tells_both_ways_out(story):
    server = used(story)
    server.settings["NODE_ID"] = "node-2"
    expect_refused(server, "node_id=node-2", "directory_name=node-1", "--adopt", "--rejoin")
    server.settings["NODE_ID"] = "node-1"
    server.start()
    expect(identity(server) == server.identity)
    expect(key_of(server) == b"value")


@test
def keeps_its_name_when_it_is_given_none(story):
    server = used(story)
    server.settings["NODE_ID"] = ""
    server.start()
    expect(re.search(r" msg=serving .* node=node-1 ", server.log()), server.log())
    expect(identity(server) == server.identity)


@test
def adopts_another_name_and_keeps_the_data(story):
    server = used(story)
    server.settings["NODE_ID"] = "node-2"
    server.start("--adopt")
    expect(identity(server) == server.identity)
    expect(key_of(server) == b"value")
    server.kill()
    server.start()  # the name was stored
    expect(key_of(server) == b"value")
    server.kill()
    server.settings["NODE_ID"] = "node-1"
    expect_refused(server, "directory_name=node-2")


@test
def rejoins_blank_and_keeps_what_it_held_aside(story):
    server = used(story)
    server.settings["NODE_ID"] = "node-2"
    server.start("--rejoin")
    expect(identity(server) != server.identity)
    expect(key_of(server) is None)
    expect(re.search("level=warn .*folder=aside-1", server.log()), server.log())
    server.kill()
    server.start()
    expect(key_of(server) is None)

    former = story.server(server.data_dir / "aside-1", NODE_ID="node-1").start()
    expect(identity(former) == server.identity)
    expect(key_of(former) == b"value")


@test
def rejoins_with_a_log_that_is_damaged(story):
    server = used(story)
    os.truncate(server.data_dir / "log/data.mdb", 5000)
    expect_refused(server)
    server.start("--rejoin")
    expect(key_of(server) is None)


@test
def founds_nothing_when_it_is_told_of_others(story):
    server = story.server(NODE_ID="node-1", PEERS="node-2=127.0.0.1:1").launch()
    wait_until(lambda: server.is_serving() or not server.is_running(), 20, "a start or an end")
    expect(re.search(r" msg=serving .* cluster_id=0{16} .* last_index=0 ", server.log()),
           server.log())


# ---- Crashes ------------------------------------------------------------------------------------


def kill_at(server, system_call, number):
    """Sets aside, and ends at the number-th such call; false: it made fewer."""
    server.launch("--rejoin", under=["strace", "-D", "-f", "-qq", "-o", "/dev/null",
                                     "-e", f"trace=/^{system_call}",
                                     "-e", f"inject=/^{system_call}:signal=KILL:when={number}"])
    wait_until(lambda: server.is_serving() or not server.is_running(), 20, "a start or an end")
    if server.is_running():
        server.kill()
        return False
    expect(server.exit_status() == -9, server.log())
    return True


def what_is_left(server):
    """The node that it was, a part of it, or a blank one."""
    if list(server.data_dir.glob("aside-*.part")):
        return "part"
    return "blank" if (server.data_dir / "aside-1").exists() else "whole"


def check_left(server, left):
    if left == "part":
        expect_refused(server, "--rejoin", "cut short")
        return
    server.start()
    expect(key_of(server) == (b"value" if left == "whole" else None), left)
    server.kill()


def crash(story, system_call, number):
    """Returns what was left; None: it did not come that far."""
    server = used(story)
    if not kill_at(server, system_call, number):
        return None
    left = what_is_left(server)
    check_left(server, left)
    server.start("--rejoin")
    expect(key_of(server) is None)
    expect(not list(server.data_dir.glob("*.part")))
    former = story.server(server.data_dir / "aside-1", NODE_ID="node-1").start()
    expect(identity(former) == server.identity)
    expect(key_of(former) == b"value")
    former.kill()
    server.kill()
    return left


@test
def completes_what_a_crash_cut_short(story):
    seen = {}
    for system_call in ("mkdir", "rename", "fsync"):
        seen[system_call] = []
        while len(seen[system_call]) < 40:
            left = crash(story, system_call, len(seen[system_call]) + 1)
            if left is None:
                break
            seen[system_call].append(left)
    story.say(seen)
    expect(seen["rename"].count("part") >= 2, seen)
    for left in ("whole", "part", "blank"):
        expect(left in seen["fsync"], "never left", left, seen)


if __name__ == "__main__":
    main()
