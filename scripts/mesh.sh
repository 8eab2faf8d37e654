#!/usr/bin/env bash
# Five regions on this machine: a network namespace each, with the round-trip
# times of Johannesburg, London, Chicago, Singapore and Frankfurt between them,
# and in each a node started as the image starts it, by deploy/start.sh in an
# environment like Fly.io's.
#
#   scripts/mesh.sh up                  make the network and start the nodes
#   scripts/mesh.sh status              what each node says of itself
#   scripts/mesh.sh show                what passed on each link, and what was lost
#   scripts/mesh.sh cut A [B]           nothing passes between A and B (or any)
#   scripts/mesh.sh hole A [B]          nothing passes from A to B
#   scripts/mesh.sh heal [A [B]]        it passes again
#   scripts/mesh.sh link A B RTT JITTER LOSS REORDER     milliseconds and per cent
#   scripts/mesh.sh kill|stop|start|wipe A...            SIGKILL, SIGTERM, start, lose the data
#   scripts/mesh.sh exec A COMMAND...   run it in a region, or in `ops`
#   scripts/mesh.sh down                stop everything; data and logs stay
#
# `ops` is a sixth place, a millisecond from everywhere, with the DNS server
# (fdaa::3) and room for clients. Data, logs and the rest are in MESH_DIR
# (./data-mesh); MESH (phalanx) begins the namespaces' names, for two at once.
# The servers' settings may be given in the environment. Needs root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mesh=${MESH:-phalanx}
directory=$(realpath -m "${MESH_DIR:-./data-mesh}")
bin=${PHALANX_BIN:-$root/build/bin}
app=phalanx
regions=(jnb lhr ord sin fra)
declare -A address=([jnb]=fdaa::11 [lhr]=fdaa::12 [ord]=fdaa::13 [sin]=fdaa::14 [fra]=fdaa::15
    [ops]=fdaa::3)

# Round trips in milliseconds, as measured between such places on a usual day.
round_trips="jnb lhr 160
jnb ord 235
jnb sin 300
jnb fra 165
lhr ord 88
lhr sin 170
lhr fra 14
ord sin 215
ord fra 100
sin fra 160"
quality="2 0.05 0.05" # jitter in milliseconds, loss and reordering in per cent

# Like Fly's private network.
mtu=1420

fail() {
    echo "mesh: $*" >&2
    exit 1
}

tell() {
    "$bin/phalanx-mesh" tell "$directory/control" "$@"
}

namespace() {
    echo "$mesh-$1"
}

is_place() {
    [ -n "${address[${1:-none}]:-}" ]
}

in_place() { # place command...
    is_place "$1" || fail "$1 is not one of ${regions[*]} ops"
    ip netns exec "$(namespace "$1")" "${@:2}"
}

# ---- The network ---------------------------------------------------------------------------------

make_namespace() { # place
    local name
    name=$(namespace "$1")
    mkdir -p "/etc/netns/$name"
    echo "nameserver ${address[ops]}" >"/etc/netns/$name/resolv.conf"
    ip netns add "$name"
    ip -n "$name" link set lo up
}

configure_namespace() { # place
    local name
    name=$(namespace "$1")
    ip -n "$name" link set mesh0 mtu $mtu up
    ip -n "$name" addr add "${address[$1]}/64" dev mesh0 nodad
}

describe_network() {
    local place
    for place in "${regions[@]}" ops; do
        echo "place $place ${address[$place]} $(namespace "$place")"
    done
    echo "link ops all 1 0 0 0"
    while read -r from to milliseconds; do
        echo "link $from $to $milliseconds $quality"
    done <<<"$round_trips"
}

start_network() {
    local place
    for place in "${regions[@]}" ops; do
        make_namespace "$place"
    done
    describe_network >"$directory/network"
    setsid "$bin/phalanx-mesh" run "$directory/control" "$directory/network" \
        >>"$directory/network.log" 2>&1 </dev/null &
    echo $! >"$directory/network.pid"
    wait_for "the network" tell show
    for place in "${regions[@]}" ops; do
        configure_namespace "$place"
    done
}

wait_for() { # what command...
    local try
    for try in $(seq 1 100); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep 0.05
    done
    fail "$1 did not come up; see $directory"
}

# ---- Names ---------------------------------------------------------------------------------------

# As Fly's resolver does it, which knows only machines that run.
list_names() {
    local region
    for region in "${regions[@]}"; do
        if is_running "$region"; then
            echo "${address[$region]} $app.internal $region.$app.internal" \
                "$(machine "$region").vm.$app.internal"
        fi
    done
}

publish_names() {
    list_names >"$directory/hosts.new"
    mv "$directory/hosts.new" "$directory/hosts"
    kill -HUP "$(cat "$directory/dns.pid")"
}

start_dns() {
    : >"$directory/hosts"
    in_place ops dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --port=53 --user=root \
        --addn-hosts="$directory/hosts" --local=/internal/ --local-ttl=1 --bind-interfaces \
        --listen-address="${address[ops]}" --pid-file="$directory/dns.pid" \
        --log-facility="$directory/dns.log"
}

# ---- Nodes ---------------------------------------------------------------------------------------

machine() { # region
    echo "machine-$1"
}

pid_of() { # region
    cat "$directory/$1.pid" 2>/dev/null || true
}

# Whoever ended is not alive, even where nobody asks after it.
is_alive() { # pid
    local state
    read -r _ _ state _ 2>/dev/null <"/proc/${1:-none}/stat" && [ "$state" != Z ]
}

is_running() { # region
    is_alive "$(pid_of "$1")"
}

# The settings of the servers that the caller's environment has.
given_settings() {
    local name
    for name in PEERS TICK_MS ELECTION HEARTBEAT LOG_LEVEL LEASE_READS STATE_FLUSH_MS LOG_KEEP_ENTRIES \
        LOG_KEEP_MB GOSSIP_KEY AUTOPILOT_REPLACE AUTOPILOT_DEAD_S START_FLAGS; do
        [ -z "${!name:-}" ] || echo "$name=${!name}"
    done
}

start_node() { # region
    local settings
    is_running "$1" && fail "$1 runs already"
    mapfile -t settings < <(given_settings)
    # Not by in_place: what is noted is to be the server's own process.
    ip netns exec "$(namespace "$1")" env -i PATH="$PATH" PHALANX_SERVER="$bin/phalanx-server" PHALANX_USER=root \
        FLY_APP_NAME=$app FLY_MACHINE_ID="$(machine "$1")" FLY_REGION="$1" \
        FLY_PRIVATE_IP="${address[$1]}" PRIMARY_REGION=ord \
        DATA_DIR="$directory/$1" "${settings[@]}" \
        setsid "$root/deploy/start.sh" >>"$directory/$1.log" 2>&1 </dev/null &
    echo $! >"$directory/$1.pid"
}

end_node() { # region signal
    local pid
    pid=$(pid_of "$1")
    is_running "$1" || return 0
    kill "-$2" "$pid"
    while is_alive "$pid"; do
        sleep 0.02
    done
    rm "$directory/$1.pid"
}

wipe_node() { # region
    end_node "$1" KILL
    rm -rf "${directory:?}/$1"
}

# ---- Commands ------------------------------------------------------------------------------------

each_node() { # action region...
    local action=$1 region
    shift
    [ $# -gt 0 ] || fail "which of ${regions[*]}?"
    for region in "$@"; do
        is_place "$region" && [ "$region" != ops ] || fail "$region is not one of ${regions[*]}"
        case $action in
            kill) end_node "$region" KILL ;;
            stop) end_node "$region" TERM ;;
            start) start_node "$region" ;;
            wipe) wipe_node "$region" ;;
        esac
    done
    publish_names
}

up() {
    [ ! -e "/run/netns/$(namespace ops)" ] || fail "it is up already"
    mkdir -p "$directory"
    trap 'down' EXIT
    start_network
    start_dns
    each_node start "${regions[@]}"
    trap - EXIT
    echo "mesh: up; PHALANX_ADDR=$(addresses)"
}

addresses() {
    local region list=
    for region in "${regions[@]}"; do
        list+=${list:+,}[${address[$region]}]:9000
    done
    echo "$list"
}

status() {
    local region
    for region in "${regions[@]}"; do
        if is_running "$region"; then
            in_place ops "$bin/phalanx" status -addr "[${address[$region]}]:9000" -timeout 2s 2>&1 |
                sed "1s/^/$region: /; 2,\$s/^/     /" || true
        else
            echo "$region: does not run"
        fi
    done
}

down() {
    local place name
    for place in "${regions[@]}" ops; do
        name=$(namespace "$place")
        [ -e "/run/netns/$name" ] || continue
        [ "$place" = ops ] || end_all "$name" # in ops there may be the caller
        ip netns del "$name"
        rm -rf "/etc/netns/$name"
    done
    for place in dns network; do
        [ ! -f "$directory/$place.pid" ] || kill "$(cat "$directory/$place.pid")" 2>/dev/null || true
    done
    rm -f "$directory"/*.pid "$directory/control"
}

# Whatever runs in a region: asked first, then made to.
end_all() { # namespace
    local pids try
    for try in $(seq 1 60); do
        pids=$(ip netns pids "$1")
        [ -n "$pids" ] || return 0
        # shellcheck disable=SC2086
        kill "-$([ "$try" -lt 50 ] && echo TERM || echo KILL)" $pids 2>/dev/null || true
        sleep 0.1
    done
}

[ "$(id -u)" -eq 0 ] || fail "needs root, for network namespaces"
[ -x "$bin/phalanx-mesh" ] || fail "there is no $bin/phalanx-mesh; run 'make build' first"
for program in ip dnsmasq; do
    command -v $program >/dev/null || fail "there is no $program; run 'scripts/setup.sh test' first"
done
case ${1:-} in
    up | down | status | addresses) "$1" ;;
    show) tell show ;;
    cut | hole) tell "$1" "${2:?which place?}" "${3:-all}" ;;
    heal) tell heal "${2:-all}" "${3:-all}" ;;
    link) tell "$@" ;;
    kill | stop | start | wipe) each_node "$@" ;;
    exec) in_place "${2:?where?}" "${@:3}" ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
