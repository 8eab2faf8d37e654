"""Puts and gets a second, in one alternating session: everybody is measured at every point of every
round, and who comes first changes. What counts are the ratios within a round."""

import contextlib
import time
from statistics import median

from table import Table, spread

INFLIGHT = (1, 16, 64, 256)
WARMUP_SECONDS = 0.5


@contextlib.contextmanager
def all_servers(programs):
    """All run all the time; an idle one costs next to nothing."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(programs.phalanx("throughput")),
                   stack.enter_context(programs.echo())]
        if programs.has_etcd():
            servers.append(stack.enter_context(programs.etcd("etcd")))
        else:
            print("bench: etcd is not installed; measuring without it")
        for server in servers:
            server.wait_until_open()
        yield servers


def measure(programs, results, rounds, seconds, keys):
    lines = {}  # (op, inflight, name): a line each round
    commits = {0: [], keys: []}  # of a new log, and of one that has lived
    with all_servers(programs) as servers:
        time.sleep(1)  # etcd elects itself
        for server in servers:
            if server.name != "echo":
                programs.load(server, "fill", 64, keys=keys)
        for number in range(rounds):
            print(f"bench: round {number + 1} of {rounds}", flush=True)
            order = servers[number % len(servers):] + servers[:number % len(servers)]
            for op in ("put", "get"):
                for server in servers if op == "get" else ():
                    server.wait_until_idle()
                for inflight in INFLIGHT:
                    for server in order:
                        line = programs.load(server, op, inflight, keys=keys, seconds=seconds,
                                             warmup=WARMUP_SECONDS)
                        lines.setdefault((op, inflight, server.name), []).append(line)
                        results.add("throughput", round=number, **line)
                    if (op, inflight) == ("put", 1):
                        measure_commits(programs, results, number, seconds, commits)
        names = [server.name for server in servers]
    print_table(lines, names)
    print_lone_put(lines, commits)


def measure_commits(programs, results, number, seconds, commits):
    for earlier, runs in commits.items():
        runs.append(programs.log_commit(seconds, earlier))
        results.add("log_commit", round=number, **runs[-1])


def ratio(lines, op, inflight, to):
    """Ours to theirs: the median of the rounds' ratios."""
    if (op, inflight, to) not in lines:
        return None
    return median(ours["ops_per_second"] / theirs["ops_per_second"]
                  for ours, theirs in zip(lines[op, inflight, "phalanx"],
                                          lines[op, inflight, to]))


def print_table(lines, names):
    table = Table("op", "in flight", "server", "ops/s", "[min-max]", "p50 us", "p99 us",
                  "p99.9 us", "server us/op", "client us/op", "ours/it")
    for op in ("put", "get"):
        for inflight in INFLIGHT:
            for name in names:
                runs = lines[op, inflight, name]
                middle = {field: median(run[field] for run in runs) for field in
                          ("p50_us", "p99_us", "p999_us", "server_cpu_us_per_op",
                           "client_cpu_us_per_op")}
                rates = [run["ops_per_second"] for run in runs]
                times = ratio(lines, op, inflight, name)
                table.add(op, inflight, name, f"{median(rates):.0f}", spread(rates, ".0f"),
                          *(f"{value:.0f}" for value in list(middle.values())[:3]),
                          *(f"{value:.1f}" for value in list(middle.values())[3:]),
                          "" if name == "phalanx" else f"{times:.2f}")
    print("\nMedians of the rounds; ours/it is the median of the rounds' ratios.")
    table.print()


def print_lone_put(lines, commits):
    puts = [run["p50_us"] for run in lines["put", 1, "phalanx"]]
    trips = [run["p50_us"] for run in lines["put", 1, "echo"]]
    table = Table("one client's put, p50", "us", "[min-max]")
    table.add("put", f"{median(puts):.0f}", spread(puts, ".0f"))
    table.add("unary round trip (echo)", f"{median(trips):.0f}", spread(trips, ".0f"))
    for earlier, runs in commits.items():
        age = f"after {earlier} entries" if earlier else "new"
        syncs = [run["p50_us"] for run in runs]
        ratios = [put / (sync + trip) for put, sync, trip in zip(puts, syncs, trips)]
        table.add(f"one synced commit of the log, {age}", f"{median(syncs):.0f}",
                  spread(syncs, ".0f"))
        table.add("  put / (commit + round trip)", f"{median(ratios):.2f}", spread(ratios, ".2f"))
    print()
    table.print()
