"""Whether there is an order: every operation between its start and its end, one by one, as if there
were one copy of each key. phalanx-history, a program of test/sim, does the search."""

import os
import pathlib
import re
import subprocess
import tempfile

from support.story import SERVER, expect

JUDGE = os.environ.get("PHALANX_HISTORY", str(pathlib.Path(SERVER).parent / "phalanx-history"))


def line_of(operation):
    """As phalanx-history wants it."""
    fields = [operation.client, operation.kind, operation.key, operation.value,
              "-" if operation.prev is None else operation.prev, operation.start,
              "-" if operation.end is None else operation.end, operation.outcome,
              int(operation.found), operation.revision, operation.created, operation.version,
              operation.read]
    return " ".join(map(str, fields)) + "\n"


def in_order(operations):
    return sorted(operations, key=lambda operation: operation.start)


def is_telling(operation):
    """A read that was not answered tells nothing."""
    return operation.kind != "get" or operation.outcome == "ok"


def judge(operations):
    """(is it well, what the judge says)"""
    lines = [line_of(operation) for operation in in_order(operations) if is_telling(operation)]
    done = subprocess.run([JUDGE], input="".join(lines), capture_output=True, text=True,
                          timeout=200)
    expect(done.returncode in (0, 1), "phalanx-history:", done.stderr)
    return done.returncode == 0, done.stdout.strip()


def expect_linear(operations, keys):
    """`keys`: numbers by name. What fails is kept in a file."""
    is_well, told = judge(operations)
    if is_well:
        return
    key = re.search(r" key (\d+) ", told)
    names = [name for name, number in keys.items() if key and number == int(key.group(1))]
    with tempfile.NamedTemporaryFile("w", prefix="phalanx-history-", suffix=".txt",
                                     delete=False) as file:
        file.writelines(map(line_of, in_order(operations)))
    raise AssertionError(f"{told}\nthe key: {names}; the whole history: {file.name}")
