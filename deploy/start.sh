#!/bin/sh
# What the image runs: the settings that the surroundings give, then the server.
#
# On Fly.io a machine knows who and where it is: FLY_MACHINE_ID becomes NODE_ID,
# FLY_REGION becomes NODE_REGION, <FLY_APP_NAME>.internal is the DNS name at
# which the nodes find each other, and FLY_PRIVATE_IP is the address told to
# others. What is set already stays. Anywhere else nothing is assumed, and the
# server founds a cluster of one unless PEERS, SEEDS or DISCOVERY_DNS say more.
#
#   START_FLAGS     flags for the server, such as --adopt or --rejoin
#   PHALANX_SERVER  the server's program
#   PHALANX_USER    who runs it, when this script is started as root
#
# Arguments go to the server too.
set -eu

server=${PHALANX_SERVER:-/usr/local/bin/phalanx-server}
user=${PHALANX_USER:-phalanx}

say() {
    echo "start: $*" >&2
}

take_from_fly() {
    : "${NODE_ID:=$FLY_MACHINE_ID}" "${NODE_REGION:=${FLY_REGION:-}}"
    if [ -z "${PEERS:-}${SEEDS:-}" ]; then
        : "${DISCOVERY_DNS:=$FLY_APP_NAME.internal}" "${BOOTSTRAP_EXPECT:=5}"
        export DISCOVERY_DNS BOOTSTRAP_EXPECT
    fi
    if [ -n "${FLY_PRIVATE_IP:-}" ]; then
        : "${ADVERTISE_ADDR:=[$FLY_PRIVATE_IP]:${GRPC_ADDR##*:}}"
        export ADVERTISE_ADDR
    fi
    export NODE_ID NODE_REGION
}

# What the ticks come to, for whoever reads the log later.
say_timings() {
    heartbeat_ms=$((TICK_MS * HEARTBEAT))
    election_ms=$((TICK_MS * ELECTION))
    say "a heartbeat every $heartbeat_ms ms, an election after $election_ms to" \
        "$((2 * election_ms)) ms without one (TICK_MS=$TICK_MS HEARTBEAT=$HEARTBEAT ELECTION=$ELECTION)"
    [ $((ELECTION)) -ge $((4 * HEARTBEAT)) ] ||
        say "an election timeout below four heartbeats is for networks without delay"
}

# A volume's root belongs to root, and so does what an older image wrote there.
take_over_volume() {
    mkdir -p "$DATA_DIR"
    find "$DATA_DIR" -name lost+found -prune -o ! -user "$user" -exec chown -h "$user": {} +
}

is_root_with_user() {
    [ "$(id -u)" -eq 0 ] && id "$user" >/dev/null 2>&1
}

: "${DATA_DIR:=/data}" "${GRPC_ADDR:=[::]:9000}" "${TICK_MS:=200}" "${HEARTBEAT:=5}" "${ELECTION:=20}"
export DATA_DIR GRPC_ADDR TICK_MS HEARTBEAT ELECTION
if [ -n "${FLY_APP_NAME:-}" ] && [ -n "${FLY_MACHINE_ID:-}" ]; then
    take_from_fly
fi
say "node ${NODE_ID:-(named by its directory, else by the host)}" \
    "in region ${NODE_REGION:-(none)}, data in $DATA_DIR"
say "others: ${PEERS:-${SEEDS:-${DISCOVERY_DNS:-none, a cluster of one}}}"
say_timings

# START_FLAGS is a list of words.
# shellcheck disable=SC2086
set -- "$server" ${START_FLAGS:-} "$@"
if is_root_with_user; then
    take_over_volume
    exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --no-new-privs "$@"
fi
exec "$@"
