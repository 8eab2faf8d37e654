"""Clients that record what they did and what they were told, and what to make of it (linear.py).

What became of an operation is one of OK, PRECONDITION (the key was not at the revision asked for),
NOT_APPLIED (a write that certainly never happens) and UNKNOWN. An unknown write may have happened,
or may yet."""

import dataclasses
import itertools
import random
import threading
import time

import grpc

from support import linear
from support.client import CallFailed, Client
from support.story import expect

OK, PRECONDITION, NOT_APPLIED, UNKNOWN = "ok", "precondition", "not-applied", "unknown"


@dataclasses.dataclass
class Operation:
    client: int
    kind: str  # get, put, delete
    key: int
    start: int  # ticks of the history's clock: unique
    value: int = 0  # of a put: unique; 0: none
    prev: int = None
    end: int = None
    outcome: str = UNKNOWN
    found: bool = False
    revision: int = 0
    created: int = 0
    version: int = 0
    read: int = 0


def encode(value):
    """Up to some 2 KB, which the number alone decides."""
    return b"%d:" % value + b"." * (value * 7919 % 61) * (33 if value % 50 == 0 else 1)


def decode(text):
    value = int(text.split(b":")[0])
    expect(text == encode(value), "a garbled value:", text[:60])
    return value


class History:
    """Any number of threads may record into it."""

    def __init__(self, story):
        self.story = story
        self.tick = itertools.count(1).__next__
        self.next_value = itertools.count(1).__next__
        self.operations = []
        self.keys = {}  # name: number
        self.lock = threading.Lock()

    def key(self, name):
        with self.lock:
            return self.keys.setdefault(name, len(self.keys))

    def begin(self, client, kind, key, **fields):
        operation = Operation(client, kind, self.key(key), self.tick(), **fields)
        self.operations.append(operation)
        return operation

    def finish(self, operation, outcome):
        operation.outcome = outcome
        if outcome != UNKNOWN:
            operation.end = self.tick()

    def count(self, *outcomes, kinds=("get", "put", "delete")):
        return sum(operation.outcome in outcomes and operation.kind in kinds
                   for operation in self.operations)

    def __str__(self):
        counts = [f"{self.count(outcome)} {outcome}"
                  for outcome in (OK, PRECONDITION, NOT_APPLIED, UNKNOWN)]
        return ", ".join(counts) + f", {len(self.keys)} keys"

    def read_everything(self, client, number=0):
        """So that whatever was lost is missed."""
        for key in list(self.keys):
            get(self, client, number, key)

    def check(self):
        """It is linearizable, what was refused is never seen, and what was repeated happened once."""
        linear.expect_linear(self.operations, self.keys)

    def expect_all_well(self, cluster):
        """After faults and without clients: all hold the same, and what was seen is one order."""
        cluster.wait_until_all_follow()
        cluster.wait_level()
        for node in cluster:
            self.read_everything(node.client())
        self.check()


# ---- Operations ----------------------------------------------------------------------------------

def outcome_of(failed):
    if failed.code == grpc.StatusCode.FAILED_PRECONDITION:
        return PRECONDITION
    return NOT_APPLIED if failed.is_not_applied or failed.was_not_sent else UNKNOWN


def get(history, client, number, key, timeout=5):
    """Raises CallFailed; a read that was not answered says nothing, and is forgotten."""
    operation = history.begin(number, "get", key)
    answer = client.get(key, timeout=timeout)
    operation.found = answer.found
    if answer.found:
        operation.read = decode(answer.value)
        operation.revision, operation.created = answer.mod_revision, answer.create_revision
        operation.version = answer.version
    history.finish(operation, OK)
    return operation


def write(history, operation, calls):
    """`calls` are tries of the same named request, or one try of another; a failure of all but the
    last is passed over. Returns the last failure, if that was none."""
    is_open = False  # one of them may have happened
    for call in calls:
        try:
            answer = call()
        except CallFailed as failure:
            failed = failure
            is_open = is_open or outcome_of(failure) == UNKNOWN
            if outcome_of(failure) == PRECONDITION:
                is_open = False
                break
            continue
        operation.revision = answer.revision
        operation.found = getattr(answer, "deleted", False)
        history.finish(operation, OK)
        return None
    history.finish(operation, UNKNOWN if is_open else outcome_of(failed))
    return failed


# ---- Clients -------------------------------------------------------------------------------------

class Clients:
    """`count` threads that do all kinds of operations through any node, until stop().

    They use few keys, all the same ones, and one each of its own, where only named puts happen. A
    named write is tried again up to `tries` times, through another node; others are tried once."""

    def __init__(self, history, cluster, count=6, keys=4, tries=4, timeout=2.0, pause_s=0.002):
        self.history = history
        self.cluster = cluster
        self.keys = keys
        self.tries = tries
        self.timeout = timeout
        self.pause_s = pause_s
        self.epoch = 0  # part of the shared keys' names
        self.is_stopping = False
        self.errors = []
        self.failures = {}  # (code, outcome): how often
        self.written = 0  # acknowledged writes
        story = history.story
        self.threads = [threading.Thread(target=self._run, args=(number, story.random.random()),
                                         daemon=True) for number in range(1, count + 1)]
        story.at_end(self.stop)

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        """Waits for what is under way; raises what a client found wrong."""
        self.is_stopping = True
        for thread in self.threads:
            if thread.ident:
                thread.join()
        if self.errors:
            raise self.errors[0]

    def wait_for(self, written, seconds=60):
        """Until so many more writes were acknowledged."""
        goal = self.written + written
        end = time.monotonic() + seconds
        while self.written < goal and not self.errors:
            expect(time.monotonic() < end, f"not {written} writes within {seconds} s:",
                   self.history, self.failures)
            time.sleep(0.005)

    def _run(self, number, seed):
        one = OneClient(self, number, random.Random(seed))
        try:
            while not self.is_stopping:
                one.step()
                time.sleep(self.pause_s)
        except Exception as error:
            self.errors.append(error)
        finally:
            one.close()

    def note(self, failed):
        kind = (failed.code.name, outcome_of(failed))
        self.failures[kind] = self.failures.get(kind, 0) + 1


class OneClient:
    def __init__(self, clients, number, chance):
        self.clients = clients
        self.history = clients.history
        self.number = number
        self.chance = chance
        self.nodes = list(clients.cluster)
        self.connections = {node.name: Client(node.address)
                            for node in self.nodes}
        self.client_id = chance.getrandbits(63) + 1
        self.sequence = 0
        self.revisions = {}  # key: the newest revision seen

    def close(self):
        for connection in self.connections.values():
            connection.close()

    def step(self):
        kind = self.chance.choices([self.read, self.put, self.swap, self.delete, self.put_own,
                                    self.read_own, self.look], [35, 20, 15, 8, 12, 5, 5])[0]
        try:
            kind()
        except CallFailed as failed:
            self.clients.note(failed)

    def connection(self):
        """Mostly to one that is up; one that is not takes time, or fails at once."""
        up = [node for node in self.nodes if node.is_up()]
        nodes = up if up and self.chance.random() < 0.95 else self.nodes
        return self.connections[self.chance.choice(nodes).name]

    def shared_key(self):
        return f"{self.clients.epoch}/shared-{self.chance.randrange(self.clients.keys)}"

    def own_key(self):
        return f"{self.clients.epoch}/own-{self.number}"

    # ---- Reads

    def read(self):
        self.learn(self.shared_key())

    def read_own(self):
        self.learn(self.own_key())

    def learn(self, key):
        operation = get(self.history, self.connection(), self.number, key, self.clients.timeout)
        self.revisions[key] = operation.revision

    def look(self):
        """A stale read promises nothing but what was once there."""
        answer = self.connection().get(self.shared_key(), stale=True, timeout=self.clients.timeout)
        if answer.found:
            decode(answer.value)

    # ---- Writes

    def put(self):
        self.write("put", self.shared_key())

    def swap(self):
        key = self.shared_key()
        self.write("put", key, prev=self.revisions.get(key, 0))

    def delete(self):
        key = self.shared_key()
        prev = self.revisions.get(key) if self.chance.random() < 0.5 else None
        self.write("delete", key, prev=prev)

    def put_own(self):
        self.write("put", self.own_key(), is_named=True)

    def write(self, kind, key, prev=None, is_named=None):
        if is_named is None:
            is_named = self.chance.random() < 0.3
        value = self.history.next_value() if kind == "put" else 0
        operation = self.history.begin(self.number, kind, key, value=value, prev=prev)
        failed = write(self.history, operation, self.tries(operation, key, is_named))
        if failed:
            self.clients.note(failed)
            return
        self.clients.written += 1
        self.revisions[key] = operation.revision if kind == "put" else 0
        if is_named and self.chance.random() < 0.1:
            self.repeat(operation, key)

    def tries(self, operation, key, is_named):
        name = None
        if is_named:
            self.sequence += 1
            name = (self.client_id, self.sequence)
        for _ in range(self.clients.tries if is_named else 1):
            yield self.call(operation, key, name)

    def call(self, operation, key, name):
        connection = self.connection()
        options = {"prev_revision": operation.prev, "request_id": name,
                   "timeout": self.clients.timeout}
        if operation.kind == "put":
            return lambda: connection.put(key, encode(operation.value), **options)
        return lambda: connection.delete(key, **options)

    def repeat(self, operation, key):
        """A named write that was answered, asked again through any node: the same answer."""
        try:
            again = self.call(operation, key, (self.client_id, self.sequence))()
        except CallFailed as failed:
            expect(outcome_of(failed) != PRECONDITION, "answered, and then", failed)
            self.clients.note(failed)
            return
        expect(again.revision == operation.revision and
               getattr(again, "deleted", False) == operation.found,
               "took effect twice:", operation, again)
