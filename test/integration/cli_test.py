#!/usr/bin/env python3
"""The command line as scripts and people use it, against a real server."""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

from support import expect, main, test
from support.proto import kv
from support.shell import (ERROR, NOT_FOUND, OK, PRECONDITION, UNAVAILABLE, UNKNOWN, USAGE, Shell,
                           run)
from support.story import CLI, wait_until

COMMANDS = ("put", "get", "delete", "scan", "status", "top", "members", "member add", "member promote",
            "member remove", "member replace", "transfer-leader", "snapshot save",
            "snapshot inspect", "snapshot restore", "version", "completion", "help")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def dead_address():
    return f"127.0.0.1:{free_port()}"


# ---- Keys and values ----------------------------------------------------------------------------

@test
def puts_gets_deletes(story):
    sh = Shell(story.server().start().address)
    expect(sh.ok("put", "k", "v") == b"revision 1\n")
    expect(sh.ok("get", "k") == b"v", "the value's bytes and nothing else")
    expect(sh.ok("put", "k", "") == b"revision 2\n")
    expect(sh.ok("get", "k") == b"")
    expect(sh.ok("get", "k", "-consistency", "stale") == b"")
    expect(sh.ok("delete", "k") == b"revision 3\n")
    expect(sh.ok("put", "--", "-k", "-v") == b"revision 4\n")
    expect(sh.ok("get", "--", "-k") == b"-v")
    expect(sh.json("put", "j", "1") == {"revision": 5})
    expect(sh.json("get", "j") == {"found": True, "key": "j", "value": "1", "mod_revision": 5,
                                   "create_revision": 5, "version": 1})
    expect(sh.json("delete", "j") == {"deleted": True, "revision": 6})


@test
def takes_flags_before_and_after_in_every_spelling(story):
    server = story.server().start()
    for number, words in enumerate((
            ("-addr", server.address, "put", "k", "v"), ("put", "-addr", server.address, "k", "v"),
            ("put", "k", "-addr", server.address, "v"), ("put", "k", "v", "-addr", server.address),
            ("put", "k", "v", "--addr", server.address), ("put", "k", "v", "-addr=" + server.address),
            ("put", "k", "v", "--addr=" + server.address, "-timeout=5s"))):
        status, out, err = run(*words)
        expect((status, out) == (OK, b"revision %d\n" % (number + 1)), words, status, err)
    expect(run("get", "k", PHALANX_ADDR=server.address)[:2] == (OK, b"v"))
    expect(run("get", "k", "-addr", server.address, PHALANX_ADDR=dead_address())[:2] == (OK, b"v"),
           "the flag wins")


@test
def carries_any_bytes(story):
    sh = Shell(story.server().start().address)
    value = bytes(range(256)) * 16
    sh.ok("put", "bin", "-", stdin=value)
    expect(sh.ok("get", "bin") == value)
    expect(sh.ok("get", "-hex", "62696e") == value.hex().encode() + b"\n")
    expect(sh.json("get", "bin")["value_base64"] == base64.b64encode(value).decode())
    expect(sh.json("get", "-hex", "62696e")["value_hex"] == value.hex())
    sh.ok("put", "-hex", "00ff00", "0a")
    expect(sh.ok("get", "-base64", "AP8A") == b"Cg==\n")
    sh.ok("put", "-base64", "AA==", "-", stdin=b"from stdin, as it is")
    listed = sh.json("scan")
    expect([item.get("key_base64") or item["key"] for item in listed["items"]]
           == ["\0", "AP8A", "bin"], listed["items"][:2])
    expect(sh.ok("scan", "-limit", "2") == b"\\x00\tfrom stdin, as it is\n\\x00\\xff\\x00\t\\n\n")
    large = story.random.randbytes(1 << 20)
    sh.ok("put", "large", "-", stdin=large)
    expect(sh.ok("get", "large") == large)
    sh.fails(USAGE, "put", "large", "-", stdin=large + b"x", says=["1 MiB"])
    sh.ok("put", 'quote"\\key', 'line\nand "quote"\\ and \x1b[31m')
    expect(sh.json("get", 'quote"\\key')["value"] == 'line\nand "quote"\\ and \x1b[31m')
    expect(b"\x1b" not in sh.ok("scan"), "a scan cannot steer the terminal")


@test
def scans_thousands_of_keys(story):
    server = story.server().start()
    sh = Shell(server.address)
    client = server.client()
    put = client.channel.unary_unary("/phalanx.v1.KVService/Put")
    count = 5000
    values = [b"%06d" % number * 50 for number in range(count)]
    calls = [put.future(kv.PutRequest(key=b"key/%06d" % number, value=value).SerializeToString())
             for number, value in enumerate(values)]
    for call in calls:
        call.result()
    sh.ok("put", "kez", "outside")
    lines = sh.ok("scan", "-prefix", "key/").splitlines()
    expect(lines == [b"key/%06d\t%s" % (number, value) for number, value in enumerate(values)])
    listed = sh.json("scan", "-prefix", "key/")
    expect(len(listed["items"]) == count and not listed["more"])
    listed = sh.json("scan", "-limit", "4500")
    expect(len(listed["items"]) == 4500 and listed["more"])
    expect(sh.ok("scan", "key/000100", "key/000103", "-keys-only")
           == b"key/000100\nkey/000101\nkey/000102\n")
    expect(sh.ok("scan", "key/004999") == b"key/004999\t" + values[-1] + b"\nkez\toutside\n")
    expect(len(sh.ok("scan", "-keys-only").splitlines()) == count + 1)
    piped = subprocess.run(["bash", "-c", f"'{CLI}' scan | head -n 3; echo ${{PIPESTATUS[0]}}"],
                           env={**os.environ, "PHALANX_ADDR": server.address}, capture_output=True,
                           timeout=20, check=True)
    expect(len(piped.stdout.splitlines()) == 4 and piped.stderr == b"", "a pipe that closes:", piped)


# ---- Exit statuses ------------------------------------------------------------------------------

@test
def ends_with_0_or_1(story):
    sh = Shell(story.server().start().address)
    expect(sh.ok("version").startswith(b"phalanx "))
    expect(sh.json("version")["version"])
    sh.fails(ERROR, "snapshot", "inspect", "/nowhere/at/all", says=["/nowhere/at/all"])
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CLI, "version"], stdout=full, stderr=subprocess.PIPE, check=False)
    expect(done.returncode == ERROR and b"cannot write" in done.stderr, done)


@test
def ends_with_2_when_called_wrongly(story):
    sh = Shell(story.server().start().address)
    for words, says in (((), "which command"), (("nothing",), "nothing"), (("put", "k"), "too few"),
                        (("put", "k", "v", "w"), "too many"), (("get", "k", "-nope"), "-nope"),
                        (("get", "k", "-timeout", "soon"), "-timeout"),
                        (("get", "k", "-timeout"), "-timeout"), (("get", "k", "-o", "xml"), "-o"),
                        (("get", "k", "-limit", "3"), "-limit"), (("scan", "-limit", "-3"), "-limit"),
                        (("put", "k", "v", "-prev-revision", "x"), "-prev-revision"),
                        (("put", "k", "v", "-request-id", "0:1"), "-request-id"),
                        (("get", "-hex", "abc"), "hexadecimal"), (("get", ""), "key"),
                        (("get", "k" * 481), "480"), (("scan", "b", "a"), "end"),
                        (("get", "k", "-hex", "-base64"), "either"), (("snapshot",), "which one"),
                        (("get", "k", "-addr", "nonsense"), "nonsense"), (("help", "no"), "no"),
                        (("completion", "csh"), "csh"), (("snapshot", "restore", "x"), "-data-dir"),
                        (("scan", "a", "-prefix", "b"), "-prefix"),
                        (("member",), "which one"), (("member", "add"), "too few"),
                        (("member", "promote", "id:"), "identity"),
                        (("member", "remove", "127.0.0.1:9000"), "a node's name"),
                        (("member", "replace", "a"), "too few"),
                        (("transfer-leader", "a", "b"), "too many"),
                        (("get", "k", "-consistency", "eventual"), "-consistency")):
        expect(sh.fails(USAGE, *words, says=[says]) == b"", words)


@test
def ends_with_3_when_there_is_no_such_key(story):
    sh = Shell(story.server().start().address)
    expect(sh.fails(NOT_FOUND, "get", "missing") == b"")
    expect(json.loads(sh.fails(NOT_FOUND, "get", "missing", "-o", "json"))
           == {"found": False, "key": "missing"})
    expect(sh.fails(NOT_FOUND, "delete", "missing") == b"")
    gone = json.loads(sh.fails(NOT_FOUND, "delete", "missing", "-o", "json"))
    expect(gone == {"deleted": False, "revision": 0}, gone)
    expect(sh.ok("scan", "missing") == b"", "an empty scan is no error")


@test
def ends_with_4_when_certainly_nothing_was_applied(story):
    sh = Shell(dead_address())
    for words in (("put", "k", "v"), ("delete", "k")):
        sh.fails(UNAVAILABLE, *words, "-timeout", "700ms", says=[sh.address, "nothing was applied"])
    for words in (("get", "k"), ("scan",), ("status",)):
        sh.fails(UNAVAILABLE, *words, "-timeout", "700ms", says=[sh.address])
    path = story.directory / "none.snap"
    sh.fails(UNAVAILABLE, "snapshot", "save", str(path), "-timeout", "700ms")
    expect(list(story.directory.iterdir()) == [], "no half file")


class Gate:
    """Passes bytes between clients and a server. Once a connection has sent `after_bytes`, what it
    sends still goes through, but nothing comes back."""

    def __init__(self, server_address, after_bytes):
        self.after_bytes = after_bytes
        host, port = server_address.split(":")
        self.server = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.server)
            sent = [0]
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(*ends, sent, ends[0] is client),
                                 daemon=True).start()

    def _pass(self, source, target, sent, is_of_client):
        try:
            while data := source.recv(65536):
                sent[0] += len(data) * is_of_client
                if is_of_client or sent[0] < self.after_bytes:
                    target.sendall(data)
        except OSError:
            pass
        target.close()


@test
def ends_with_5_when_the_outcome_is_unknown(story):
    server = story.server().start()
    value = story.random.randbytes(15000).hex()  # fits into HTTP/2's first window
    gate = Gate(server.address, 20000)
    story.at_end(gate.listener.close)
    behind = Shell(gate.address)
    _, _, err = behind("put", "k", value, "-timeout", "1s")
    expect(b"may have been applied" in err and b"-request-id " in err, err)
    behind.fails(UNKNOWN, "put", "k2", value, "-timeout", "1s", "-request-id", "77:1",
                 says=["may have been applied", "-request-id 77:1"])
    sh = Shell(server.address)
    revision = sh.json("get", "k")["mod_revision"]
    expect(sh.json("get", "k2")["mod_revision"] == revision + 1, "both were applied")
    advice = err.split(b"-request-id ")[1].split()[0].decode()
    expect(sh.json("put", "k", value, "-request-id", advice)["revision"] == revision,
           "what it advises repeats nothing")
    expect(sh.json("put", "k2", value, "-request-id", "77:1")["revision"] == revision + 1)


@test
def ends_with_6_when_the_precondition_fails(story):
    sh = Shell(story.server().start().address)
    sh.ok("put", "k", "v", "-prev-revision", "0")
    for words in (("put", "k", "w", "-prev-revision", "0"), ("delete", "k", "-prev-revision", "9")):
        sh.fails(PRECONDITION, *words, says=["nothing was applied"])
    expect(sh.ok("get", "k") == b"v")
    sh.ok("put", "k", "w", "-prev-revision", "1")
    sh.ok("delete", "k", "-prev-revision", "2")


# ---- Several addresses --------------------------------------------------------------------------

@test
def passes_over_a_dead_server(story):
    server = story.server().start()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and says nothing
        mute = f"127.0.0.1:{silent.getsockname()[1]}"
        for addresses in (f"{dead_address()},{server.address}", f"{server.address},{dead_address()}",
                          f"{dead_address()},{dead_address()},{server.address}",
                          f"{mute},{server.address}"):
            began = time.monotonic()
            sh = Shell(addresses)
            sh.ok("put", "k", addresses)
            expect(sh.ok("get", "k") == addresses.encode())
            expect(time.monotonic() - began < 9, addresses, "took", time.monotonic() - began)
    status, out, err = Shell(f"{dead_address()},{server.address}")("status", "-timeout", "1s")
    expect(status == UNAVAILABLE and b"node-1 at " + server.address.encode() in out and err,
           "status asks each:", status, out, err)


@test
def waits_for_a_server_that_is_about_to_start(story):
    server = story.server(GRPC_ADDR=f"127.0.0.1:{free_port()}")
    done = []
    caller = threading.Thread(target=lambda: done.append(
        run("put", "k", "v", "-addr", server.settings["GRPC_ADDR"], "-timeout", "15s")))
    caller.start()
    time.sleep(1)
    server.start()
    caller.join()
    expect(done[0][:2] == (OK, b"revision 1\n"), done)


# ---- Status, help, completion -------------------------------------------------------------------

@test
def tells_the_status(story):
    server = story.server(NODE_ID="alpha").start()
    sh = Shell(server.address)
    sh.ok("put", "k", "v")
    status = server.wait_for_status(lambda status: status.revision == 1)
    told = sh.json("status")
    expect((told["node_id"], told["role"], told["key_count"], told["revision"], told["state_hash"])
           == ("alpha", "leader", 1, 1, f"{status.state_hash:016x}"), told)
    text = sh.ok("status").decode()
    expect(text.startswith(f"alpha at {server.address}: leader of term 2\n"), text)
    two = sh("status", "-addr", f"{server.address},{server.address}", "-o", "json")[1]
    expect([json.loads(line)["node_id"] for line in two.splitlines()] == ["alpha"] * 2,
           "an object for each, on a line of its own")


@test
def helps_with_every_command(story):
    sh = Shell("127.0.0.1:1")
    everything = sh.ok("help").decode()
    for command in COMMANDS:
        expect(f"  {command} " in everything, command)
        text = sh.ok("help", *command.split()).decode()
        expect(text.startswith(f"phalanx {command}") and "-help" in text, text)
        expect(max(map(len, text.splitlines())) <= 100, text)
        for flag in ("-help", "--help", "-h"):
            expect(sh.ok(*command.split(), flag).decode() == text, command, flag)
    expect(sh.ok("-help").decode() == everything == sh.ok("--help").decode())
    expect("snapshot restore" in sh.ok("help", "snapshot").decode())


COMPLETE = """
source <("$1" completion bash)
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$(complete -p phalanx | sed 's/.*-F \\([^ ]*\\).*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completions(*words):
    done = subprocess.run(["bash", "--norc", "-c", COMPLETE, "bash", CLI, "phalanx", *words],
                          capture_output=True, text=True, timeout=20, check=True)
    expect(done.stderr == "", done.stderr)
    return done.stdout.split()


@test
def completes_in_bash(story):
    script = subprocess.run([CLI, "completion", "bash"], capture_output=True, check=True).stdout
    expect(subprocess.run(["bash", "-n"], input=script, check=False).returncode == 0)
    expect({command.split()[0] for command in COMMANDS} == set(completions("")), completions(""))
    expect(completions("s") == ["scan", "status", "snapshot"], completions("s"))
    expect({"save", "inspect", "restore"} <= set(completions("snapshot", "")))
    expect(completions("snapshot", "r") == ["restore"])
    expect(completions("m") == ["members", "member"], completions("m"))
    expect({"add", "promote", "remove", "replace"} <= set(completions("member", "")))
    expect("-timeout" in completions("member", "add", "-"))
    expect("-prev-revision" in completions("put", "k", "v", "-"))
    expect(completions("get", "k", "-o", "") == ["text", "json"])
    expect(completions("get", "k", "-consistency", "s") == ["stale"])
    expect(completions("completion", "") and "zsh" in completions("completion", ""))
    expect("snapshot" in completions("help", "s"))


@test
def completion_scripts_parse_in_their_shells(story):
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run([CLI, "completion", shell], capture_output=True, check=True).stdout
        expect(b"snapshot" in script and b"prev-revision" in script, shell)
        if shutil.which(shell):
            done = subprocess.run([shell, "-n"], input=script, capture_output=True, check=False)
            expect(done.returncode == 0, shell, done.stderr)
        else:
            story.say("not parsed, as there is no", shell)


# ---- Snapshots ----------------------------------------------------------------------------------

@test
def takes_a_snapshot_there_and_back(story):
    server = story.server(STATE_FLUSH_MS=100).start()
    sh = Shell(server.address)
    client = server.client()
    for number in range(400):
        client.put(b"%04d\0\xff" % number, story.random.randbytes(number * 5),
                   request_id=(number % 7 + 1, number + 1) if number < 256 else None)
    sh.ok("delete", "-hex", b"0007\0\xff".hex())
    path = story.directory / "a.snap"
    saved = sh.json("snapshot", "save", str(path))
    expect(saved["key_count"] == 399 and saved["bytes"] == path.stat().st_size, saved)
    expect(sh.json("snapshot", "inspect", str(path)) == saved)
    sh.ok("put", "after", "the snapshot")
    folder = story.directory / "restored"
    restored = sh.json("snapshot", "restore", str(path), "-data-dir", str(folder), "-node-id", "beta")
    expect(restored == saved)
    sh.fails(ERROR, "snapshot", "restore", str(path), "-data-dir", str(folder), says=["holds data"])
    sh.fails(ERROR, "snapshot", "restore", str(path), "-data-dir", str(server.data_dir),
             says=["server has it open"])
    other = story.server(data_dir=folder, NODE_ID="beta", TICK_MS=20).start()
    told = other.cli_status()
    expect(told["state_hash"] != saved["state_hash"], "its configuration is part of the state")
    for name in ("key_count", "key_value_bytes", "revision", "session_count"):
        expect(told[name] == saved[name], name, told[name], saved[name])
    expect(told["cluster_id"] != server.cli_status()["cluster_id"], "it is a cluster of its own")
    theirs = list(other.client().scan_all())
    ours = [item for item in client.scan_all() if item.key != b"after"]
    expect(theirs == ours, "every key, value, revision and version")
    again = client.put("repeated", "x", request_id=(3, 3)).revision
    expect(other.client().put("repeated", "x", request_id=(3, 3)).revision == again,
           "what was named is remembered")
    other.client().put("goes", "on")
    other.kill()
    other.start()
    expect(other.client().get("goes").value == b"on")


@test
def snapshots_an_empty_store(story):
    sh = Shell(story.server().start().address)
    path = story.directory / "empty.snap"
    expect(sh.json("snapshot", "save", str(path))["key_count"] == 0)
    sh.json("snapshot", "restore", str(path), "-data-dir", str(story.directory / "new"))
    other = story.server(data_dir=story.directory / "new", TICK_MS=20).start()
    expect(other.client().put("k", "v").revision == 1)


@test
def refuses_a_damaged_snapshot(story):
    server = story.server().start()
    sh = Shell(server.address)
    for number in range(50):
        server.client().put(f"k{number}", story.random.randbytes(500))
    path = story.directory / "a.snap"
    sh.ok("snapshot", "save", str(path))
    whole = path.read_bytes()
    damaged = story.directory / "b.snap"
    spots = {0, 5, 40, len(whole) // 2, len(whole) - 1}
    for data in [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:] for at in spots] + \
            [whole[:-1], whole[:len(whole) // 2], whole + b"x", b"", b"hello\n"]:
        damaged.write_bytes(data)
        sh.fails(ERROR, "snapshot", "inspect", str(damaged), says=["b.snap"])
        folder = story.directory / "never"
        sh.fails(ERROR, "snapshot", "restore", str(damaged), "-data-dir", str(folder))
        done = subprocess.run([CLI, "snapshot", "restore", str(path), "-data-dir", str(folder)],
                              capture_output=True, check=False)
        expect(done.returncode == 0, "a failed restore is in nobody's way:", done.stderr)
        subprocess.run(["rm", "-r", str(folder)], check=True)


def large_store(story):
    """A server whose snapshot takes a while."""
    server = story.server(STATE_FLUSH_MS=50).start()
    client = server.client()
    for number in range(64):
        client.put(f"k{number}", story.random.randbytes(1 << 20))
    server.wait_for_status(lambda status: status.flushed_index == status.applied_index)
    return server


def stopped_save(story, server, path):
    """A save that has begun, and is stopped midway."""
    for _ in range(20):
        save = subprocess.Popen([CLI, "snapshot", "save", str(path), "-addr", server.address],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        story.at_end(lambda save=save: save.poll() is None and save.kill())

        def has_begun(save=save):
            parts = list(pathlib.Path(path).parent.glob("*.part"))
            return parts and parts[0].stat().st_size > 0 or save.poll() is not None
        while not has_begun():
            pass
        save.send_signal(signal.SIGSTOP)
        if save.poll() is None and not path.exists():
            return save
        save.send_signal(signal.SIGCONT)  # it was quicker than we are
        save.communicate(timeout=20)
        path.unlink()
    raise AssertionError("the save is too quick for this test")


@test
def leaves_no_half_file_when_interrupted(story):
    folder = story.directory / "snaps"
    folder.mkdir()
    path = folder / "large.snap"
    server = large_store(story)
    for _ in range(10):
        save = stopped_save(story, server, path)
        save.send_signal(signal.SIGINT)
        save.send_signal(signal.SIGCONT)
        save.communicate(timeout=20)
        if save.returncode != 0:
            break
        path.unlink()  # it was done before it heard the signal
    expect(save.returncode == -signal.SIGINT, save.returncode)
    expect(list(folder.iterdir()) == [], list(folder.iterdir()))
    path.write_bytes(b"an older one")
    sh = Shell(server.address)
    sh.ok("snapshot", "save", str(path))
    expect(path.stat().st_size > 64 << 20, "an old file is replaced by a whole one")


@test
def leaves_no_half_file_when_the_server_dies(story):
    folder = story.directory / "snaps"
    folder.mkdir()
    path = folder / "large.snap"
    path.write_bytes(b"an older one")
    path_ = folder / "new.snap"
    server = large_store(story)
    save = stopped_save(story, server, path_)
    server.kill()
    save.send_signal(signal.SIGCONT)
    _, err = save.communicate(timeout=20)
    expect(save.returncode in (ERROR, UNAVAILABLE) and err.startswith(b"phalanx: snapshot save: "),
           save.returncode, err)
    expect([file.name for file in folder.iterdir()] == ["large.snap"], list(folder.iterdir()))
    expect(path.read_bytes() == b"an older one")


@test
def says_where_a_snapshot_cannot_go(story):
    sh = Shell(story.server().start().address)
    sh.fails(ERROR, "snapshot", "save", "/nowhere/at/all.snap", says=["/nowhere/at/all.snap"])
    sh.fails(ERROR, "snapshot", "save", str(story.directory), says=["must be a file"])
    sh.fails(ERROR, "snapshot", "save", "/dev/null", says=["must be a file"])
    wait_until(lambda: not list(story.directory.glob("*.part")), 1, "no part is left")


if __name__ == "__main__":
    main()
