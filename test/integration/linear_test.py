"""The judge of histories, judged: good ones pass, each kind of bad one is refused."""

import dataclasses
import random
import time

from support import expect, main, test
from support.history import NOT_APPLIED, OK, PRECONDITION, UNKNOWN, Operation
from support.linear import judge


def put(start, end, value, revision, **fields):
    return Operation(1, "put", 0, start, value=value, end=end, outcome=OK, revision=revision,
                     **fields)


def get(start, end, value, revision, version, created=1):
    return Operation(2, "get", 0, start, end=end, outcome=OK, found=True, read=value,
                     revision=revision, version=version, created=created)


def get_nothing(start, end):
    return Operation(2, "get", 0, start, end=end, outcome=OK)


def lost(start, value):
    return Operation(3, "put", 0, start, value=value)


def expect_good(*operations):
    is_well, told = judge(operations)
    expect(is_well, told)


def expect_bad(*operations, because):
    is_well, told = judge(operations)
    expect(not is_well and because in told, told)


@test
def accepts_what_overlaps_in_any_order(story):
    expect_good(put(1, 2, 11, 1), put(3, 10, 12, 2), get(4, 5, 11, 1, 1), get(6, 7, 12, 2, 2))


@test
def accepts_an_unknown_write_that_happened_or_not_or_late(story):
    expect_good(lost(1, 11), get_nothing(2, 3))
    expect_good(lost(1, 11), get_nothing(2, 3), get(4, 5, 11, 1, 1))
    expect_good(lost(1, 11), put(2, 3, 12, 1), get(4, 5, 11, 2, 2))


@test
def accepts_a_refused_condition(story):
    mismatch = Operation(1, "put", 0, 5, value=13, prev=1, end=6, outcome=PRECONDITION)
    expect_good(put(1, 2, 11, 1), put(3, 4, 12, 2), mismatch)
    expect_good(put(1, 2, 11, 1), lost(3, 12), mismatch, get(7, 8, 12, 2, 2))


@test
def refuses_a_stale_read(story):
    expect_bad(put(1, 2, 11, 1), put(3, 4, 12, 2), get(5, 6, 11, 1, 1), because="stale")


@test
def refuses_a_lost_write(story):
    expect_bad(put(1, 2, 11, 1), get_nothing(3, 4), because="no order")
    expect_bad(put(1, 2, 11, 1), put(3, 4, 12, 2), put(5, 6, 13, 3), get(7, 8, 13, 3, 2),
               because="no order")


@test
def refuses_a_write_that_happened_twice(story):
    expect_bad(put(1, 2, 11, 1), get(3, 4, 11, 2, 2), because="took effect twice")
    other = Operation(1, "put", 0, 1, value=11, end=2, outcome=OK, revision=1)
    seen = dataclasses.replace(get(5, 6, 12, 2, 3), client=1)
    expect_bad(other, put(3, 4, 12, 2), seen, because="effects expected")


@test
def refuses_a_refused_write_that_is_seen(story):
    for outcome in (NOT_APPLIED, PRECONDITION):
        refused = Operation(1, "put", 0, 1, value=11, prev=7, end=2, outcome=outcome)
        expect_bad(refused, get(3, 4, 11, 1, 1), because="not to be applied")


@test
def refuses_a_swap_of_what_was_not_there(story):
    expect_bad(put(1, 2, 11, 1), put(3, 4, 12, 2), put(5, 6, 13, 3, prev=1), because="no order")
    mismatch = Operation(1, "put", 0, 3, value=12, prev=1, end=4, outcome=PRECONDITION)
    expect_bad(put(1, 2, 11, 1), mismatch, because="no order")


@test
def refuses_what_nobody_wrote(story):
    expect_bad(put(1, 2, 11, 1), get(3, 4, 99, 2, 2), because="nobody wrote")


class Register:
    """Makes histories that are good, as a store would: each operation takes effect somewhere
    between its start and its end, an unknown one perhaps."""

    def __init__(self, chance):
        self.chance = chance
        self.operations = []
        self.open = []  # begun, not yet taken effect
        self.tick = self.revision = self.version = self.value = self.created = 0

    def run(self, count):
        while len(self.operations) < count:
            self.tick += 1
            if len(self.open) < 8 and self.chance.random() < 0.5:
                self.begin()
            elif self.open:
                self.open.pop(self.chance.randrange(len(self.open)))()
        return self.operations

    def begin(self):
        client = 1 + self.chance.randrange(8)
        if self.chance.random() < 0.5:
            operation = Operation(client, "get", 0, self.tick)
            self.open.append(lambda: self.read(operation))
        else:
            operation = Operation(client, "put", 0, self.tick, value=len(self.operations) + 1)
            self.open.append(lambda: self.write(operation))
        self.operations.append(operation)

    def finish(self, operation):
        operation.outcome = OK
        self.open.append(lambda: setattr(operation, "end", self.tick))

    def read(self, operation):
        operation.found, operation.read = self.version > 0, self.value
        operation.revision, operation.version = self.revision, self.version
        operation.created = self.created
        self.finish(operation)

    def write(self, operation):
        fate = self.chance.random()
        if fate < 0.02:
            return  # unknown, and never happens
        self.revision += 1
        self.version += 1
        self.value = operation.value
        self.created = self.created or self.revision
        if fate > 0.04:  # else unknown, but it happened
            operation.revision = self.revision
            self.finish(operation)


@test
def judges_thousands_of_operations_on_one_key_at_once(story):
    chance = random.Random(story.random.random())
    operations = Register(chance).run(6000)
    for operation in operations:
        if operation.end is None:
            operation.outcome = UNKNOWN
    began = time.monotonic()
    expect_good(*operations)
    story.say(f"6000 operations: {time.monotonic() - began:.2f} s")
    reads = [operation for operation in operations[1000:5000]
             if operation.kind == "get" and operation.outcome == OK and operation.found]
    bad = chance.choice(reads)
    bad.version += 1
    is_well, told = judge(operations)
    expect(not is_well, "one wrong version among thousands was not found:", bad)


if __name__ == "__main__":
    main()
