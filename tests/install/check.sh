#!/bin/sh
# check.sh <build directory>: installs it under another prefix than it was configured for, looks for
# every file, and builds and runs a user's program by pkg-config and by find_package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$1" --prefix "$prefix" >/dev/null
lib=$(dirname "$(find "$prefix" -name libinterlock.so)")
for file in "$prefix/bin/interlock" "$prefix/bin/interlockd" "$prefix/include/interlock.h" \
    "$prefix/bin/interlock-worker" "$prefix/include/interlock_module.h" \
    "$lib/libinterlock.so.0" "$lib/libinterlock-remote.so.0" "$lib/pkgconfig/interlock.pc" \
    "$lib/cmake/Interlock/InterlockConfig.cmake"; do
    [ -e "$file" ] || {
        echo "not installed: ${file#"$prefix"/}"
        exit 1
    }
done

# The installed command must find the installed library, not the one in the build tree.
ldd "$prefix/bin/interlock" | grep -F "$prefix" >/dev/null || {
    echo "bin/interlock does not find its library:"
    ldd "$prefix/bin/interlock"
    exit 1
}

export PKG_CONFIG_PATH="$lib/pkgconfig"
version=$(pkg-config --modversion interlock)
# shellcheck disable=SC2046 # a list of flags
cc -std=c11 -Wall -Wextra -Werror "$here/consumer.c" -o "$work/consumer" \
    $(pkg-config --cflags --libs interlock)
by_pkg_config=$(LD_LIBRARY_PATH=$lib "$work/consumer")

cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/build" >/dev/null
by_find_package=$("$work/build/consumer")

[ "$version $version" = "$by_pkg_config $by_find_package" ] || {
    echo "versions differ: $version, $by_pkg_config by pkg-config, $by_find_package by find_package"
    exit 1
}

# A module needs the headers alone, and the installed worker loads it.
# shellcheck disable=SC2046 # a list of flags
cc -std=c11 -Wall -Wextra -Werror -shared -fPIC "$here/module.c" -o "$work/module.so" \
    $(pkg-config --cflags interlock)
[ "$("$prefix/bin/interlock-worker" --module "$work/module.so" --check)" = twice ] || {
    echo "the installed interlock-worker does not load a module"
    exit 1
}
