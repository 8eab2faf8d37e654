#!/usr/bin/env python3
"""README.md does what it says: its commands print what stands beside them, its tables are those of
the programs, and `make run` shows what it shows."""
import os
import pty
import re
import select
import shutil
import socket
import subprocess
import time
import urllib.request

from support import Skip, expect, main, test
from support.readme import NEEDS, README, Session, blocks, matches
from support.story import ROOT, SERVER


def has_grpcio():
    found = subprocess.run([NEEDS["python"], "-c", "import grpc, google.protobuf"],
                           capture_output=True, check=False)
    return found.returncode == 0 and shutil.which("protoc")


def rows(heading):
    """The cells of the first table below a heading, without backquotes."""
    text = README.read_text().split(f"\n## {heading}\n", 1)[1]
    table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE).group(1)
    return [[cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
            for line in table.splitlines()]


@test
def commands_print_what_stands_beside_them(story):
    programs = {"grpcurl": shutil.which("grpcurl"),
                "python": NEEDS["python"] if has_grpcio() else None,
                "node": None}  # needs packages: clients_test gets them
    count = Session(story, programs).run()
    story.say(count, "commands")
    expect(count > 15)


@test
def settings_are_those_of_the_server(story):
    helped = subprocess.run([SERVER, "--help"], capture_output=True, text=True, check=True).stdout
    table = helped[helped.index("  VARIABLE"):].splitlines()
    starts = [table[0].index(word) for word in ("VARIABLE", "FLAG", "DEFAULT", "MEANING")]
    told = [[line[start:end].strip() for start, end in zip(starts, [*starts[1:], None])]
            for line in table[1:] if line.strip()]
    written = rows("Settings")
    for row in told:
        expect(row in written, "README lacks", row)
    for row in written:
        expect(row in told, "the server's --help lacks", row)


@test
def http_paths_are_those_of_the_server(story):
    server = story.server().start()
    listed = [line for line in server.http("/")[1].splitlines() if line.startswith("/")]
    expect([row[0] for row in rows("HTTP")] == ["/", *listed], listed)
    for path, _ in rows("HTTP"):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.debug_port}{path}", timeout=5) as answer:
            expect(answer.status == 200, path)  # not read: one of them has no end


@test
def make_targets_exist(story):
    helped = subprocess.run(["make", "-s", "-C", str(ROOT), "help"], capture_output=True, text=True,
                            check=True).stdout
    for target in re.findall(r"`make ([a-z]+)`", README.read_text()):
        expect(re.search(rf"^  make {target} ", helped, re.MULTILINE), "no target", target)


@test
def links_lead_somewhere(story):
    for link in re.findall(r"\]\(([^)#]+)\)", README.read_text()):
        expect("://" in link or (ROOT / link).exists(), link)


# ---- make run -----------------------------------------------------------------------------------
# scripts/run.sh is all of it that comes after the build.

def told_of_run():
    (text,) = [text for language, word, text in blocks() if (language, word) == ("text", "run")]
    return text


def run_environment(session):
    return {**session.environment, "GRPC_ADDR": "127.0.0.1:" + session.ports["9000"],
            "DEBUG_ADDR": "127.0.0.1:" + session.ports["8080"]}


@test
def run_without_a_terminal_shows_a_write_and_a_read_and_ends(story):
    session = Session(story, {})
    for revision in (1, 2):
        done = subprocess.run(["scripts/run.sh"], cwd=session.directory, stdin=subprocess.DEVNULL,
                              env=run_environment(session), capture_output=True, text=True,
                              timeout=60, check=False)
        expect(done.returncode == 0, done)
        wanted = told_of_run().replace("revision 1\n", f"revision {revision}\n")
        wanted = wanted[:wanted.index("run: the node keeps")] + "run: stopped\n"
        expect(matches(wanted, session.as_printed(done.stdout)), wanted, "is not", done.stdout)
        expect(" msg=stopped" in done.stderr, done.stderr)


@test
def run_on_a_terminal_goes_on_until_it_is_interrupted(story):
    session = Session(story, {})
    try:
        ours, theirs = pty.openpty()
    except OSError as none:
        raise Skip(f"no terminal can be had: {none}") from none
    run = subprocess.Popen(["setsid", "--ctty", "--wait", "scripts/run.sh"], cwd=session.directory,
                           env=run_environment(session), stdin=theirs, stdout=theirs, stderr=theirs)
    story.at_end(lambda: run.poll() is None and run.kill())
    os.close(theirs)
    output = read_until(ours, "Ctrl-C stops it")
    shown = re.sub(r"^time=.*\n", "", output, flags=re.MULTILINE)
    expect(matches(told_of_run(), session.as_printed(shown)), shown)
    time.sleep(0.3)
    expect(run.poll() is None, "it goes on")
    os.write(ours, b"\x03")
    output += read_until(ours, "run: stopped")
    expect(run.wait(timeout=20) == 0, run.returncode)
    os.close(ours)


def read_until(descriptor, mark, seconds=60):
    output = ""
    end = time.monotonic() + seconds
    while mark not in output:
        expect(time.monotonic() < end, f"no {mark!r} in", output)
        if select.select([descriptor], [], [], 0.1)[0]:
            output += os.read(descriptor, 65536).decode().replace("\r\n", "\n")
    return output


@test
def run_takes_the_next_ports_when_these_are_taken(story):
    session = Session(story, {})
    try:
        listener = socket.create_server(("127.0.0.1", 9000))
        story.at_end(listener.close)
    except OSError:
        pass  # somebody else has taken it
    done = subprocess.run(["scripts/run.sh"], cwd=session.directory, stdin=subprocess.DEVNULL,
                          env=session.environment, capture_output=True, text=True, timeout=60,
                          check=False)
    expect(done.returncode == 0, done)
    expect("gRPC on 127.0.0.1:90" in done.stdout and "gRPC on 127.0.0.1:9000" not in done.stdout,
           done.stdout)


@test
def cluster_shows_a_write_and_a_read_through_different_nodes(story):
    session = Session(story, {})
    done = subprocess.run(["scripts/cluster.sh"], cwd=session.directory, stdin=subprocess.DEVNULL,
                          env={**session.environment, "GRPC_PORT": session.ports["9000"],
                               "DEBUG_PORT": session.ports["8080"]},
                          capture_output=True, text=True, timeout=120, check=False)
    expect(done.returncode == 0, done)
    (wanted,) = [text for language, word, text in blocks() if (language, word) == ("text", "cluster")]
    wanted = wanted[:wanted.index("cluster: the nodes keep")] + "cluster: stopped\n"
    grpc, http = map(int, (session.directory / "data-cluster/ports").read_text().split())
    session.ports = {str(first + i): str(port + i) for first, port in ((9000, grpc), (8080, http))
                     for i in range(5)}
    expect(matches(wanted, session.as_printed(done.stdout)), wanted, "is not", done.stdout)


@test
def run_says_that_the_node_ended(story):
    taken = story.server().start()
    session = Session(story, {})
    done = subprocess.run(["scripts/run.sh"], cwd=session.directory, stdin=subprocess.DEVNULL,
                          env={**run_environment(session), "GRPC_ADDR": taken.address},
                          capture_output=True, text=True, timeout=60, check=False)
    expect(done.returncode == 1 and "run: the node ended" in done.stderr,
           "an address that was asked for is not replaced:", done)


if __name__ == "__main__":
    main()
