"""A disk that lies or fails: damage is reported and never served, an error ends the process, and no
answer leaves before its sync."""

import re
import time

import grpc

from support import expect, main, test
from support.client import CallFailed
from support.story import wait_until

# Everything waits in the log until the end.
NO_FLUSH = {"STATE_FLUSH_MS": 3600000}


def flip(path, pattern):
    """One bit in the middle of every copy of these bytes; returns how many there were."""
    data = bytearray(path.read_bytes())
    count = 0
    at = data.find(pattern)
    while at >= 0:
        data[at + len(pattern) // 2] ^= 0x10
        count += 1
        at = data.find(pattern, at + 1)
    path.write_bytes(data)
    return count


def newest_segment(server):
    return max((server.data_dir / "log").glob("*.seg"))


def value_of(story, size=100):
    return story.random.randbytes(size)


def code_of(call, *arguments, **options):
    try:
        call(*arguments, **options)
        return grpc.StatusCode.OK
    except CallFailed as failed:
        return failed.code


@test
def refuses_to_start_with_a_damaged_entry_to_replay(story):
    server = story.server(**NO_FLUSH).start()
    client = server.client()
    value = value_of(story)
    client.put("before", "it")
    client.put("damaged", value)
    for number in range(2000):
        client.put(f"after-{number}", "it")
    server.kill()
    expect(flip(newest_segment(server), value) > 0)
    server.launch()
    expect(server.exit_status() == 1, server.log())
    expect(re.search("level=error.*corrupt", server.log()), server.log())


@test
def refuses_to_start_with_a_large_damaged_entry(story):
    server = story.server(**NO_FLUSH).start()
    value = value_of(story, 100000)
    server.client().put("damaged", value)
    server.client().put("after", "it")
    server.kill()
    expect(flip(newest_segment(server), value[50000:50100]) > 0)
    server.launch()
    expect(server.exit_status() == 1, server.log())
    expect(re.search("level=error.*corrupt", server.log()), server.log())


def server_with_damaged_record(story, value, **settings):
    server = story.server(**settings).start()
    client = server.client()
    client.put("a", "sound")
    client.put("damaged", value)
    client.put("z", "sound")
    expect(server.terminate() == 0)
    expect(flip(server.data_dir / "state/data.mdb", value[:100]) > 0)
    return server.start()


@test
def never_serves_a_damaged_record(story):
    for size in (100, 100000):
        server = server_with_damaged_record(story, value_of(story, size), SCRUB_PER_SECOND=0)
        client = server.client()
        for stale in (False, True):
            expect(code_of(client.get, "damaged", stale=stale) == grpc.StatusCode.DATA_LOSS)
            expect(code_of(client.scan, "a", stale=stale) == grpc.StatusCode.DATA_LOSS)
            expect(client.get("a", stale=stale).value == b"sound")
            expect(client.scan("z", stale=stale).items[0].value == b"sound")
        expect(story.cli("get", "damaged", "-addr", server.address).status == 1)
        server.wait_for_log("level=error.*damaged", 5)
        expect(server.status().damaged_records > 0)
        expect(client.put("new", "value").revision > 0)
        expect(client.get("new").value == b"value")
        server.kill()


@test
def stops_at_a_write_that_needs_a_damaged_record(story):
    """What it would answer is not known, so it answers nothing and does not follow the log."""
    server = server_with_damaged_record(story, value_of(story))
    code = code_of(server.client().put, "damaged", "new value")
    expect(code == grpc.StatusCode.UNAVAILABLE, code)
    expect(server.exit_status(5) == 1, server.log())
    expect(re.search("level=error", server.log()), server.log())


@test
def scrub_finds_a_damaged_record_that_nobody_reads(story):
    server = server_with_damaged_record(story, value_of(story), SCRUB_PER_SECOND=1000)
    server.wait_for_log("level=error.*the state is damaged", 10)
    server.wait_for_status(lambda status: status.damaged_records > 0, 5)


@test
def scrub_stops_at_a_damaged_entry(story):
    """It need not be replayed; but a node whose log is damaged may have forgotten what it said."""
    server = story.server().start()
    client = server.client()
    value = value_of(story)
    client.put("damaged", value)
    for number in range(2000):
        client.put(f"after-{number}", "it")
    expect(server.terminate() == 0)
    expect(flip(newest_segment(server), value) > 0)
    server.launch()
    expect(server.exit_status(20) == 1, server.log())
    expect(re.search("level=error.*log", server.log()), server.log())


# ---- Errors of the device -----------------------------------------------------------------------


def fail_at(story, system_call, number):
    server = story.server(STATE_FLUSH_MS=50)
    ledger = story.ledger()
    server.launch(under=["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
                         f"trace={system_call}", "-e",
                         f"inject={system_call}:error=EIO:when={number}"])
    wait_until(lambda: server.is_serving() or not server.is_running(), 20, "a start or an end")
    if server.is_running():
        load = story.load(server, ledger, writers=3).start()
        wait_until(lambda: not server.is_running(), 5, f"its end by {system_call} {number}")
        load.stop()
    expect(server.exit_status() == 1, server.log())
    expect(re.search("level=error", server.log()), "not a word:", server.log())
    server.start()
    ledger.verify(server)
    server.kill()
    return ledger


@test
def ends_at_a_failed_sync(story):
    for number in (1, 2, 3, 4, 5, 7, 10, 20):
        fail_at(story, "fdatasync", number)


@test
def ends_at_a_failed_write(story):
    for number in (1, 2, 3, 4, 5, 7, 10, 20):
        fail_at(story, "pwrite64", number)


# ---- Order of effects ---------------------------------------------------------------------------


@test
def answers_no_put_before_its_sync_returned(story):
    """A sync that takes long holds up the answer by as much."""
    for system_call in ("fdatasync", "pwrite64"):
        server = story.server(**NO_FLUSH)
        server.start(under=["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
                            f"trace={system_call}", "-e",
                            f"inject={system_call}:delay_exit=200000"])
        client = server.client()
        for number in range(5):
            began = time.monotonic()
            client.put(f"key-{number}", "value")
            took = time.monotonic() - began
            expect(took >= 0.2, f"answered {took} s after it was sent, in spite of {system_call}")
        server.kill()


HTTP2_HEADERS = 1


def http2_frame_types(data):
    types = []
    while len(data) >= 9:
        types.append(data[3])
        data = data[9 + int.from_bytes(data[:3], "big"):]
    return types


def bytes_in(line):
    """What `strace -xx` shows of a call's buffers."""
    return b"".join(bytes.fromhex(text.replace("\\x", ""))
                    for text in re.findall(r'iov_base="((?:\\x[0-9a-f]{2})*)"', line))


@test
def sends_answers_after_syncs_in_the_order_of_system_calls(story):
    trace = story.directory / "trace"
    server = story.server(**NO_FLUSH)
    server.start(under=["strace", "-D", "-f", "-qq", "-xx", "-s", "65536", "-o", str(trace), "-e",
                        "trace=fdatasync,pwrite64,sendmsg,recvmsg"])
    client = server.client()
    for number in range(50):
        client.put(f"order-{number:04}", "value")
    server.kill()
    done, answers, is_asked = [], 0, False
    for line in trace.read_text(errors="replace").splitlines():
        has_returned = re.search(r"\) += \d+", line) is not None
        if "recvmsg" in line and b"order-" in bytes_in(line):
            done, is_asked = [], True
        elif "pwrite64" in line and has_returned:
            done = ["pwrite64"]
        elif "fdatasync" in line and has_returned:
            done.append("fdatasync")
        elif "sendmsg(" in line and is_asked and HTTP2_HEADERS in http2_frame_types(bytes_in(line)):
            expect(done[:2] == ["pwrite64", "fdatasync"], "answered after", done)
            answers, is_asked = answers + 1, False
    expect(answers == 50, answers, "answers seen")


if __name__ == "__main__":
    main()
