#!/usr/bin/env bash
# Each planted bug must be caught: prints after how many seeds, and by what.
#
#   plants.sh path/to/phalanx-sim-planted [seeds] [option...]
set -euo pipefail

sim=$1
seeds=${2:-10000}
shift $(($# < 2 ? $# : 2))
missed=0
while read -r plant _; do
    out=$("$sim" --plant "$plant" --seeds "1..$seeds" "$@" || true)
    failure=$(sed -n 's/^seed [0-9]* FAILED: //p' <<<"$out" | head -1)
    count=$(sed -n 's/.*first: seed [0-9]*, after \([0-9]*\)).*/\1/p' <<<"$out")
    if [ -n "$count" ]; then
        printf '%-26s after %5s seeds: %s\n' "$plant" "$count" "$failure"
    else
        printf '%-26s NOT CAUGHT in %s seeds\n' "$plant" "$seeds"
        missed=$((missed + 1))
    fi
done < <("$sim" --plant list || true)
exit $((missed > 0))
