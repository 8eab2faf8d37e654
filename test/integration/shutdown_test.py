"""Stopping in order, and starts that are refused."""

import os
import re
import signal
import socket
import time

from support import expect, main, test
from support.client import CallFailed

# How gRPC itself ends a call that meets the closing connection on its way.
UNSAID = {("UNAVAILABLE", False), ("CANCELLED", False)}


def stop_under_load(story, server, ledger, number):
    load = story.load(server, ledger, writers=48, keys=10, value_bytes=(0, 200)).start()
    load.wait_for(acknowledged=story.random.randrange(1, 400))
    began = time.monotonic()
    expect(server.terminate(number) == 0, server.log())
    took = time.monotonic() - began
    load.stop()
    expect(took < 5, "it took", took, "s to stop")
    expect('msg=stopped' in server.log(), server.log())


def start_again(server):
    began = time.monotonic()
    server.start()
    expect(time.monotonic() - began < 3, "a slow start:", server.log())
    indexes = re.search(r" last_index=(\d+) applied_index=(\d+) ", server.log())
    expect(indexes.group(1) == indexes.group(2), "there was something to replay:", server.log())


@test
def answers_what_it_accepted_and_flushes_before_it_stops(story):
    server = story.server().start()
    ledger = story.ledger()
    for number in [signal.SIGTERM, signal.SIGINT] * story.rounds(4):
        stop_under_load(story, server, ledger, number)
        start_again(server)
        ledger.verify(server)
    story.say(ledger)
    expect(ledger.unanswered == 0, ledger.unanswered, "writes happened and were not answered")


@test
def refuses_writes_with_the_mark_while_it_stops(story):
    server = story.server().start()
    load = story.load(server, story.ledger(), writers=16).start()
    load.wait_for(acknowledged=100)
    server.terminate()
    load.stop()
    for failure in load.failures:
        expect(failure[1] or failure in UNSAID, load.failures)


@test
def stops_at_once_when_idle(story):
    server = story.server().start()
    client = server.client()
    client.put("key", "value")
    began = time.monotonic()
    expect(server.terminate() == 0)
    expect(time.monotonic() - began < 2, time.monotonic() - began)


@test
def stops_when_it_is_told_twice(story):
    server = story.server().start()
    server.client().put("key", "value")
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGINT)
    expect(server.exit_status() == 0, server.log())
    start_again(server)


@test
def stops_while_it_starts(story):
    """Whenever the signal comes, no kill is needed and the directory stays usable."""
    server = story.server()
    for _ in range(story.rounds(20)):
        server.launch()
        time.sleep(story.random.random() * 0.05)
        status = server.terminate()
        expect(status in (0, -signal.SIGTERM), status, server.log())
    server.start()


@test
def refuses_a_directory_in_use(story):
    first = story.server().start()
    second = story.server(first.data_dir).launch()
    expect(second.exit_status() == 1, second.log())
    expect(re.search("level=error.*in use", second.log()), second.log())
    expect(first.client().put("key", "value").revision == 1)


@test
def refuses_a_port_that_is_taken(story):
    first = story.server().start()
    taken = {"GRPC_ADDR": first.address, "DEBUG_ADDR": f"127.0.0.1:{first.debug_port}"}
    for setting, address in taken.items():
        second = story.server(**{setting: address}).launch()
        expect(second.exit_status() == 1, second.log())
        expect(re.search(f"level=error.*{address}", second.log()), second.log())
        expect("\n" == second.log()[-1] and second.log().count("level=error") == 1, second.log())
    expect(first.client().put("key", "value").revision == 1)


@test
def a_refused_port_leaves_the_directory_usable(story):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = story.server(GRPC_ADDR="127.0.0.1:%d" % listener.getsockname()[1]).launch()
        expect(server.exit_status() == 1, server.log())
    server.settings["GRPC_ADDR"] = "127.0.0.1:0"
    server.start()
    expect(server.client().put("key", "value").revision == 1)


@test
def refuses_bad_settings_before_it_touches_anything(story):
    bad = {"TICK_MS": "0", "ELECTION": "many", "GRPC_ADDR": "nowhere", "BIND_PORT": "70000",
           "NODE_ID": "a b", "LOG_LEVEL": "loud", "STATE_FLUSH_MS": "-1", "LEASE_READS": "maybe"}
    for name, value in bad.items():
        server = story.server(**{name: value}).launch()
        expect(server.exit_status() == 2, name, server.log())
        lines = server.log().splitlines()
        expect(len(lines) == 1 and name in lines[0] and value in lines[0], server.log())
        expect(not server.data_dir.exists(), name, "made", server.data_dir)


@test
def refuses_a_directory_of_another_node(story):
    server = story.server().start()
    server.client().put("key", "value")
    expect(server.terminate() == 0)
    server.settings["NODE_ID"] = "node-2"
    server.launch()
    expect(server.exit_status() == 1, server.log())
    expect("node-1" in server.log() and "node-2" in server.log(), server.log())
    server.settings["NODE_ID"] = "node-1"
    server.start()
    expect(server.client().get("key").value == b"value")


@test
def refuses_a_data_dir_that_is_no_directory(story):
    path = story.directory / "file"
    path.write_text("not a directory")
    for data_dir in (path, path / "below"):
        server = story.server(data_dir).launch()
        expect(server.exit_status() == 1, server.log())
        expect(re.search("level=error.*directory", server.log()), server.log())


@test
def refuses_a_state_whose_log_was_lost(story):
    server = story.server().start()
    server.client().put("key", "value")
    expect(server.terminate() == 0)
    os.rename(server.data_dir / "log", server.data_dir / "lost")
    server.launch()
    expect(server.exit_status() == 1, server.log())
    expect("level=error" in server.log(), server.log())
    expect(not (server.data_dir / "log/data.mdb").exists(), "it made a new log")
    os.rename(server.data_dir / "lost", server.data_dir / "log")
    server.start()
    expect(server.client().get("key").value == b"value")


@test
def rebuilds_nothing_when_the_state_was_lost(story):
    """What was cut from the log is in the state only."""
    server = story.server(LOG_KEEP_ENTRIES=0, LOG_KEEP_MB=0, STATE_FLUSH_MS=1).start()
    client = server.client()
    for number in range(500):
        client.put(f"key-{number}", "value")
    server.wait_for_status(lambda status: status.first_index > 1, 10, "a cut log")
    expect(server.terminate() == 0)
    os.rename(server.data_dir / "state", story.directory / "lost")
    server.launch()
    expect(server.exit_status() == 1, server.log())
    expect("level=error" in server.log(), server.log())


@test
def holds_a_client_to_its_deadline_while_it_stops(story):
    server = story.server().start()
    client = server.client()
    server.send_signal(signal.SIGTERM)
    for _ in range(100):
        try:
            client.put("key", "value", timeout=1)
        except CallFailed as failed:
            # A call that crosses the very end of the server is cut off by gRPC itself.
            expect(failed.code.name in ("UNAVAILABLE", "CANCELLED"), failed)
            break
    else:
        raise AssertionError("it never stopped taking writes")
    expect(server.exit_status() == 0)


if __name__ == "__main__":
    main()
