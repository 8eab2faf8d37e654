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


def terminals(name):
    """A recipe's commands, each for a terminal of its own: with empty lines between them."""
    return (RECIPES / name).read_text().strip().split("\n\n")


def run(story, name):
    """In an empty directory, where ./phalanx-server is ours."""
    network.enter()
    os.symlink(os.path.abspath(SERVER), story.directory / "phalanx-server")
    environment = {"PATH": os.environ["PATH"], "HOME": str(story.directory), **SANITIZERS}
    for number, command in enumerate(terminals(name)):
        with open(story.directory / f"terminal-{number}.log", "wb") as log:
            process = subprocess.Popen(
                [*DIE_WITH_THE_TEST, "bash", "-c", command], cwd=story.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        story.at_end(process.wait)
        story.at_end(process.kill)


def logs(story):
    return [path.read_text() for path in sorted(story.directory.glob("terminal-*.log"))]


def expect_works_soon(story, began, count):
    """A write through the first node and reads through all."""
    address = "127.0.0.1:900{}".format
    put = story.cli("put", "hello", "world", "-addr", address(0), "-timeout", f"{SOON_S}s")
    took = time.monotonic() - began
    expect(put.status == 0 and took < SOON_S, took, put, *logs(story))
    for node in range(count):
        got = story.cli("get", "hello", "-addr", address(node))
        expect(got.out.strip() == "world", node, got, *logs(story))
        with urllib.request.urlopen(f"http://127.0.0.1:808{node}/debug/status", timeout=5) as page:
            expect(page.status == 200)
    story.say(f"an answered write after {took:.1f} s")


@test
def the_single_node_works_as_printed(story):
    began = time.monotonic()
    run(story, "single.sh")
    expect_works_soon(story, began, 1)


@test
def the_five_terminals_work_as_printed(story):
    began = time.monotonic()
    run(story, "five.sh")
    expect_works_soon(story, began, 5)
    moved = [line for log in logs(story) for line in log.splitlines() if "gossip port is taken" in line]
    expect(len(moved) == 4, "each but the first says once that it took another port:", moved)


if __name__ == "__main__":
    main()
