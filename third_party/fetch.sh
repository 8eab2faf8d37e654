#!/usr/bin/env bash
# Get the code of others that no binary package carries: upb (headers and
# generator) and the health and reflection protos from Debian's grpc source
# package, civetweb from its own. See README.md in this folder.
#
#   third_party/fetch.sh [--grpc-tarball FILE] [--civetweb-tarball FILE]
#
# Environment, for the same purpose: PHALANX_GRPC_TARBALL,
# PHALANX_CIVETWEB_TARBALL, and PHALANX_THIRD_PARTY_CACHE for the folder that
# keeps the tarballs. Does nothing when the unpacked output is up to date.
set -euo pipefail

grpc_tarball=grpc_1.51.1.orig.tar.gz
grpc_sha256=b55696fb249669744de3e71acc54a9382bea0dce7cd5ba379b356b12b82d4229
civetweb_tarball=civetweb_1.15+dfsg.orig.tar.xz
civetweb_sha256=ec372e9737bc820118bbb735f46a07d41f795814ca0f38bc6e67048e7a460f33
layout=1 # raise when unpack() changes, so that old output is replaced

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=$here/.build
cache=${PHALANX_THIRD_PARTY_CACHE:-$here/.cache}
stamp="layout $layout grpc $grpc_sha256 civetweb $civetweb_sha256"
grpc_given=${PHALANX_GRPC_TARBALL:-}
civetweb_given=${PHALANX_CIVETWEB_TARBALL:-}

fail() {
    echo "fetch: $*" >&2
    exit 1
}

while [ $# -gt 0 ]; do
    case "$1" in
        --grpc-tarball) grpc_given=${2:?--grpc-tarball needs a file} ;;
        --civetweb-tarball) civetweb_given=${2:?--civetweb-tarball needs a file} ;;
        *) fail "unknown option $1 (see the top of $0)" ;;
    esac
    shift 2
done

is_file_with_sha256() { # file sha256
    [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status
}

# Copy a tarball that the caller named into the cache, if it is the right one.
take_given() { # file name sha256
    [ -n "$1" ] || return 0
    is_file_with_sha256 "$1" "$3" || fail "$1 is missing or is not $2 (SHA-256 $3)"
    [ "$1" -ef "$cache/$2" ] || cp -- "$1" "$cache/$2"
}

# Write source-package entries derived from the machine's own apt sources
# into the folder $1, in both notations. The machine's lists stay untouched.
write_source_lists() { # folder
    local list parts file name
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "${list:-/etc/apt/sources.list}" "${parts:-/etc/apt/sources.list.d}"/*; do
        [ -f "$file" ] || continue
        name=$(basename "$file")
        case "$name" in
            *.list)
                sed -nE 's/^[[:space:]]*deb(-src)?([[:space:]])/deb-src\2/p' "$file" |
                    sort -u >"$1/$name"
                ;;
            *.sources) sed -E 's/^Types[[:space:]]*:.*/Types: deb-src/I' "$file" >"$1/$name" ;;
        esac
    done
}

# Download source packages into the cache. Entries of third parties may have
# no source packages, or not answer: their failure is not ours. The caller
# looks whether the tarball arrived.
download() { # source package...
    local work options package version
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    mkdir -p "$work"/{parts,lists/partial,cache/archives/partial,out}
    write_source_lists "$work/parts"
    options=(
        -q
        -o Dir::State::lists="$work/lists"
        -o Dir::Cache="$work/cache"
        -o Dir::Etc::sourcelist=/dev/null
        -o Dir::Etc::sourceparts="$work/parts"
        -o Acquire::http::Timeout=20
        -o Acquire::https::Timeout=20
        -o Acquire::Languages=none
    )
    [ "$(id -u)" -ne 0 ] || options+=(-o APT::Sandbox::User=root)
    (
        cd "$work/out"
        apt-get "${options[@]}" update || true
        for package in "$@"; do
            # The source that our libgrpc was built from, or else the newest.
            version=
            if [ "$package" = grpc ]; then
                version=$(dpkg-query -W -f='=${source:Version}' libgrpc-dev 2>/dev/null || true)
            fi
            apt-get "${options[@]}" source --download-only "$package$version" ||
                apt-get "${options[@]}" source --download-only "$package" || true
        done
    ) >"$work/log" 2>&1
    for package in "$work"/out/*.orig.tar.*; do
        [ ! -f "$package" ] || cp -- "$package" "$cache/"
    done
    grep -E '^(E|Err|W):?' "$work/log" >&2 || true
    rm -rf "$work"
    trap - EXIT
}

unpack() { # folder
    mkdir -p "$1"/{upb,protos,civetweb}
    tar -xzf "$cache/$grpc_tarball" -C "$1/upb" --strip-components=3 \
        grpc-1.51.1/third_party/upb/{upb,upbc,LICENSE}
    mkdir -p "$1/upb/generated"
    tar -xzf "$cache/$grpc_tarball" -C "$1/upb/generated" --strip-components=5 \
        grpc-1.51.1/src/core/ext/upb-generated/google/protobuf
    # At grpc/health/v1/health.proto and so on, the names clients know.
    tar -xzf "$cache/$grpc_tarball" -C "$1/protos" --strip-components=3 \
        grpc-1.51.1/src/proto/grpc/health/v1/health.proto \
        grpc-1.51.1/src/proto/grpc/reflection/v1/reflection.proto \
        grpc-1.51.1/src/proto/grpc/reflection/v1alpha/reflection.proto
    tar -xzf "$cache/$grpc_tarball" -C "$1/protos" --strip-components=1 grpc-1.51.1/LICENSE
    tar -xJf "$cache/$civetweb_tarball" -C "$1/civetweb" --strip-components=1 \
        civetweb-1.15/{src,include,LICENSE.md}
}

if [ "$(cat "$output/stamp" 2>/dev/null)" = "$stamp" ]; then
    exit 0
fi

mkdir -p "$cache"
take_given "$grpc_given" "$grpc_tarball" "$grpc_sha256"
take_given "$civetweb_given" "$civetweb_tarball" "$civetweb_sha256"

wanted=()
is_file_with_sha256 "$cache/$grpc_tarball" "$grpc_sha256" || wanted+=(grpc)
is_file_with_sha256 "$cache/$civetweb_tarball" "$civetweb_sha256" || wanted+=(civetweb)
if [ ${#wanted[@]} -gt 0 ]; then
    echo "fetch: downloading the source packages of ${wanted[*]}"
    download "${wanted[@]}"
fi
is_file_with_sha256 "$cache/$grpc_tarball" "$grpc_sha256" ||
    fail "$grpc_tarball (SHA-256 $grpc_sha256) did not arrive; see third_party/README.md, Offline"
is_file_with_sha256 "$cache/$civetweb_tarball" "$civetweb_sha256" ||
    fail "$civetweb_tarball (SHA-256 $civetweb_sha256) did not arrive; see third_party/README.md, Offline"

# Unpack beside the output and rename, so that a broken run leaves no half tree.
fresh=$(mktemp -d "$here/.build.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
chmod 755 "$fresh"
unpack "$fresh"
echo "$stamp" >"$fresh/stamp"
rm -rf "$output"
mv "$fresh" "$output"
trap - EXIT
echo "fetch: third_party/.build is ready"
