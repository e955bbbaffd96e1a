#!/bin/sh
# Every public header compiles alone, pedantically, as C11 and as C++17; its version is the build's;
# and every header below src/ compiles alone too.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
strict="-Wall -Wextra -Wpedantic -Wshadow -Wundef -Werror -fsyntax-only"

# A file that includes it, since compilers warn about a header that is the main file.
alone() { # alone <header> <compiler> <flags...>
    header=$1
    shift
    printf '#include "%s"\n' "$header" | "$@" - || {
        echo "$header does not compile alone: $*"
        exit 1
    }
}

for header in "$root"/api/*.h; do
    case $header in */interlock_data.h) continue ;; esac # a part of interlock.h
    # shellcheck disable=SC2086 # a list of flags
    for compiler in gcc clang; do
        alone "$header" $compiler -std=c11 $strict -I"$root/api" -x c
        alone "$header" $compiler -std=c++17 $strict -Wold-style-cast -I"$root/api" -x c++
    done
done

find "$root/src" -name '*.h' | while read -r header; do
    case $header in "$root/src/server/"* | "$root/src/client/"*) uses="libmicrohttpd jansson libcurl" ;; *) uses= ;; esac
    # shellcheck disable=SC2046,SC2086 # lists of flags
    alone "$header" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
        -I"$root/src" -I"$root/api" ${uses:+$(pkg-config --cflags $uses)} -x c
done

# shellcheck disable=SC2016 # awk's, not the shell's
version=$(printf '#include "%s"\nIL_VERSION_MAJOR IL_VERSION_MINOR IL_VERSION_PATCH\n' \
    "$root/api/interlock.h" | gcc -E -P -x c - | tail -n 1 | tr ' ' .)
expected=$(awk '$1 == "VERSION" { print $2; exit }' "$root/CMakeLists.txt")
[ "$version" = "$expected" ] || {
    echo "api/interlock.h says version $version, CMakeLists.txt $expected"
    exit 1
}
