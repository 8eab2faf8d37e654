#!/usr/bin/env bash
# Start five nodes on this machine as one cluster, show a put through one node
# and a get through another, and keep them running.
#
# On a terminal they run until Ctrl-C; without one they stop after the get. The
# nodes' data and logs stay in DATA_DIR (./data-cluster). NODES=3 makes it three.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
server=build/bin/phalanx-server
client=build/bin/phalanx
count=${NODES:-5}
data=${DATA_DIR:-./data-cluster}

for program in $server $client; do
    [ -x $program ] || { echo "cluster: $program is not there; run 'make build' first" >&2; exit 1; }
done

is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# As many ports in a row that are free, from $1 up; a cluster keeps its own.
free_ports() {
    local first=$1 i
    for ((i = 0; i < count; i++)); do
        is_free $((first + i)) || { first=$((first + i + 1)); i=-1; }
    done
    echo "$first"
}

mkdir -p "$data"
if [ -f "$data/ports" ]; then
    read -r grpc http <"$data/ports"
else
    grpc=$(free_ports "${GRPC_PORT:-9000}")
    http=$(free_ports "${DEBUG_PORT:-8080}")
    echo "$grpc $http" >"$data/ports"
fi

peers=
addresses=
for ((i = 1; i <= count; i++)); do
    peers+=${peers:+,}node-$i=127.0.0.1:$((grpc + i - 1))
    addresses+=${addresses:+,}127.0.0.1:$((grpc + i - 1))
done

pids=()
stop_nodes() {
    local pid status=0
    for pid in "${pids[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" || status=$?
        # 130 and 143 are a stop by the signal itself, before a handler was set up.
        case $status in 0 | 130 | 143) ;; *) exit_status=1 ;; esac
    done
}
exit_status=0
trap 'stop_nodes; exit 1' EXIT
trap : INT TERM

for ((i = 1; i <= count; i++)); do
    # A process group of its own: Ctrl-C is for this script, which stops them one by one.
    NODE_ID=node-$i PEERS=$peers DATA_DIR=$data/node-$i \
        GRPC_ADDR=127.0.0.1:$((grpc + i - 1)) DEBUG_ADDR=127.0.0.1:$((http + i - 1)) \
        TICK_MS=${TICK_MS:-100} ELECTION=${ELECTION:-10} HEARTBEAT=${HEARTBEAT:-3} \
        setsid $server 2>>"$data/node-$i.log" &
    pids+=($!)
    echo "cluster: node-$i, gRPC on 127.0.0.1:$((grpc + i - 1)), debug page on" \
        "http://127.0.0.1:$((http + i - 1)), log in $data/node-$i.log"
done

show() {
    echo "\$ $*"
    "$@"
}

is_ready() {
    local status=0
    $client get greeting -addr "$addresses" -timeout 1s >/dev/null 2>&1 || status=$?
    [ $status -eq 0 ] || [ $status -eq 3 ]
}

for attempt in $(seq 1 100); do
    if is_ready; then
        break
    fi
    [ "$attempt" -lt 100 ] || { echo "cluster: it did not get ready; see $data/*.log" >&2; exit 1; }
    sleep 0.2
done

show $client put greeting hello -addr 127.0.0.1:$grpc
show $client get greeting -addr 127.0.0.1:$((grpc + count - 1))
[ -t 1 ] || echo # a value is printed as it is, with a newline on a terminal only

if [ -t 1 ]; then
    echo "cluster: the nodes keep running; Ctrl-C stops them"
    wait || true # ends early at Ctrl-C; stop_nodes waits to the end
fi
trap - EXIT
stop_nodes
[ $exit_status -eq 0 ] && echo "cluster: stopped"
exit $exit_status
