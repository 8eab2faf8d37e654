"""What the server uses and how soon it answers: memory, bytes written, starts."""

import threading
import time

from servers import free_port
from table import Table

FILL_INFLIGHT = 64


class PeakMemory:
    """The most memory beyond mapped files that a server was seen to use, looked at often."""

    def __init__(self, server):
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.mb = 0

    def _watch(self):
        while not self._stop.wait(0.02):
            self.mb = max(self.mb, self._server.memory_mb())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


def first_answer_ms(programs, data_dir, op, then):
    """Start the server, ask at once; `then` ends it: stop or kill."""
    port = free_port()
    asking = programs.start_first_answer(op, port)
    time.sleep(0.3)  # until it waits
    started_ns = time.monotonic_ns()
    try:
        with programs.phalanx(data_dir, port) as server:
            answered_ns = int(asking.communicate(timeout=120)[0])
            then(server)
    finally:
        asking.kill()
        asking.wait()
    return (answered_ns - started_ns) / 1e6


def filled(programs, server, keys):
    """Every key once, then flushed."""
    server.wait_until_open()
    programs.load(server, "fill", FILL_INFLIGHT, keys=keys)
    server.wait_until_flushed()


def measure_memory(programs, keys):
    with programs.phalanx("memory") as server:
        server.wait_until_open()
        with PeakMemory(server) as peak:
            programs.load(server, "fill", FILL_INFLIGHT, keys=keys)
            after_mb = server.memory_mb()
            server.wait_until_flushed()
            programs.load(server, "put", FILL_INFLIGHT, keys=keys, requests=keys)
            again_mb = server.memory_mb()
            server.wait_until_flushed()
        time.sleep(6)  # another flush's time
        yield "memory right after putting each once, MB", after_mb
        yield "memory right after as many more, random, MB", again_mb
        yield "memory at most until then, MB", peak.mb
        yield "memory idle, all flushed, MB", server.memory_mb()
        yield "mapped files then, MB", server.mapped_mb()


def measure_written(programs, keys):
    with programs.phalanx("written") as server:
        filled(programs, server, keys)
        for inflight in (1, FILL_INFLIGHT):
            written, dirtied = server.written_bytes(), server.dirtied_bytes()
            line = programs.load(server, "put", inflight, keys=keys, seconds=6, warmup=0)
            server.wait_until_flushed()
            written = server.written_bytes() - written
            dirtied = server.dirtied_bytes() - dirtied
            yield f"bytes written per put, {inflight} in flight", written / line["calls"]
            yield f"page cache dirtied per put, {inflight} in flight", dirtied / line["calls"]


def measure_starts(programs, keys):
    data_dir = f"start-{keys}"
    with programs.phalanx(data_dir) as server:
        filled(programs, server, keys)
    yield f"stopped, {keys} keys: first get, ms", first_answer_ms(
        programs, data_dir, "get", lambda server: refill_and_kill(programs, server, keys))
    yield f"killed in mid-load, {keys} keys: first get, ms", first_answer_ms(
        programs, data_dir, "get", lambda server: server.stop())


def refill_and_kill(programs, server, keys):
    """Killed with as much unflushed as there may be."""
    programs.load(server, "put", FILL_INFLIGHT, keys=keys, seconds=4, warmup=0)
    server.kill()


def measure(programs, results, keys, many_keys):
    table = Table(f"{keys} keys of 256 bytes", "")

    def take(figures):
        for name, figure in figures:
            table.add(name, f"{figure:.1f}")
            results.add("footprint", name=name, figure=figure, keys=keys)

    print("bench: memory", flush=True)
    take(measure_memory(programs, keys))
    print("bench: bytes written", flush=True)
    take(measure_written(programs, keys))
    print("bench: starts", flush=True)
    take([("empty directory: first put, ms", first_answer_ms(
        programs, "empty", "put", lambda server: server.stop()))])
    for count in (keys, many_keys):
        take(measure_starts(programs, count))
    print("\nMemory is RssAnon + RssShmem of /proc/PID/status; bytes written are wchar of "
          "/proc/PID/io, of log\nand state, flushes included.")
    table.print()
