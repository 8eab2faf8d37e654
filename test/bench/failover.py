"""How long nobody can write after kill -9 of the leader: the longest time between two successful
writes, of clients that go on all the time through the other nodes."""

import threading
import time
from statistics import median

import clusters
from table import Table, spread

# TICK_MS, ELECTION, HEARTBEAT: the mission's for one machine.
TIMINGS = (100, 10, 3)

# Each writer gives a try up after this, and goes on with the next.
TRY_SECONDS = 0.5
WRITERS = 4  # to each node


def import_grpc():
    """None: it is not there."""
    try:
        import grpc
        return grpc
    except ImportError:
        return None


def put_request(key, value):
    """The same bytes for both: key = 1, value = 2."""
    return b"\x0a" + bytes([len(key)]) + key + b"\x12" + bytes([len(value)]) + value


class Writers:
    """Note when each write was answered. One that fails waits a little, as a client would."""

    def __init__(self, kind, members):
        self.grpc = import_grpc()
        method = {"phalanx": "/phalanx.v1.KVService/Put", "etcd": "/etcdserverpb.KV/Put"}[kind]
        self.answered = []
        self.is_stopping = False
        self.threads = [threading.Thread(target=self._write, args=(member.address, method, number))
                        for member in members for number in range(WRITERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_stopping = True
        for thread in self.threads:
            thread.join()

    def _write(self, address, method, number):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        with self.grpc.insecure_channel(address, options) as channel:
            put = channel.unary_unary(method)
            request = put_request(b"key-%d" % number, b"value")
            while not self.is_stopping:
                try:
                    put(request, timeout=TRY_SECONDS)
                    self.answered.append(time.monotonic())
                except self.grpc.RpcError:
                    time.sleep(0.005)

    def wait_for_more(self, count=20, seconds=60):
        goal = len(self.answered) + count
        deadline = time.monotonic() + seconds
        while len(self.answered) < goal:
            if time.monotonic() > deadline:
                raise RuntimeError("no more writes are answered")
            time.sleep(0.01)

    def longest_gap(self, since):
        times = sorted(moment for moment in self.answered if moment > since)
        return max(late - early for early, late in zip(times, times[1:]))


def one_gap(cluster):
    leader = cluster.wait_for_leader()
    others = [member for member in cluster.members if member is not leader]
    with Writers(cluster.kind, others) as writers:
        writers.wait_for_more()
        time.sleep(0.3)
        since = time.monotonic() - 0.2
        leader.kill()
        time.sleep(0.1)
        writers.wait_for_more()
        gap = writers.longest_gap(since)
    leader.start()
    cluster.wait_for_leader()
    time.sleep(1)  # everybody is back and quiet
    return gap


def measure(programs, results, tries, size=3):
    if not import_grpc():
        print("bench: no failover without grpcio for python3")
        return
    makers = [clusters.phalanx] + ([clusters.etcd] if clusters.has_etcd() else [])
    gaps = {}
    for make in makers:
        with make(programs, size, TIMINGS) as cluster:
            for number in range(tries):
                gap_ms = one_gap(cluster) * 1000
                gaps.setdefault(cluster.kind, []).append(gap_ms)
                results.add("failover", server=cluster.kind, number=number, gap_ms=gap_ms)
    table = Table(f"no write after kill -9 of the leader, {size} nodes", "median ms", "[min-max]")
    for kind, values in gaps.items():
        table.add(kind, f"{median(values):.0f}", spread(values, ".0f"))
    print("\nTimings {} ms, {} and {} ticks; {} tries each.".format(*TIMINGS, tries))
    table.print()
