#!/usr/bin/env bash
# The same seed gives the same run, to the last bit: replay.sh path/to/phalanx-sim
set -euo pipefail

for seed in 7 21 1234; do
    first=$("$1" --seed "$seed" | sed -n 's/.* digest \([0-9a-f]*\).*/\1/p')
    second=$("$1" --seed "$seed" | sed -n 's/.* digest \([0-9a-f]*\).*/\1/p')
    [ -n "$first" ] && [ "$first" = "$second" ] || {
        echo "seed $seed: digest '$first', then '$second'" >&2
        exit 1
    }
done
