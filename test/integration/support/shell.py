"""The command line as scripts call it."""

import json
import os
import subprocess

from support.story import CLI, expect

# How it ends.
OK, ERROR, USAGE, NOT_FOUND, UNAVAILABLE, UNKNOWN, PRECONDITION = range(7)


def run(*arguments, stdin=b"", **environment):
    """(status, stdout, stderr), bytes."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PHALANX_")}
    done = subprocess.run([CLI, *arguments], input=stdin, capture_output=True, timeout=120,
                          env={**inherited, **environment}, check=False)
    return done.returncode, done.stdout, done.stderr


class Shell:
    """Commands for one server or several, by PHALANX_ADDR."""

    def __init__(self, address):
        self.address = address

    def __call__(self, *arguments, stdin=b""):
        return run(*arguments, stdin=stdin, PHALANX_ADDR=self.address)

    def ok(self, *arguments, stdin=b""):
        """Its output; the command must succeed and be quiet about it."""
        status, out, err = self(*arguments, stdin=stdin)
        expect((status, err) == (OK, b""), [word[:80] for word in arguments], "ended with", status,
               err)
        return out

    def json(self, *arguments):
        return json.loads(self.ok(*arguments, "-o", "json"))

    def fails(self, status, *arguments, stdin=b"", says=()):
        """One line on stderr that begins with the program's name, and contains what it `says`."""
        got, out, err = self(*arguments, stdin=stdin)
        expect(got == status, [word[:80] for word in arguments], "ended with", got, "instead of",
               status, out[:500], err)
        expect(err.startswith(b"phalanx: ") and err.count(b"\n") == 1, err)
        for piece in says:
            expect(piece.encode() in err, piece, "is not in", err)
        return out
