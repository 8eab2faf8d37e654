#!/usr/bin/env bash
# Checks that all C files are formatted as .clang-format says; with --write,
# formats them. Another clang-format than 14 would format differently.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

formatter=
for candidate in clang-format-14 clang-format; do
    if "$candidate" --version 2>/dev/null | grep -q 'version 14\.'; then
        formatter=$candidate
        break
    fi
done
if [ -z "$formatter" ]; then
    echo "skipped: no clang-format 14 here (scripts/setup.sh test installs it)"
    exit 77
fi

mapfile -d '' files < <(find src cmd test proto -name '*.[ch]' -print0)
if [ "${1:-}" = --write ]; then
    "$formatter" -i "${files[@]}"
else
    "$formatter" --dry-run -Werror "${files[@]}"
fi
