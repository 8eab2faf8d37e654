#!/usr/bin/env bash
# Install the Debian packages that building and testing need.
#
#   scripts/setup.sh build    what `make build` needs
#   scripts/setup.sh test     what the tests need on top
#   scripts/setup.sh fuzz     what the fuzz preset needs on top
#   scripts/setup.sh browser  what the dashboard's test needs on top; it skips without
#   scripts/setup.sh runtime  what the built programs need, in an image
#   scripts/setup.sh          build and test
#
# Asks dpkg first and calls apt only for what is missing, so it is quick on a
# machine that is ready and needs neither root nor a network there.
set -euo pipefail

build_packages=(
    ca-certificates
    cmake
    curl
    g++
    gcc
    libabsl-dev
    libbsd-dev
    libc-ares-dev
    libc6-dev
    libcmocka-dev
    libgrpc-dev
    libisal-dev
    liblmdb-dev
    libprotobuf-dev
    libprotoc-dev
    libsodium-dev
    libssl-dev
    make
    ninja-build
    protobuf-compiler
    xz-utils
)

# clang-format is pinned: another version formats the same style differently.
# prometheus brings promtool; its own server need not run.
test_packages=(
    clang-format-14
    dnsmasq-base
    e2fsprogs
    iproute2
    openssl
    procps
    prometheus
    python3
    python3-grpcio
    python3-protobuf
    python3-yaml
    strace
)

fuzz_packages=(
    clang
    libclang-rt-14-dev
)

browser_packages=(
    chromium
)

runtime_packages=(
    libc-ares2
    libgrpc29
    libisal2
    liblmdb0
    libsodium23
    libssl3
    tini
)

usage() {
    echo "usage: scripts/setup.sh [build|test|fuzz|browser|runtime]" >&2
    exit 2
}

[ $# -le 1 ] || usage
case "${1:-all}" in
    build) wanted=("${build_packages[@]}") ;;
    test) wanted=("${test_packages[@]}") ;;
    fuzz) wanted=("${fuzz_packages[@]}") ;;
    browser) wanted=("${browser_packages[@]}") ;;
    runtime) wanted=("${runtime_packages[@]}") ;;
    all) wanted=("${build_packages[@]}" "${test_packages[@]}") ;;
    *) usage ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "setup: this is not a Debian system; install by hand: ${wanted[*]}" >&2
    exit 1
fi

# Prints the wanted packages that are not installed. A virtual package counts
# as installed when something provides it.
missing_packages() {
    local installed package
    installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' |
        sed -n 's/^installed //p' | sed 's/([^)]*)//g' | tr -s ', ' '\n')
    for package in "$@"; do
        grep -qxF -- "$package" <<<"$installed" || echo "$package"
    done
}

mapfile -t missing < <(missing_packages "${wanted[@]}")
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "setup: need root or sudo to install: ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@"
}

echo "setup: installing ${missing[*]}"
# A third-party source that does not answer makes the update fail although the
# packages are there; whether they install is what counts.
apt update || echo "setup: apt-get update reported errors; going on" >&2
apt install -y --no-install-recommends "${missing[@]}"
