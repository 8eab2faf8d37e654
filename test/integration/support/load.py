"""Writers in the background, and a ledger of what became of each write.

Every key belongs to one writer, which has one write of it under way at a time. So a key is in the
state of its last acknowledged write, or, when a later write's fate is unknown, in one of two. A
key in doubt is left alone until verify() has looked."""

import dataclasses
import random
import threading
import time

import grpc

from support.client import CallFailed, Client
from support.story import expect


@dataclasses.dataclass(frozen=True)
class State:
    """Of a key. Without a revision: if an unknown write happened, its revision was not told."""

    value: bytes = None  # None: there is no such key
    revision: int = None
    created: int = None
    version: int = 0

    def after_put(self, value, revision):
        created = revision if self.value is None else self.created
        return State(value, revision, created, self.version + 1)


ABSENT = State()


@dataclasses.dataclass
class Doubt:
    """A write whose fate is unknown."""

    state: State  # if it happened
    request_id: tuple = None  # it may be asked again under this name


class Ledger:
    def __init__(self, story):
        self.story = story
        self.random = random.Random(story.random.random())
        self.lock = threading.Lock()
        self.known = {}  # key: its state, as acknowledged
        self.doubts = {}  # key: Doubt
        self.refused = set()  # values that must never be seen
        self.top_revision = 0  # acknowledged or read
        self.unanswered = 0  # in doubt, and then seen to have happened
        self.counts = {"acknowledged": 0, "refused": 0, "unknown": 0}

    def count(self, what):
        return self.counts[what]

    def __str__(self):
        return ", ".join(f"{count} {what}" for what, count in self.counts.items())

    def acknowledged(self, key, state, revision, floor):
        """`floor`: the highest revision that was known when the write was sent."""
        with self.lock:
            self.counts["acknowledged"] += 1
            if state.revision == revision:
                expect(revision > floor, key, "got revision", revision, "not above", floor)
            self.known[key] = state
            self.top_revision = max(self.top_revision, revision)

    def not_applied(self, value):
        with self.lock:
            self.counts["refused"] += 1
            if value is not None:
                self.refused.add(value)

    def unknown(self, key, doubt):
        with self.lock:
            self.counts["unknown"] += 1
            self.doubts[key] = doubt

    # ---- Checking

    def verify(self, server):
        """Reads everything back, and settles what was in doubt."""
        client = server.client()
        self._ask_again(client)
        time.sleep(0.05)  # the status is published every 20 ms
        status = client.status()
        items = {item.key: item for item in client.scan_all()}
        for key in sorted(set(items) | set(self.known) | set(self.doubts)):
            self._check(key, items.get(key))
        for key in self.random.sample(sorted(items), min(20, len(items))):
            got = client.get(key)
            expect(got.found and got.value == items[key].value and
                   got.mod_revision == items[key].mod_revision, key, "differs by get and by scan")
        size = sum(len(item.key) + len(item.value) for item in items.values())
        expect(status.key_count == len(items), "status counts", status.key_count, "keys; there are",
               len(items))
        expect(status.key_value_bytes == size, "status says", status.key_value_bytes, "bytes; it is",
               size)
        expect(status.revision >= self.top_revision, "the revision went back to", status.revision,
               "from", self.top_revision)
        self.top_revision = status.revision
        return status

    def _ask_again(self, client):
        """A named write that may have happened: asked again, it happened once."""
        for key, doubt in list(self.doubts.items()):
            if doubt.request_id and self.random.random() < 0.7:
                try:
                    answer = client.put(key, doubt.state.value, request_id=doubt.request_id)
                except CallFailed:
                    continue  # it stays in doubt
                before = self.known.get(key, ABSENT)
                self.known[key] = before.after_put(doubt.state.value, answer.revision)
                del self.doubts[key]

    def _check(self, key, item):
        found = ABSENT
        if item:
            found = State(item.value, item.mod_revision, item.create_revision, item.version)
        known = self.known.get(key, ABSENT)
        doubt = self.doubts.pop(key, None)
        expect(found.value is None or found.value not in self.refused,
               key, "has a value that was refused")
        is_known = found.value == known.value
        is_doubted = doubt is not None and found.value == doubt.state.value
        expect(is_known or is_doubted, key, "is", _show(found), "; acknowledged was", _show(known),
               "; in doubt", _show(doubt.state) if doubt else "nothing")
        if is_known and not is_doubted:
            expect(found == known, key, "is", _show(found), "; acknowledged was", _show(known))
        elif found.value is not None and not is_known:
            expect(found.revision > self._floor_of(known) and
                   found == known.after_put(found.value, found.revision),
                   key, "is", _show(found), "after", _show(known))
            self.unanswered += 1
        self.known[key] = found

    @staticmethod
    def _floor_of(state):
        return state.revision or 0


def _show(state):
    value = None if state.value is None else state.value[:24]
    return f"({value}, revision {state.revision}, created {state.created}, version {state.version})"


class Load:
    """`writers` threads, each with `keys` keys and its own connection, until stop(). A writer whose
    server goes away ends by itself. After a refusal it waits `pause_s`."""

    def __init__(self, story, server, ledger, writers=8, keys=50, value_bytes=(0, 2000),
                 pause_s=0.01):
        self.ledger = ledger
        self.server = server
        self.is_stopping = False
        self.errors = []
        self.keys = keys
        self.value_bytes = value_bytes
        self.pause_s = pause_s
        self.failures = {}  # (code, was marked): how often
        self.threads = [threading.Thread(target=self._run, args=(number, story.random.random()),
                                         daemon=True) for number in range(writers)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        """Waits for the writes under way; raises what a writer found wrong."""
        self.is_stopping = True
        for thread in self.threads:
            if thread.ident:
                thread.join()
        if self.errors:
            raise self.errors[0]

    def wait_for(self, acknowledged, seconds=30):
        """Until so many more writes were acknowledged."""
        goal = self.ledger.count("acknowledged") + acknowledged
        end = time.monotonic() + seconds
        while self.ledger.count("acknowledged") < goal and not self.errors:
            expect(time.monotonic() < end, f"not {acknowledged} writes within {seconds} s:",
                   self.ledger, self.failures)
            if not any(thread.is_alive() for thread in self.threads):
                return
            time.sleep(0.001)

    def _run(self, number, seed):
        chance = random.Random(seed)
        client = Client(self.server.address)
        writer = Writer(self, client, number, chance)
        try:
            while not self.is_stopping and writer.write():
                pass
        except Exception as error:
            self.errors.append(error)
        finally:
            client.close()


class Writer:
    def __init__(self, load, client, number, chance):
        self.load = load
        self.ledger = load.ledger
        self.client = client
        self.number = number
        self.chance = chance
        self.client_id = chance.getrandbits(63) + 1
        self.sequence = 0
        self.values = 0

    def write(self):
        """One write; False: the server is gone, or every key is in doubt."""
        key = self._key()
        if key is None:
            return False
        before = self.ledger.known.get(key, ABSENT)
        kind = self.chance.choices([self._put, self._delete, self._swap, self._miss, self._named],
                                   [60, 10, 10, 5, 15])[0]
        return kind(key, before)

    def _key(self):
        for _ in range(100):
            key = f"writer-{self.number}/{self.chance.randrange(self.load.keys):04}".encode()
            if key not in self.ledger.doubts:
                return key
        return None

    def _value(self):
        self.values += 1
        name = f"{self.client_id:x}:{self.values}:".encode()
        return name + self.chance.randbytes(self.chance.randint(*self.load.value_bytes))

    def _put(self, key, before):
        value = self._value()
        return self._try(key, Doubt(State(value)),
                         lambda: self.client.put(key, value),
                         lambda answer: before.after_put(value, answer.revision))

    def _swap(self, key, before):
        value = self._value()
        expected = before.revision if before.value is not None else 0
        return self._try(key, Doubt(State(value)),
                         lambda: self.client.put(key, value, prev_revision=expected),
                         lambda answer: before.after_put(value, answer.revision))

    def _delete(self, key, before):
        def after(answer):
            expect(answer.deleted == (before.value is not None), key, "deleted:", answer.deleted,
                   "; it was", _show(before))
            return ABSENT
        return self._try(key, Doubt(ABSENT), lambda: self.client.delete(key), after)

    def _miss(self, key, before):
        """A condition that does not hold changes nothing."""
        value = self._value()
        wrong = (before.revision or 0) + 1
        try:
            self.client.put(key, value, prev_revision=wrong)
            raise AssertionError(f"{key}: a put at revision {wrong} passed; it was {_show(before)}")
        except CallFailed as failed:
            if failed.is_not_applied:
                self.ledger.not_applied(value)
                self._note(failed)
                return True
            expect(failed.code != grpc.StatusCode.FAILED_PRECONDITION, "no mark:", failed)
            # Whatever became of it, the value must never be seen.
            with self.ledger.lock:
                self.ledger.refused.add(value)
            return self._goes_on(failed)

    def _named(self, key, before):
        """Named, and now and then sent twice."""
        value = self._value()
        self.sequence += 1
        name = (self.client_id, self.sequence)

        def send():
            answer = self.client.put(key, value, request_id=name)
            if self.chance.random() < 0.3:
                self._repeat(key, value, name, answer)
            return answer
        return self._try(key, Doubt(State(value), name), send,
                         lambda answer: before.after_put(value, answer.revision))

    def _repeat(self, key, value, name, answer):
        try:
            again = self.client.put(key, value, request_id=name)
        except CallFailed:
            return  # the first answer stands
        expect(again.revision == answer.revision, key, "took effect twice:", answer, again)

    def _try(self, key, doubt, send, after):
        floor = self.ledger.top_revision
        try:
            answer = send()
        except CallFailed as failed:
            if failed.is_not_applied:
                self.ledger.not_applied(doubt.state.value)
                self._note(failed)
                time.sleep(self.load.pause_s)
                return True
            self.ledger.unknown(key, doubt)
            return self._goes_on(failed)
        self.ledger.acknowledged(key, after(answer), answer.revision, floor)
        return True

    def _goes_on(self, failed):
        self._note(failed)
        return failed.code != grpc.StatusCode.UNAVAILABLE

    def _note(self, failed):
        kind = (failed.code.name, failed.is_not_applied)
        self.load.failures[kind] = self.load.failures.get(kind, 0) + 1
