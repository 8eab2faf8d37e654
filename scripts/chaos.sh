#!/usr/bin/env bash
# Restart machines under load, and judge what the clients saw.
#
#   scripts/chaos.sh APP ADDR [--rounds N] [--seed N]    machines of a Fly.io app
#   scripts/chaos.sh --driver mesh [...]                 five regions on this machine
#   scripts/chaos.sh --driver local [...]                five processes on this machine
#
# In each round clients write and read through all nodes while one machine, and
# then two at once, are stopped or killed and started again. Then what was
# written through each node is read through every other, and everything that any
# client saw is checked for being one order of operations (linearizability). The
# last line has the counts; the exit status is 0 only if nothing was wrong.
#
# ADDR is one node, such as [fdaa::1]:9000; the others are asked of it. For
# Fly.io this runs inside the private network, as over its WireGuard, with `fly`
# logged in. The seed decides who is restarted when, not how long things take.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case ${1:-} in
    "" | -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
bin=$root/build/bin
[ -z "${PHALANX_SERVER:-}" ] || bin=$(dirname "$PHALANX_SERVER")
[ -x "$bin/phalanx-history" ] || {
    echo "chaos: there is no $bin/phalanx-history; run 'make build' first" >&2
    exit 1
}
/usr/bin/python3 -c 'import grpc, google.protobuf' 2>/dev/null || {
    echo "chaos: python3-grpcio or python3-protobuf is missing; run 'scripts/setup.sh test' first" >&2
    exit 1
}
PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 "$root/test/chaos/chaos.py" "$@"
