#!/bin/sh
# Every file that begins with a shell's #! line passes shellcheck.
set -eu
cd "$(dirname "$0")/../.."
find . \( -path ./.git -o -path ./build \) -prune -o -type f -size -256k -print |
    while read -r file; do
        head -n 1 "$file" | LC_ALL=C grep -aqE '^#!.*\b(sh|bash)$' && echo "$file"
    done | xargs shellcheck
