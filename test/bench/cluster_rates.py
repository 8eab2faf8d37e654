"""Operations a second of whole clusters: puts, linearizable gets, half and half, by the leader, and
ours by a follower too. Who comes first changes from round to round."""

from statistics import median

from rivals import alone, follower_of, leader_of, settle
from table import Table, spread

OPS = ("put", "get", "mixed")
INFLIGHT = (1, 16, 64, 256, 1000)
WARMUP_SECONDS = 0.3

OURS, OURS_BY_FOLLOWER, ETCD, ECHO = "phalanx", "phalanx, by a follower", "etcd", "echo"


def connections_for(inflight):
    return 1 if inflight < 64 else 4


class Rates:
    """Every point's lines, one a round."""

    def __init__(self, programs, results, size, seconds, keys):
        self._programs = programs
        self._results = results
        self._options = {"seconds": seconds, "keys": keys, "warmup": WARMUP_SECONDS}
        self.size = size
        self.lines = {}  # (op, inflight, name)

    def take(self, name, door, op, number):
        for inflight in INFLIGHT:
            before = door.own_cpu_us()
            line = self._programs.load(door, op, inflight, connections=connections_for(inflight),
                                       **self._options)
            line["asked_cpu_us_per_op"] = (door.own_cpu_us() - before) / line["calls"]
            self.lines.setdefault((op, inflight, name), []).append(line)
            self._results.add("cluster", size=self.size, name=name, round=number, **line)

    def names(self):
        return [name for name in (OURS, OURS_BY_FOLLOWER, ETCD, ECHO)
                if any(name == key[2] for key in self.lines)]

    def median(self, op, inflight, name, field="ops_per_second"):
        return median(line[field] for line in self.lines[op, inflight, name])

    def ratio(self, op, inflight, name, field="ops_per_second"):
        """Ours to theirs: the median of the rounds' ratios."""
        return median(ours[field] / theirs[field]
                      for ours, theirs in zip(self.lines[op, inflight, OURS],
                                              self.lines[op, inflight, name]))


def measure(programs, rates, both, rounds):
    for number in range(rounds):
        print(f"bench: {rates.size} nodes, round {number + 1} of {rounds}", flush=True)
        for op in OPS:
            for cluster in both if number % 2 == 0 else both[::-1]:
                with alone(cluster, both):
                    measure_one(rates, cluster, op, number)
            if op == "get":
                measure_echo(programs, rates, both, number)


def measure_one(rates, cluster, op, number):
    settle(cluster)  # straight after puts, etcd's gets are slow
    rates.take(cluster.kind, leader_of(cluster), op, number)
    if cluster.kind == OURS:
        rates.take(OURS_BY_FOLLOWER, follower_of(cluster), op, number)


def measure_echo(programs, rates, both, number):
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
                if (op, inflight, name) in rates.lines:
                    table.add(op, inflight, name, *row(rates, op, inflight, name))
    print(f"\n{rates.size} nodes, values of 256 bytes. Medians of the rounds; the ratios are "
          "medians of the rounds' ratios.\nTimes on a processor: of all nodes together, of the "
          "node asked, and of the client;\nothers: the share of the processors that everybody else "
          "had meanwhile.")
    table.print()


def row(rates, op, inflight, name):
    seen = [line["ops_per_second"] for line in rates.lines[op, inflight, name]]
    yield f"{median(seen):.0f}"
    yield spread(seen, ".0f")
    for field, how in (("p50_us", ".0f"), ("p99_us", ".0f"), ("server_cpu_us_per_op", ".1f"),
                       ("asked_cpu_us_per_op", ".1f"), ("client_cpu_us_per_op", ".1f")):
        yield format(rates.median(op, inflight, name, field), how)
    yield f"{rates.median(op, inflight, name, 'others_share'):.0%}"
    for field in ("ops_per_second", "p99_us"):
        yield "" if name == OURS else f"{rates.ratio(op, inflight, name, field):.2f}"
