"""What whole clusters use and how soon they answer: memory, bytes written, starts."""

import contextlib
import time
from statistics import median

from rivals import alone, follower_of, leader_of, settle, total
from table import Table, spread

FILL_INFLIGHT = 64
WRITE_INFLIGHT = 256
PUTS_A_KEY = 5  # of random keys: enough of them that a store which flushes seldom does so often
FOUNDING = "all started blank: first put, ms"
MEMORY = "resident memory of a node, MB"
ANONYMOUS = "  of it beyond mapped files, MB"
WRITTEN = "bytes written to disk a put, all nodes"
DIRTIED = "  page cache dirtied, the same"
RESTART = "a follower killed and started: first get, ms"
RESTART_ALL = "all killed and started: first get, ms"
RESTARTS = 5
NAMES = (FOUNDING, MEMORY, ANONYMOUS, WRITTEN, DIRTIED, RESTART, RESTART_ALL)


class Use:
    """Figures for each name and kind: one, or one for each time it was tried."""

    def __init__(self, results, size, keys):
        self._results = results
        self.keys = keys
        self.size = size
        self.figures = {}

    def add(self, kind, name, figure):
        self.figures.setdefault((name, kind), []).append(figure)
        self._results.add("cluster_use", size=self.size, keys=self.keys, name=name.strip(),
                          server=kind, figure=figure)

    def ratio(self, name):
        return median(self.figures[name, "phalanx"]) / median(self.figures[name, "etcd"])


def first_answer_ms(programs, kind, member, op, start):
    """How long after `start` began this member answers."""
    with programs.first_answer(op, member.port, kind) as asking:
        time.sleep(0.3)  # until it waits
        started_ns = time.monotonic_ns()
        start()
        return (int(asking.communicate(timeout=120)[0]) - started_ns) / 1e6


@contextlib.contextmanager
def founded(programs, use, cluster):
    """The cluster is started here, and ends with the context."""
    with contextlib.ExitStack() as stack:
        took_ms = first_answer_ms(programs, cluster.kind, cluster.members[0], "put",
                                  lambda: stack.enter_context(cluster))
        use.add(cluster.kind, FOUNDING, took_ms)
        yield


def fill(programs, use, cluster):
    """Every key once; then what a node keeps in memory."""
    programs.load(leader_of(cluster), "fill", FILL_INFLIGHT, keys=use.keys)
    settle(cluster)
    add_memory(use, cluster)


def add_memory(use, cluster):
    use.add(cluster.kind, MEMORY, total(cluster, "resident_mb") / use.size)
    use.add(cluster.kind, ANONYMOUS, total(cluster, "memory_mb") / use.size)


def written_by(use, cluster, load):
    """What was given to write() is what reaches the disk in the end, flushes included; but etcd's
    goes to sockets too. It writes mostly in sequence, so what it dirties is no more than that; of
    pages here and there whole pieces of the page cache are counted as dirty."""
    settle(cluster)
    dirtied, called = total(cluster, "dirtied_bytes"), total(cluster, "written_bytes")
    line = load()
    settle(cluster)
    dirtied = total(cluster, "dirtied_bytes") - dirtied
    called = total(cluster, "written_bytes") - called
    written = called if cluster.kind == "phalanx" else dirtied
    use.add(cluster.kind, WRITTEN, written / line["calls"])
    use.add(cluster.kind, DIRTIED, dirtied / line["calls"])


def measure_written(programs, use, cluster):
    written_by(use, cluster, lambda: programs.load(
        leader_of(cluster), "put", WRITE_INFLIGHT, connections=4, keys=use.keys,
        requests=PUTS_A_KEY * use.keys, warmup=0))


def measure_restarts(programs, use, cluster, times):
    for _ in range(times):
        follower = follower_of(cluster).member
        follower.kill()
        time.sleep(0.5)
        use.add(cluster.kind, RESTART,
                first_answer_ms(programs, cluster.kind, follower, "get", follower.start))


def measure_restart_of_all(programs, use, cluster):
    cluster.wait_for_leader()
    for member in cluster.members:
        member.kill()
    use.add(cluster.kind, RESTART_ALL,
            first_answer_ms(programs, cluster.kind, cluster.members[0], "get",
                            lambda: start_all(cluster)))
    cluster.wait_for_leader()


def start_all(cluster):
    for member in cluster.members:
        member.start()


def measure(programs, use, both):
    for cluster in both:
        with alone(cluster, both):
            print(f"bench: {use.size} nodes of {cluster.kind}: bytes written", flush=True)
            measure_written(programs, use, cluster)
            print(f"bench: {use.size} nodes of {cluster.kind}: starts", flush=True)
            measure_restarts(programs, use, cluster, RESTARTS)
            measure_restart_of_all(programs, use, cluster)


def print_table(use):
    print("\nMemory is VmRSS of /proc/PID/status, after each key was put once. Bytes written are "
          f"of {PUTS_A_KEY * use.keys} puts of\nrandom keys, flushes included: wchar of /proc/PID/io "
          "for ours, write_bytes for etcd's, whose wchar\ncounts sockets.")
    print_figures(use, NAMES)


def print_figures(use, names):
    kinds = [kind for kind in ("phalanx", "etcd") if (MEMORY, kind) in use.figures]
    titles = [title for kind in kinds for title in (kind, "[min-max]")]
    table = Table(f"{use.size} nodes, {use.keys} keys of 256 bytes", *titles, "ours/etcd's")
    for name in names:
        seen = [use.figures.get((name, kind), []) for kind in kinds]
        cells = [cell for values in seen for cell in cells_of(values)]
        table.add(name, *cells, f"{use.ratio(name):.2f}" if len(kinds) == 2 and all(seen) else "")
    table.print()


def cells_of(values):
    if not values:
        return "", ""
    return f"{median(values):.1f}", spread(values, ".1f") if len(values) > 1 else ""
