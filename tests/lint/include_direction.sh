#!/bin/sh
# Includes point one way (docs: the rooms of the house). Below, who may include whose headers; a room
# may always use its own, and everyone the public one.
set -eu
cd "$(dirname "$0")/../../src"

allowed() { # allowed <room>
    case $1 in
    base) ;;
    arena) echo base ;;
    sync) echo base arena ;;
    data) echo base arena sync ;;
    session) echo base arena sync data ;;
    run) echo base arena sync data session ;;
    work) echo base run ;;
    worker) echo base ;;
    client) echo base lib ;; # lib/remote.h, what the two say to each other
    lib) echo base arena sync data session run ;;
    server) echo base arena sync data session run work ;;
    cli) echo base ;;
    *) echo "src/$1 is a room this check does not know" >&2; return 1 ;;
    esac
}

wrong=0
for room in */; do
    room=${room%/}
    rooms="$(allowed "$room") $room"
    # One pattern of what this room may include with quotes; angle brackets are checked after it.
    pattern="\"($(echo "$rooms" | sed 's/^ *//; s/ /|/g'))/[a-z0-9_]+\\.[h]\"|\"interlock\\.h\""
    if grep -nE '^ *# *include *"' "$room"/*.[ch] 2>/dev/null | grep -vE "$pattern"; then
        echo "^ src/$room may include only: $rooms"
        wrong=1
    fi
    case $room in
    server) libraries='curl/' ;;
    client | cli | work) libraries='microhttpd' ;;
    *) libraries='microhttpd|jansson|curl/' ;;
    esac
    if grep -nE "^ *# *include *[<\"]($libraries)" "$room"/*.[ch] 2>/dev/null; then
        echo "^ src/$room must not know this library"
        wrong=1
    fi
done
exit $wrong
