#!/bin/sh
# Every C file is as clang-format would write it. With -i: makes it so.
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- --dry-run -Werror
find . \( -path ./.git -o -path ./build \) -prune -o -name '*.[ch]' -exec clang-format "$@" {} +
