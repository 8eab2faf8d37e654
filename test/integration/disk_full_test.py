"""A full disk refuses writes, keeps serving reads, and recovers by itself."""

import threading
import time

import grpc

from support import expect, main, test
from support.client import CallFailed, Client
from support.story import wait_until

SMALL = {"LOG_RESERVE_MB": 2, "STATE_RESERVE_MB": 8, "STATE_OVERLAY_MB": 1, "STATE_DIRTY_MB": 4,
         "LOG_KEEP_MB": 1, "LOG_KEEP_ENTRIES": 100, "STATE_FLUSH_MS": 200}

# A writer that met the full disk tells nothing else.
REFUSED = (grpc.StatusCode.RESOURCE_EXHAUSTED.name, True)
ALLOWED = {REFUSED, (grpc.StatusCode.FAILED_PRECONDITION.name, True)}


class Reader:
    """Reads all the time; a read that fails or takes long is an error."""

    def __init__(self, story, server):
        self.server = server
        self.is_stopping = False
        self.count = 0
        self.slowest_s = 0
        self.errors = []
        self.thread = threading.Thread(target=self._run, daemon=True)
        story.at_end(self.stop)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        client = Client(self.server.address)
        while not self.is_stopping and not self.errors:
            began = time.monotonic()
            try:
                client.get("read all the time")
                client.scan(limit=10)
            except CallFailed as failed:
                self.errors.append(failed)
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.count += 1
            time.sleep(0.01)
        client.close()

    def stop(self):
        self.is_stopping = True
        if self.thread.ident:
            self.thread.join()

    def check(self):
        self.stop()
        expect(not self.errors, "a read failed:", self.errors)
        expect(self.count > 0 and self.slowest_s < 2, self.count, "reads, the slowest took",
               self.slowest_s, "s")


def wait_until_refused(load, server, times=50):
    def is_refused():
        expect(server.is_running(), server.log())
        expect(not load.errors, load.errors)
        return load.failures.get(REFUSED, 0) > times
    wait_until(is_refused, 60, "refused writes")
    server.wait_for_status(lambda status: status.disk_is_full, 5, "disk_is_full")


def check_answers(load):
    load.stop()
    expect(set(load.failures) <= ALLOWED, "answers to writes:", load.failures)


def check_full(story, server, ledger):
    """Refused writes change nothing, before and after a kill."""
    ledger.verify(server)
    status, text = server.http("/health")
    expect(status == 200, "a full disk is no reason to be restarted:", status, text)
    server.kill()
    server.start()
    ledger.verify(server)
    load = story.load(server, ledger).start()
    wait_until_refused(load, server)
    reader = Reader(story, server).start()
    time.sleep(1)
    reader.check()
    return load


def check_recovery(load, server, ledger):
    """Without a restart or anyone's help."""
    load.wait_for(acknowledged=200, seconds=10)
    check_answers(load)
    server.wait_for_status(lambda status: not status.disk_is_full, 5, "room again")
    ledger.verify(server)
    expect(server.terminate() == 0, server.log())
    server.start()
    ledger.verify(server)


@test
def survives_a_disk_filled_by_somebody_else(story):
    disk = story.disk(megabytes=96)
    server = story.server(disk.path / "data", **SMALL).start()
    ledger = story.ledger()
    reader = Reader(story, server).start()
    load = story.load(server, ledger).start()
    load.wait_for(acknowledged=200)
    foreign = disk.fill()
    wait_until_refused(load, server)
    check_answers(load)
    reader.check()
    story.say("full:", ledger)
    load = check_full(story, server, ledger)
    foreign.unlink()
    check_recovery(load, server, ledger)
    story.say("recovered:", ledger)


@test
def survives_a_disk_filled_by_itself(story):
    disk = story.disk(megabytes=128)
    foreign = disk.fill(leave_bytes=44 << 20)
    server = story.server(disk.path / "data", **SMALL).start()
    ledger = story.ledger()
    reader = Reader(story, server).start()
    load = story.load(server, ledger, keys=5000, value_bytes=(0, 60000)).start()
    wait_until_refused(load, server)
    check_answers(load)
    reader.check()
    story.say("full:", ledger)
    load = check_full(story, server, ledger)
    foreign.unlink()
    check_recovery(load, server, ledger)
    story.say("recovered:", ledger)


@test
def stops_while_the_disk_is_full(story):
    disk = story.disk(megabytes=96)
    server = story.server(disk.path / "data", **SMALL).start()
    ledger = story.ledger()
    for _ in range(3):
        load = story.load(server, ledger, value_bytes=(0, 20000)).start()
        load.wait_for(acknowledged=50)
        foreign = disk.fill()
        wait_until_refused(load, server)
        began = time.monotonic()
        expect(server.terminate() == 0, server.log())
        story.say("stopped after", round(time.monotonic() - began, 2), "s")
        load.stop()
        server.start()
        ledger.verify(server)
        foreign.unlink()
        server.wait_for_status(lambda status: not status.disk_is_full, 10, "room again")
    expect(ledger.unanswered == 0, ledger.unanswered, "writes happened and were not answered")


@test
def fills_and_recovers_again_and_again(story):
    """To a little less each time: it runs full at different places, and now and then not at all."""
    disk = story.disk(megabytes=96)
    server = story.server(disk.path / "data", **SMALL).start()
    ledger = story.ledger()
    for _ in range(story.rounds(6)):
        foreign = disk.fill(leave_bytes=story.random.randrange(4 << 20))
        load = story.load(server, ledger, keys=200, value_bytes=(0, 20000)).start()
        time.sleep(0.7)
        if story.random.random() < 0.5:
            server.kill()
            load.stop()
            server.start()
            ledger.verify(server)
        else:
            check_answers(load)
        foreign.unlink()
        server.wait_for_status(lambda status: not status.disk_is_full, 10, "room again")
        ledger.verify(server)
    story.say(ledger)


if __name__ == "__main__":
    main()
