"""Clusters that hold a million keys, one after the other: what filling them writes, what they take
of memory and disk, and how soon a killed follower is back."""

from statistics import mean

from cluster_use import (ANONYMOUS, DIRTIED, MEMORY, RESTART, WRITE_INFLIGHT, WRITTEN, Use,
                         add_memory, measure_restarts, print_figures, written_by)
from rivals import TIMINGS, leader_of, makers

SIZE = 3
RESTARTS = 3
PEAK = "  the most it ever was, of any node"
DISK = "disk used by a node, MB"
RATE = "puts a second while it is filled"
NAMES = (RATE, MEMORY, ANONYMOUS, PEAK, DISK, WRITTEN, DIRTIED, RESTART)


def measure(programs, results, keys):
    use = Use(results, SIZE, keys)
    for make in makers():
        with make(programs, SIZE, TIMINGS) as cluster:
            measure_one(programs, use, cluster)
    print("\nMemory is VmRSS of /proc/PID/status when all is flushed and quiet, and VmHWM. Bytes "
          "written are of the\nputs that fill it: wchar of /proc/PID/io for ours, write_bytes for "
          "etcd's, whose wchar counts sockets.")
    print_figures(use, NAMES)


def measure_one(programs, use, cluster):
    print(f"bench: {use.keys} keys in {SIZE} nodes of {cluster.kind}: fill", flush=True)
    cluster.wait_for_leader()
    written_by(use, cluster, lambda: fill(programs, use, cluster))
    add_memory(use, cluster)
    use.add(cluster.kind, PEAK,
            max(member.server.peak_resident_mb() for member in cluster.members))
    use.add(cluster.kind, DISK, mean(member.disk_mb() for member in cluster.members))
    print(f"bench: {use.keys} keys in {SIZE} nodes of {cluster.kind}: restarts", flush=True)
    measure_restarts(programs, use, cluster, RESTARTS)


def fill(programs, use, cluster):
    line = programs.load(leader_of(cluster), "fill", WRITE_INFLIGHT, connections=4, keys=use.keys)
    use.add(cluster.kind, RATE, line["ops_per_second"])
    return line
