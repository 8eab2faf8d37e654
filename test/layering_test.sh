#!/usr/bin/env bash
# Reads the #include lines and checks that the rooms keep to their doors.
#
# Of the rows of one kind, the first whose FILES fit decides (`only`: HEADERS).
# A pattern ending in /** takes in folders below; otherwise * stops at a slash.
set -euo pipefail

doors='src/*.h src/raft/raft.h src/kv/kv.h src/founding/founding.h
    src/gossip/gossip.h src/gossip/address.h src/gossip/dns.h src/gossip/udp.h
    src/rpc/rpc.h src/debug/debug.h'

pure='assert.h inttypes.h limits.h stdalign.h stdarg.h stdbool.h stddef.h stdint.h stdlib.h
    string.h bsd/sys/** sys/queue.h'

libc="$pure arpa/** ctype.h dirent.h dlfcn.h endian.h errno.h fcntl.h float.h getopt.h ifaddrs.h
    linux/** locale.h malloc.h math.h net/** netdb.h netinet/** poll.h pthread.h sched.h
    semaphore.h setjmp.h signal.h spawn.h stdatomic.h stdio.h strings.h sys/** syslog.h
    termios.h threads.h time.h unistd.h wchar.h"

# The turn and its parts: what the simulator runs too.
turn='cmd/server/turn.[ch] cmd/server/parts.h cmd/server/requests.c cmd/server/journal.c
    cmd/server/applier.c cmd/server/status.c cmd/server/trail.[ch] cmd/server/retention.[ch]
    cmd/server/gate.[ch] cmd/server/gate_memory.[ch]'

# own     FILES   our own headers they may include
# system  FILES   libc headers they may include
# only    HEADERS the files that may include them
# never   FILES   headers they must not include though a row above lets them
rules=$(cat <<EOT
own    | src/*                | src/*.h                               | the ground floor knows no room
own    | src/raft/**          | src/*.h src/raft/**                   | raft knows the ground floor and itself
own    | src/kv/**            | src/*.h src/raft/raft.h src/kv/**     | kv knows the ground floor and the raft door
own    | src/founding/**      | src/*.h src/raft/raft.h src/founding/** | founding knows the ground floor and the raft door
own    | src/gossip/**        | src/*.h src/gossip/**                 | gossip knows the ground floor and itself
own    | src/rpc/**           | src/*.h src/raft/raft.h src/kv/kv.h src/rpc/** | rpc knows the ground floor and the raft and kv doors
own    | src/debug/**         | src/*.h src/debug/**                  | debug knows the ground floor and itself
own    | cmd/server/**        | $doors cmd/server/**                  | a program enters rooms by their doors
own    | cmd/phalanx/**       | $doors cmd/phalanx/**                 | a program enters rooms by their doors
own    | test/unit/**         | **                                    |
own    | test/fuzz/**         | **                                    |
own    | test/founding/duel.c | $doors src/founding/machine.h test/** | an adversary tells messages apart
own    | test/**              | $doors cmd/** test/**                 | only unit and fuzz tests see private headers, and the duel

never  | src/raft/**          | src/log.h                             | raft does not log; its caller decides
never  | src/founding/**      | src/log.h                             | founding does not log; its caller decides

system | src/raft/**          | $pure                                 | raft is pure: no clock, I/O, thread or socket
system | src/founding/**      | $pure                                 | founding is pure: no clock, I/O, thread or socket
system | src/gossip/udp.c src/gossip/dns.c src/gossip/address.c | $libc | of others, gossip knows libc only
system | src/gossip/**        | $pure                                 | gossip is pure but for its shell
system | $turn                | $pure stdio.h                         | a turn has no socket, thread or disk
system | src/**               | $libc                                 | others' headers need a row of their own
system | cmd/**               | $libc                                 | others' headers need a row of their own
system | test/**              | **                                    |

only   | crc32c/** isa-l.h isa-l/** immintrin.h nmmintrin.h arm_acle.h | src/kv/checksum.c | CRC32C is made in one file
only   | lmdb.h               | src/kv/*_store.c src/kv/lmdb_*.[ch]   | LMDB stays in the store files
only   | phalanx_descriptor_set.h | src/rpc/reflection*.c test/**     | descriptors are for reflection
only   | upb/** google/protobuf/** phalanx/** grpc/health/** grpc/reflection/** | src/rpc/codec*.c src/rpc/reflection*.c test/** | generated code stays in the codec
only   | grpc/**              | src/rpc/** test/unit/** test/bench/** | no gRPC name leaves the room
only   | openssl/**           | src/rpc/credentials.c                 | certificates are looked at in one file
only   | sodium.h             | src/gossip/seal.c                     | sealing is done in one file
only   | ares.h               | src/gossip/dns.c                      | name servers are asked in one file
only   | civetweb.h           | src/debug/http*.c                     | civetweb stays in its files
only   | version.h            | **                                    |
EOT
)

kinds=() files=() headers=() reasons=()
set -f
while IFS='|' read -r kind file header reason || [ -n "$kind" ]; do
    [ -n "${kind// /}" ] || continue
    kinds+=("${kind// /}")
    files+=("$file")
    headers+=("$header")
    reasons+=("${reason# }")
done < <(tr '\n' ' ' <<<"$rules" |
    sed -E 's/ (own|system|only|never) +\|/\n\1 |/g')

# Whether a path fits one of the patterns.
fits() { # path pattern...
    local path=/$1 pattern
    shift
    for pattern in "$@"; do
        pattern=/$pattern
        if [[ $pattern == *'/**' ]]; then
            # shellcheck disable=SC2053 # patterns on purpose
            [[ $path != ${pattern%'**'}* ]] || return 0
        elif [[ ${path%/*} == "${pattern%/*}" ]]; then
            # shellcheck disable=SC2053
            [[ ${path##*/} != ${pattern##*/} ]] || return 0
        fi
    done
    return 1
}

# Prints why `file` may not include `header`, or nothing. `kind` is own for a
# header in our tree, else system; both by path.
complaint() { # file header kind
    local file=$1 header=$2 kind=$3 i
    for i in "${!kinds[@]}"; do
        # shellcheck disable=SC2086 # lists of patterns
        if [ "${kinds[i]}" = only ] && [ "$kind" = system ] && fits "$header" ${files[i]}; then
            fits "$file" ${headers[i]} || echo "${reasons[i]}"
            return
        fi
    done
    for i in "${!kinds[@]}"; do
        # shellcheck disable=SC2086
        if [ "${kinds[i]}" = never ] && fits "$file" ${files[i]} && fits "$header" ${headers[i]}; then
            echo "${reasons[i]}"
            return
        fi
    done
    for i in "${!kinds[@]}"; do
        # shellcheck disable=SC2086
        if [ "${kinds[i]}" = "$kind" ] && fits "$file" ${files[i]}; then
            fits "$header" ${headers[i]} || echo "${reasons[i]}"
            return
        fi
    done
    echo "no row is about this file"
}

# Prints one line for each #include in the current folder that breaks a rule.
check_tree() {
    local file line text name header kind folder reason folders=()
    for folder in src cmd test; do
        [ ! -d $folder ] || folders+=($folder)
    done
    while IFS=: read -r file line text; do
        name=$(sed -E 's/^[^<"]*[<"]([^>"]*)[>"].*/\1/' <<<"$text")
        header=$name kind=system
        if [[ $text == *'"'* ]]; then
            for folder in "${file%/*}" src cmd test "test/unit"; do
                if [ -f "$folder/$name" ]; then
                    header=$(realpath --relative-to=. "$folder/$name") kind=own
                    break
                fi
            done
        fi
        reason=$(complaint "$file" "$header" $kind)
        [ -z "$reason" ] || echo "$file:$line: includes $header: $reason"
    done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' \
        --include='*.c' --include='*.h' "${folders[@]}")
}

# A tiny tree where every file but the last breaks exactly one rule.
plant() { # file include...
    local file=$1
    shift
    mkdir -p "${file%/*}"
    printf '#include %s\n' "$@" >"$file"
}

self_test() {
    local tree found
    tree=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$tree'" EXIT
    cd "$tree"
    plant src/status.h '<stdbool.h>'
    plant src/log.h '<stdio.h>'
    plant src/raft/raft.h '"status.h"'
    plant src/raft/log.h '"status.h"'
    plant src/kv/kv.h '"raft/raft.h"'
    plant src/rpc/rpc.h '"kv/kv.h"'
    plant src/kv/checksum.c '<isa-l/crc.h>'
    plant src/kv/log_store.c '<lmdb.h>' '"kv/kv.h"'
    plant src/rpc/codec.c '"phalanx/v1/kv.upb.h"' '"upb/upb.h"'
    plant src/debug/http.c '<civetweb.h>' '<pthread.h>'
    plant src/gossip/udp.c '<sys/socket.h>'
    plant test/unit/raft_test.c '<cmocka.h>' '"raft/log.h"'
    found=$(check_tree)
    [ -z "$found" ] || { echo "self test: complains about a good tree:"; echo "$found"; return 1; }

    plant src/bad.c '"raft/raft.h"'
    plant src/bad_hash.c '<nmmintrin.h>'
    plant src/raft/bad_clock.c '<time.h>'
    plant src/raft/bad_log.c '"../log.h"'
    plant src/raft/bad_up.c '"kv/kv.h"'
    plant src/kv/bad_private.c '"raft/log.h"'
    plant src/kv/bad_lmdb.c '<lmdb.h>'
    plant src/founding/bad_clock.c '<time.h>'
    plant src/founding/bad_private.c '"raft/log.h"'
    plant src/gossip/bad_socket.c '  <sys/socket.h>'
    plant src/rpc/bad_upb.c '"phalanx/v1/kv.upb.h"'
    plant src/debug/bad_door.c '"kv/kv.h"'
    plant src/debug/bad_civetweb.c '<civetweb.h>'
    plant src/debug/bad_other.c '<openssl/ssl.h>'
    plant cmd/server/turn.c '<pthread.h>'
    plant cmd/server/bad_grpc.c '<grpc/grpc.h>'
    plant cmd/server/bad_private.c '"raft/log.h"'
    plant test/sim/bad_private.c '"raft/log.h"'
    found=$(check_tree | cut -d: -f1 | sort)
    expected=$(grep -rl . src cmd test | grep -E 'bad|turn' | sort)
    if [ "$found" != "$expected" ]; then
        echo "self test: expected one complaint about each file on the right:"
        diff -y <(echo "$found") <(echo "$expected") || true
        return 1
    fi
}

(self_test) || exit 1
cd "$(dirname "${BASH_SOURCE[0]}")/.."
broken=$(check_tree)
if [ -n "$broken" ]; then
    echo "$broken"
    exit 1
fi
