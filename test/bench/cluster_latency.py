"""How long calls take that come at the same rate to everybody: at random moments, whatever the
answers do, and timed from these moments. A server that stalls delays all who come meanwhile, and is
seen to; when as many are in flight all the time, only those few wait."""

import functools

from points import OURS, Points
from rivals import visit
from table import Table, spread

RATES = {"put": (1000, 2000, 4000, 8000), "get": (2000, 8000, 16000)}
INFLIGHT_MAX = 1000
CONNECTIONS = 4
WARMUP_SECONDS = 0.3


class Latency(Points):
    """`rates` says how much each can do at most: what is beyond that would only queue up."""

    def __init__(self, programs, results, rates, seconds, keys):
        super().__init__()
        self._programs = programs
        self._results = results
        self._rates = rates
        self._options = {"seconds": seconds, "keys": keys, "warmup": WARMUP_SECONDS,
                         "connections": CONNECTIONS}
        self.size = rates.size
        self.left_out = {}  # (op, rate, name): what it does at most

    def take(self, name, door, op, number):
        best = self._rates.best(op, name)
        for rate in RATES[op]:
            if best < rate:
                self.left_out[op, rate, name] = best
                continue
            line = self._programs.load(door, op, INFLIGHT_MAX, rate=rate, seed=number + 1,
                                       **self._options)
            counted = line["ok"] + sum(line["errors"].values()) + line["unsent"]
            line["late_share"] = line["late"] / counted
            self.add(op, rate, name, line)
            self._results.add("cluster_latency", size=self.size, name=name, round=number, **line)


def measure(latency, both, rounds):
    for number in range(rounds):
        print(f"bench: {latency.size} nodes, equal rates, round {number + 1} of {rounds}",
              flush=True)
        for op in RATES:
            visit(both, number, functools.partial(latency.take, op=op, number=number))


def print_table(latency):
    table = Table("op", "a second", "server", "reached", "p50 us", "p99 us", "[min-max]",
                  "p99.9 us", "[min-max]", "max us", "late", "p50 ours/it", "p99 ours/it",
                  "p99.9 ours/it")
    for op, rates in RATES.items():
        for rate in rates:
            for name in latency.names():
                if latency.has(op, rate, name):
                    table.add(op, rate, name, *row(latency, op, rate, name))
    print(f"\n{latency.size} nodes, calls at random moments, so many a second, timed from these "
          f"moments; at most {INFLIGHT_MAX} in flight.\nMedians of the rounds; the ratios are "
          "medians of the rounds' ratios. late: the share that began more\nthan 1 ms after its "
          "moment, for want of room or of a processor.")
    table.print()
    for (op, rate, name), best in latency.left_out.items():
        print(f"left out: {rate} {op}s a second of {name}, which does {best:.0f} at most")


def row(latency, op, rate, name):
    def middle(field):
        return f"{latency.median(op, rate, name, field):.0f}"

    def both_ends(field):
        return spread(latency.values(op, rate, name, field), ".0f")

    yield middle("ops_per_second")
    yield middle("p50_us")
    for field in ("p99_us", "p999_us"):
        yield middle(field)
        yield both_ends(field)
    yield middle("max_us")
    yield f"{latency.median(op, rate, name, 'late_share'):.1%}"
    for field in ("p50_us", "p99_us", "p999_us"):
        yield (f"{latency.ratio(op, rate, name, field):.2f}"
               if name != OURS and latency.has(op, rate, OURS) else "")
