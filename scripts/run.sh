#!/usr/bin/env bash
# Start one node, show a put and a get, and keep the node running.
#
# On a terminal it runs until Ctrl-C; without one it stops the node after the
# get, so that a script can see it work. The node's data stay in DATA_DIR
# (./data); addresses and ticks may be given in the environment as well.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
server=build/bin/phalanx-server
client=build/bin/phalanx

# The first free port of this machine from $1 up.
free_port() {
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    echo "$port"
}

for program in $server $client; do
    [ -x $program ] || { echo "run: $program is not there; run 'make build' first" >&2; exit 1; }
done

export NODE_ID=${NODE_ID:-node-1}
export DATA_DIR=${DATA_DIR:-./data}
export GRPC_ADDR=${GRPC_ADDR:-127.0.0.1:$(free_port 9000)}
export DEBUG_ADDR=${DEBUG_ADDR:-127.0.0.1:$(free_port 8080)}
export TICK_MS=${TICK_MS:-100} ELECTION=${ELECTION:-10} HEARTBEAT=${HEARTBEAT:-3}

mkdir -p "$DATA_DIR"
echo "run: starting $NODE_ID, gRPC on $GRPC_ADDR, debug page on http://$DEBUG_ADDR, data in $DATA_DIR"
$server &
node=$!

stop_node() {
    kill -TERM $node 2>/dev/null || true
    wait $node || node_status=$?
}
node_status=0
trap 'stop_node; exit 1' EXIT
# Ctrl-C reaches the node as well; here it only ends the waiting.
trap : INT TERM

show() {
    echo "\$ $*"
    "$@"
}

# Whether it answers a read; 3 is the answer that there is no such key.
is_ready() {
    local status=0
    $client get greeting -addr "$GRPC_ADDR" -timeout 1s >/dev/null 2>&1 || status=$?
    [ $status -eq 0 ] || [ $status -eq 3 ]
}

for attempt in $(seq 1 100); do
    kill -0 $node 2>/dev/null || { echo "run: the node ended" >&2; exit 1; }
    if is_ready; then
        break
    fi
    [ "$attempt" -lt 100 ] || { echo "run: the node did not get ready" >&2; exit 1; }
    sleep 0.2
done

show $client put greeting hello -addr "$GRPC_ADDR"
show $client get greeting -addr "$GRPC_ADDR"
[ -t 1 ] || echo # a value is printed as it is, with a newline on a terminal only

if [ -t 1 ]; then
    echo "run: the node keeps running; Ctrl-C stops it"
    wait $node || true # ends early at Ctrl-C; stop_node waits to the end
fi
trap - EXIT
stop_node
# 130 and 143 are a stop by the signal itself, before a handler was set up.
case $node_status in
    0 | 130 | 143) echo "run: stopped" ;;
    *) echo "run: the node ended with status $node_status" >&2; exit 1 ;;
esac
