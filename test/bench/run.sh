#!/usr/bin/env bash
# Build the release and measure it; prints tables, keeps every figure as JSON lines.
#
#   BENCH_ROUNDS=5 BENCH_SECONDS=3   how often and how long each point is measured
#   BENCH_KEYS=100000 BENCH_MANY_KEYS=1000000   what is stored
#   BENCH_PARTS="consensus throughput footprint cluster failover"   what to measure, see below
#   BENCH_SIZES="3 5"                nodes of the clusters
#   BENCH_FAILOVERS=20               how often the leader is killed
#
# The parts:
#
#   consensus    the engine alone
#   throughput   one node: operations a second, latency
#   footprint    one node: memory, bytes written, starts
#   cluster      clusters: operations a second with so many in flight; latency at equal rates, of
#                calls that come at given moments whatever the answers do; memory, bytes written,
#                starts and restarts; a picture
#   failover     how long nobody can write after kill -9 of the leader
#   million      three nodes with a million keys: memory, disk, bytes written, restarts. Not among
#                those that are measured unasked, as filling etcd takes minutes
#
# etcd is measured beside it where it is installed. The machine should be quiet. Clusters alone, in
# about twelve minutes:
#
#   BENCH_PARTS=cluster BENCH_SIZES=3 BENCH_ROUNDS=3 BENCH_SECONDS=1.5 test/bench/run.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${BENCH_BUILD:-build}

cmake --preset release -B "$build" >/dev/null
cmake --build "$build" --target phalanx-server phalanx-load echo_server log_commit first_answer consensus
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 test/bench/bench.py "$build"
