"""A test's story: what it started, and how that ends. See the package's text."""

import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[3]
SERVER = os.environ.get("PHALANX_SERVER", str(ROOT / "build/bin/phalanx-server"))
CLI = os.environ.get("PHALANX_CLI", str(ROOT / "build/bin/phalanx"))

# What a build with sanitizers needs in an environment made anew.
SANITIZERS = {key: os.environ[key] for key in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")
              if key in os.environ}

SKIPPED = 77

# Before ctest's own limit, which would not let us clean up.
TIME_LIMIT_S = 280

CliResult = collections.namedtuple("CliResult", "status out err")


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def expect(condition, *told):
    """Like assert, which `python3 -O` would leave out; `told` explains a failure."""
    if not condition:
        raise AssertionError(" ".join(str(part) for part in told) or "see the line above")


def wait_until(condition, seconds, what):
    """Returns the condition's first true value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Story:
    def __init__(self, name, seed):
        self.name = name
        self.random = random.Random(f"{seed}/{name}")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="phalanx-test-"))
        self.servers = []
        self._ends = []  # undone in reverse order

    def say(self, *words):
        print(f"    {self.name}:", *words, flush=True)

    def rounds(self, usual):
        return int(os.environ.get("PHALANX_ROUNDS") or usual)

    def at_end(self, undo):
        self._ends.append(undo)

    def server(self, data_dir=None, **settings):
        from support.server import Server

        data_dir = data_dir or self.directory / f"data-{len(self.servers) + 1}"
        server = Server(self, data_dir, settings)
        self.servers.append(server)
        self.at_end(server.end)
        return server

    def cluster(self, size, **settings):
        from support.cluster import Cluster

        return Cluster(self, size, **settings)

    def ledger(self):
        from support.load import Ledger

        return Ledger(self)

    def load(self, server, ledger, **options):
        from support.load import Load

        load = Load(self, server, ledger, **options)
        self.at_end(load.stop)
        return load

    def disk(self, megabytes):
        from support.disk import Disk

        disk = Disk(self, megabytes)
        self.at_end(disk.end)
        return disk

    def cli(self, *arguments, stdin=b"", timeout=30, **environment):
        """Runs the command line client; out and err are text, decoded leniently."""
        environment = {**os.environ, **{key: str(value) for key, value in environment.items()}}
        done = subprocess.run([CLI, *map(str, arguments)], input=stdin, capture_output=True,
                              timeout=timeout, env=environment)
        return CliResult(done.returncode, done.stdout.decode(errors="replace"),
                         done.stderr.decode(errors="replace"))

    def end(self):
        for undo in reversed(self._ends):
            try:
                undo()
            except Exception:  # the rest still has to end
                traceback.print_exc()
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- Running a script's tests -------------------------------------------------------------------

_tests = []


def test(function):
    """Marks a function as a test; its name is a sentence."""
    _tests.append(function)
    return function


def _out_of_time(*_):
    raise TimeoutError(f"the tests of this script took longer than {TIME_LIMIT_S} s")


def run(function, seed):
    """Tells how it ended, in a line that begins with ok, skipped or FAILED."""
    story = Story(function.__name__, seed)
    began = time.monotonic()
    try:
        function(story)
        return f"ok {function.__name__} ({time.monotonic() - began:.1f} s)"
    except Skip as skip:
        return f"skipped {function.__name__}: {skip}"
    except BaseException as error:
        traceback.print_exc()
        for server in story.servers:
            print(f"---- log of {server.data_dir}\n{server.log()[-6000:]}", flush=True)
        if not isinstance(error, (Exception, KeyboardInterrupt)):
            raise
        return f"FAILED {function.__name__}"
    finally:
        story.end()


def main():
    seed = os.environ.get("PHALANX_SEED") or str(random.SystemRandom().randrange(10**9))
    for binary in (SERVER, CLI):
        if not os.path.exists(binary):
            sys.exit(f"there is no {binary}: build it, or set PHALANX_SERVER and PHALANX_CLI")
    chosen = [function for function in _tests
              if len(sys.argv) == 1 or function.__name__ in sys.argv[1:]]
    print(f"replay: PHALANX_SEED={seed} python3 {' '.join(sys.argv)}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGALRM, _out_of_time)
    if "PHALANX_ROUNDS" not in os.environ:
        signal.alarm(TIME_LIMIT_S)
    results = []
    for function in chosen:
        results.append(run(function, seed))
        print(results[-1], flush=True)
    if not results or any(result.startswith("FAILED") for result in results):
        print(f"replay: PHALANX_SEED={seed} python3 {' '.join(sys.argv)}", flush=True)
        sys.exit(1)
    sys.exit(SKIPPED if all(result.startswith("skipped") for result in results) else 0)
