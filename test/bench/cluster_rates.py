"""Operations a second of whole clusters: puts, linearizable gets, half and half, by the leader, and
ours by a follower too."""

import functools

from points import ECHO, OURS, Points
from rivals import visit
from table import Table, spread

OPS = ("put", "get", "mixed")
INFLIGHT = (1, 16, 64, 256, 1000)
WARMUP_SECONDS = 0.3


def connections_for(inflight):
    return 1 if inflight < 64 else 4


class Rates(Points):
    def __init__(self, programs, results, size, seconds, keys):
        super().__init__()
        self._programs = programs
        self._results = results
        self._options = {"seconds": seconds, "keys": keys, "warmup": WARMUP_SECONDS}
        self.size = size

    def take(self, name, door, op, number):
        for inflight in INFLIGHT:
            before = door.own_cpu_us()
            line = self._programs.load(door, op, inflight, connections=connections_for(inflight),
                                       **self._options)
            line["asked_cpu_us_per_op"] = (door.own_cpu_us() - before) / line["calls"]
            self.add(op, inflight, name, line)
            self._results.add("cluster", size=self.size, name=name, round=number, **line)

    def best(self, op, name):
        """The most a second that it does of this."""
        return max(self.median(op, inflight, name) for inflight in INFLIGHT)


def measure(programs, rates, both, rounds):
    for number in range(rounds):
        print(f"bench: {rates.size} nodes, round {number + 1} of {rounds}", flush=True)
        for op in OPS:
            visit(both, number, functools.partial(rates.take, op=op, number=number))
            if op == "get":
                measure_echo(programs, rates, number)


def measure_echo(programs, rates, number):
    """One server that does nothing but answer."""
    with programs.echo() as echo:
        echo.wait_until_open()
        rates.take(ECHO, echo, "get", number)  # both clusters are idle by now


def print_table(rates):
    table = Table("op", "in flight", "server", "ops/s", "[min-max]", "p50 us", "p99 us",
                  "all nodes us/op", "asked us/op", "client us/op", "others",
                  "ours/it", "p99 ours/it")
    for op in OPS:
        for inflight in INFLIGHT:
            for name in rates.names():
                if rates.has(op, inflight, name):
                    table.add(op, inflight, name, *row(rates, op, inflight, name))
    print(f"\n{rates.size} nodes, values of 256 bytes. Medians of the rounds; the ratios are "
          "medians of the rounds' ratios.\nTimes on a processor: of all nodes together, of the "
          "node asked, and of the client;\nothers: the share of the processors that everybody else "
          "had meanwhile.")
    table.print()


def row(rates, op, inflight, name):
    yield f"{rates.median(op, inflight, name):.0f}"
    yield spread(rates.values(op, inflight, name), ".0f")
    for field, how in (("p50_us", ".0f"), ("p99_us", ".0f"), ("server_cpu_us_per_op", ".1f"),
                       ("asked_cpu_us_per_op", ".1f"), ("client_cpu_us_per_op", ".1f")):
        yield format(rates.median(op, inflight, name, field), how)
    yield f"{rates.median(op, inflight, name, 'others_share'):.0%}"
    for field in ("ops_per_second", "p99_us"):
        yield "" if name == OURS else f"{rates.ratio(op, inflight, name, field):.2f}"
