#!/usr/bin/env bash
# The simulator can fail: some planted bugs that few seeds show.
# caught.sh path/to/phalanx-sim-planted; `make plants` goes through all of them.
set -euo pipefail

for plant in skip_vote_sync ack_before_sync apply_before_durable durable_by_index forget_vote \
    vote_for_shorter_log no_truncation forget_answers snapshot_forgets install_old \
    skip_sync_at_open gate_skips_memory gate_trusts_counter; do
    if "$1" --plant $plant --seeds 1..1000 >/dev/null; then
        echo "$plant was not caught" >&2
        exit 1
    fi
done
