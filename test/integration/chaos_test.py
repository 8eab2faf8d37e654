#!/usr/bin/env python3
"""scripts/chaos.sh, a round of it: that it can succeed, that it can fail, and how it drives Fly.io."""

import os
import re
import signal
import socket
import subprocess

from support import expect, main, test
from support.story import ROOT

CHAOS = str(ROOT / "scripts/chaos.sh")

# Stands in for the fly command: tells its arguments to the test, which does what they say.
FLY = """#!/usr/bin/python3
import socket, sys
with socket.create_connection(("127.0.0.1", {port}), timeout=60) as test:
    test.sendall(" ".join(sys.argv[1:]).encode() + b"\\n")
    sys.exit(test.recv(10) != b"done")
"""


def expect_well(status, out):
    expect(status == 0, status, out)
    counts = re.search(r"1 rounds, 3 restarts, 0 violations: (\d+) of (\d+) operations", out)
    expect(counts and 30 < int(counts[1]) <= int(counts[2]), out)


def run(*arguments, **environment):
    done = subprocess.run([CHAOS, *arguments], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout + done.stderr


@test
def a_round_on_this_machine(story):
    expect_well(*run("--driver", "local", "--rounds", "1", "--clients", "4", "--seed", "5"))


@test
def a_wrong_history_is_a_failure(story):
    judge = story.directory / "judge"
    judge.write_text("#!/bin/sh\ncat >/dev/null\necho 'not linear: key 0 is wrong'\nexit 1\n")
    judge.chmod(0o755)
    status, out = run("--driver", "local", "--rounds", "1", PHALANX_HISTORY=str(judge))
    expect(status == 1 and "not linear" in out and "0 violations" not in out, status, out)
    kept = re.search(r"the whole history: (/\S+)", out)
    os.unlink(kept[1])


@test
def wrong_usage_is_said(story):
    for arguments in ((), ("phalanx",), ("--driver", "boat"), ("--driver", "local", "--rounds", "0")):
        status, out = run(*arguments)
        expect(status == 2 and out, arguments, status, out)


def obey(cluster, words, app):
    """What fly would do; says what it did."""
    group, action, name, flag, given = words.split()
    expect((group, flag, given) == ("machine", "--app", app), words)
    node = cluster[name]
    if action == "stop":
        node.terminate()
    elif action == "kill":
        node.kill()
    else:
        expect(action == "start", words)
        node.launch()
    return action


@test
def machines_of_fly_are_stopped_and_started(story):
    cluster = story.cluster(5).start()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    fly = story.directory / "fly"
    fly.write_text(FLY.format(port=listener.getsockname()[1]))
    fly.chmod(0o755)
    chaos = subprocess.Popen([CHAOS, "phalanx", cluster["a"].address, "--rounds", "1"],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env={**os.environ, "PATH": f"{story.directory}:{os.environ['PATH']}"})
    story.at_end(lambda: chaos.send_signal(signal.SIGTERM))
    actions = []
    while chaos.poll() is None:
        try:
            caller, _ = listener.accept()
        except TimeoutError:
            continue
        with caller:
            actions.append(obey(cluster, caller.recv(200).decode(), "phalanx"))
            caller.sendall(b"done")
    listener.close()
    expect_well(chaos.returncode, chaos.stdout.read())
    expect(len(actions) == 6 and actions.count("start") == 3, actions)


if __name__ == "__main__":
    main()
