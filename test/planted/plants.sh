#!/usr/bin/env bash
# Each planted bug must be caught by a directed test, every time: prints by which one.
#
#   plants.sh build-folder           what `make test` runs
#   plants.sh build-folder seeds     and after how many seeds a simulation catches it, if it does
#
# Three bugs lie in the simulator's own disk and nodes: those are for seeds alone.
set -euo pipefail

build=$(realpath "$1")
seeds=${2:-0}
for_seeds_alone=' skip_sync_at_open forget_answers snapshot_forgets '
missed=0
cd "$(dirname "${BASH_SOURCE[0]}")/.." # where the stories of test/script are

programs_of() { # simulation
    sed -n "s/^$1 //p" "$build/test/planted/programs"
}

# A test that fails without any bug would prove nothing.
check_without_plants() { # program...
    local program
    for program in "$@"; do
        if ! PHALANX_PLANT='' timeout 60 "$program" >/dev/null 2>&1; then
            echo "$program fails without a planted bug" >&2
            exit 1
        fi
    done
}

# Of what a failed test has printed, where it failed first.
first_failure() {
    grep -aoE '\[  FAILED  \] .*|broken: [^(]*|CHECK failed: .*|^script/.*:[0-9]+$' |
        sed -n 's/^\[  FAILED  \] //; 1p'
}

by_test() { # plant program...: the first that fails
    local plant=$1 program out
    for program in "${@:2}"; do
        if ! out=$( (PHALANX_PLANT=$plant timeout 60 "$program") 2>&1); then
            printf '%s: %s' "$(basename "$program")" "$(first_failure <<<"$out" || true)"
            return
        fi
    done
}

by_seeds() { # simulation plant: after how many
    local out
    out=$("$build/bin/$1-planted" --plant "$2" --seeds "1..$seeds" || true)
    sed -n 's/.*first: seed [0-9]*, after \([0-9]*\)).*/\1/p' <<<"$out"
}

look_at() { # simulation plant program...
    local plant=$2 test count=
    test=$(by_test "$plant" "${@:3}")
    [ "$seeds" -eq 0 ] || count=$(by_seeds "$1" "$plant")
    printf '%-26s %6s   %s\n' "$plant" "${count:--}" "${test:--}"
    if [[ $for_seeds_alone == *" $plant "* ]]; then
        [ "$seeds" -eq 0 ] || [ -n "$count" ] && return
    elif [ -n "$test" ]; then
        return
    fi
    echo "$plant was not caught" >&2
    missed=$((missed + 1))
}

printf '%-26s %6s   %s\n' 'planted bug' seeds 'directed test'
for simulation in phalanx-sim founding-sim gossip-sim; do
    mapfile -t programs < <(programs_of "$simulation")
    check_without_plants "${programs[@]}"
    while read -r plant _; do
        look_at "$simulation" "$plant" "${programs[@]}"
    done < <("$build/bin/$simulation-planted" --plant list || true)
done
exit $((missed > 0))
