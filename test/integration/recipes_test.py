#!/usr/bin/env python3
"""The operator's recipes, run as they are printed: recipes/ holds their text."""

import os
import pathlib
import subprocess
import time
import urllib.request

from support import expect, main, network, test
from support.server import DIE_WITH_THE_TEST
from support.story import SANITIZERS, SERVER

RECIPES = pathlib.Path(__file__).parent / "recipes"

# From the first command to an answered write.
SOON_S = 5
TRIES = 3


def terminals(name):
    """A recipe's commands, each for a terminal of its own: with empty lines between them."""
    return (RECIPES / name).read_text().strip().split("\n\n")


class Terminals:
    """A recipe at work, in an empty directory, where ./phalanx-server is ours."""

    def __init__(self, story, name, number):
        self.directory = story.directory / f"try-{number}"
        self.directory.mkdir()
        os.symlink(os.path.abspath(SERVER), self.directory / "phalanx-server")
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), **SANITIZERS}
        self.began = time.monotonic()
        self.processes = []
        for terminal, command in enumerate(terminals(name)):
            with open(self.directory / f"terminal-{terminal}.log", "wb") as log:
                self.processes.append(subprocess.Popen(
                    [*DIE_WITH_THE_TEST, "bash", "-c", command], cwd=self.directory,
                    env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        story.at_end(self.end)

    def logs(self):
        return [path.read_text() for path in sorted(self.directory.glob("terminal-*.log"))]

    def end(self):
        for process in self.processes:
            process.kill()
            process.wait()


def works_soon(story, at_work, count):
    """Whether a write through the first node was answered soon; it is then read through all."""
    address = "127.0.0.1:900{}".format
    put = story.cli("put", "hello", "world", "-addr", address(0), "-timeout", "30s", timeout=60)
    took = time.monotonic() - at_work.began
    expect(put.status == 0, put, *at_work.logs())
    story.say(f"an answered write after {took:.1f} s")
    for node in range(count):
        got = story.cli("get", "hello", "-addr", address(node))
        expect(got.out.strip() == "world", node, got, *at_work.logs())
        with urllib.request.urlopen(f"http://127.0.0.1:808{node}/debug/status", timeout=5) as page:
            expect(page.status == 200)
    return took < SOON_S


def run(story, name, count):
    """A machine that is busy with other work may need more than one try to be soon."""
    network.enter()
    for number in range(TRIES):
        at_work = Terminals(story, name, number)
        if works_soon(story, at_work, count):
            return at_work
        at_work.end()
    raise AssertionError(f"never within {SOON_S} s")


@test
def the_single_node_works_as_printed(story):
    run(story, "single.sh", 1)


@test
def the_five_terminals_work_as_printed(story):
    at_work = run(story, "five.sh", 5)
    moved = [line for log in at_work.logs() for line in log.splitlines()
             if "gossip port is taken" in line]
    expect(len(moved) == 4, "each but the first says once that it took another port:", moved)


if __name__ == "__main__":
    main()
