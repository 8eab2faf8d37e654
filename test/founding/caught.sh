#!/usr/bin/env bash
# Founding's simulation can fail: the planted bugs that few seeds show.
# caught.sh path/to/founding-sim-planted; `--plant list` names all there are.
set -euo pipefail

for plant in accept_two accept_before_durable start_without_all drop_when_one_is_gone \
    drop_committed let_go_in_silence found_before_durable; do
    if "$1" --plant $plant --seeds 1..500 >/dev/null; then
        echo "$plant was not caught" >&2
        exit 1
    fi
done
