#!/usr/bin/env bash
# Gossip's simulation can fail: each planted bug is caught, in storms or in a calm.
# caught.sh path/to/gossip-sim-planted
set -euo pipefail

expect_caught() { # plant option...
    if "$sim" --plant "$@" >/dev/null; then
        echo "$1 was not caught" >&2
        exit 1
    fi
}

sim=$1
for plant in refute_without_incarnation old_news keep_address let_the_dead_lie; do
    expect_caught $plant --seeds 1..100
done
for plant in believe_the_dead_call no_helpers; do
    expect_caught $plant --calm 10 --seeds 1..4
done
