"""Measures the release build; run.sh says how. Started with the build folder."""

import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import failover
import footprint
import million
import side_by_side
import throughput
from servers import Programs


class Results:
    """Every figure as a line of JSON, as soon as it is there."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, "w", buffering=1)

    def add(self, kind, **figures):
        self._file.write(json.dumps({"kind": kind, **figures}) + "\n")


def number(name, default):
    return type(default)(os.environ.get(name, default))


def stop_on_signal(signum, frame):
    signal.signal(signum, signal.SIG_IGN)  # a second one must not end the cleaning up
    raise SystemExit(128 + signum)  # so that what was started is stopped


def consensus(programs, results):
    """Three engines in one thread, and nothing around them."""
    figures = programs.consensus()
    results.add("consensus", **figures)
    print("bench: {rounds} consensus rounds of three engines: {median_ms:.2f} ms, the median of "
          "{runs} runs [{fastest_ms:.2f}-{slowest_ms:.2f}]".format(**figures), flush=True)


def main():
    signal.signal(signal.SIGTERM, stop_on_signal)
    build = pathlib.Path(sys.argv[1]).resolve()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=build))  # the build's file system
    results = Results(build / time.strftime("bench-%Y%m%d-%H%M%S.jsonl"))
    programs = Programs(build / "bin", folder)
    keys = number("BENCH_KEYS", 100000)
    parts = os.environ.get("BENCH_PARTS", "consensus throughput footprint cluster failover").split()
    load = os.getloadavg()[0]
    print(f"bench: {os.cpu_count()} processors, load before the start {load:.1f}", flush=True)
    results.add("machine", processors=os.cpu_count(), load=load)
    try:
        if "consensus" in parts:
            consensus(programs, results)
        if "throughput" in parts:
            throughput.measure(programs, results, rounds=number("BENCH_ROUNDS", 5),
                               seconds=number("BENCH_SECONDS", 3.0), keys=keys)
        if "footprint" in parts:
            footprint.measure(programs, results, keys=keys,
                              many_keys=number("BENCH_MANY_KEYS", 1000000))
        if "cluster" in parts:
            sizes = [int(size) for size in os.environ.get("BENCH_SIZES", "3 5").split()]
            side_by_side.measure(programs, results, sizes, rounds=number("BENCH_ROUNDS", 5),
                                 seconds=number("BENCH_SECONDS", 3.0), keys=keys)
        if "million" in parts:
            million.measure(programs, results, keys=number("BENCH_MANY_KEYS", 1000000))
        if "failover" in parts:
            failover.measure(programs, results, tries=number("BENCH_FAILOVERS", 20))
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
    finally:
        shutil.rmtree(folder)
        print(f"bench: every figure is in {results.path}")


if __name__ == "__main__":
    main()
