#!/bin/sh
# Builds the extension and the library (release) and puts them into src/interlock, so that
# PYTHONPATH=bindings/python/src is enough. build.sh [BUILD_DIRECTORY] [cmake's arguments...]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/python}
[ $# -eq 0 ] || shift

generator=
if command -v ninja >/dev/null 2>&1; then
    generator=-GNinja
fi
cmake ${generator:+"$generator"} -S "$here" -B "$build" -DINTERLOCK_INTO="$here/src/interlock" "$@" >"$here/.configure.log" 2>&1 || {
    cat "$here/.configure.log" >&2
    exit 1
}
rm -f "$here/.configure.log"
cmake --build "$build"
