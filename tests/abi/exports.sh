#!/bin/sh
# exports.sh <build directory>: libinterlock.so exports what interlock.h declares, all in the version
# node, and nothing else; it needs libc only; the remote door exports its table of calls only.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
lib=$1/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C

same() { # same <what> <expected> <found>
    diff -u --label expected --label found "$2" "$3" || {
        echo "$1: not as expected"
        exit 1
    }
}

exported() { nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort; }

# Outside comments, an il_ name followed by a parenthesis is a function's declaration.
gcc -E -P "$root/api/interlock.h" | grep -oE '\bil_[a-z0-9_]+ ?\(' | tr -d ' (' |
    sed 's/$/@@INTERLOCK_0.1/' | sort >"$work/declared"
exported "$lib/libinterlock.so" >"$work/exported"
same "symbols of libinterlock.so" "$work/declared" "$work/exported"

echo ili_remote_ops >"$work/declared"
exported "$lib/libinterlock-remote.so.0" >"$work/exported"
same "symbols of libinterlock-remote.so.0" "$work/declared" "$work/exported"

printf 'libinterlock.so.0\nlibinterlock-remote.so.0\n' >"$work/declared"
for library in libinterlock.so libinterlock-remote.so.0; do
    objdump -p "$lib/$library" | awk '$1 == "SONAME" { print $2 }'
done >"$work/exported"
same "sonames" "$work/declared" "$work/exported"

needed=$(objdump -p "$lib/libinterlock.so" | awk '$1 == "NEEDED" && $2 !~ /^(libc\.so|ld-linux)/ { print $2 }')
[ -z "$needed" ] || {
    echo "libinterlock.so needs more than libc: $needed"
    exit 1
}
