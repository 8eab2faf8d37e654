"""Clusters of ours beside etcd's, and how far we are from what we want."""

import contextlib

import cluster_latency
import cluster_rates
import cluster_use
import plot
from points import ECHO, ETCD
from rivals import TIMINGS, makers
from table import Table


def measure(programs, results, sizes, rounds, seconds, keys):
    for size in sizes:
        rates = cluster_rates.Rates(programs, results, size, seconds, keys)
        latency = cluster_latency.Latency(programs, results, rates, seconds, keys)
        use = cluster_use.Use(results, size, keys)
        measure_size(programs, rates, latency, use, rounds)
        cluster_rates.print_table(rates)
        cluster_latency.print_table(latency)
        cluster_use.print_table(use)
        if ETCD in rates.names():
            print_goals(rates, use)
        picture = results.path.with_suffix(f".{size}.svg")
        plot.write(picture, rates, latency)
        print(f"bench: a picture of it is in {picture}", flush=True)


def measure_size(programs, rates, latency, use, rounds):
    with contextlib.ExitStack() as stack:
        both = [make(programs, rates.size, TIMINGS) for make in makers()]
        for cluster in both:
            print(f"bench: {rates.size} nodes of {cluster.kind}: start and fill", flush=True)
            stack.enter_context(cluster_use.founded(programs, use, cluster))
            cluster_use.fill(programs, use, cluster)
        cluster_rates.measure(programs, rates, both, rounds)
        cluster_latency.measure(latency, both, rounds)
        cluster_use.measure(programs, use, both)


def print_goals(rates, use):
    """What issue 4 asks for: at least or at most this, to etcd's unless it says otherwise."""
    goals = (
        ("puts a second, 256 in flight", ">=", 3, rates.ratio("put", 256, ETCD)),
        ("gets a second, 256 in flight", ">=", 3, rates.ratio("get", 256, ETCD)),
        ("gets a second, 256 in flight, to echo's", ">=", 0.7, rates.ratio("get", 256, ECHO)),
        ("puts' p99, 256 in flight", "<=", 1 / 3, rates.ratio("put", 256, ETCD, "p99_us")),
        ("gets' p99, 256 in flight", "<=", 1 / 3, rates.ratio("get", 256, ETCD, "p99_us")),
        ("one client's put, p50", "<=", 0.5, rates.ratio("put", 1, ETCD, "p50_us")),
        ("resident memory of a node", "<=", 0.2, use.ratio(cluster_use.MEMORY)),
        ("bytes written to disk a put", "<=", 1, use.ratio(cluster_use.WRITTEN)),
        ("a follower's restart", "<=", 0.1, use.ratio(cluster_use.RESTART)),
    )
    table = Table(f"ours/etcd's, {rates.size} nodes", "wanted", "here", "")
    for name, how, wanted, here in goals:
        is_met = here >= wanted if how == ">=" else here <= wanted
        table.add(name, f"{how} {wanted:.2f}", f"{here:.2f}", "met" if is_met else "not met")
    print()
    table.print()
