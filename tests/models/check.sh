#!/bin/sh
# check.sh MODEL [spin options]: explores every state of a Promela model; fails on a violated assertion
# or on a state in which nobody can go on (an invalid end state).
set -eu
model=$(realpath "$1")
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$model" model.pml
spin "$@" -a model.pml
${CC:-cc} -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=6000 -o pan pan.c
./pan -m3000000 >report
if ! grep -q 'errors: 0$' report || grep -q 'max search depth too small\|out of memory' report; then
    cat report
    spin -t -p -g "$@" model.pml | tail -n 60 || true
    exit 1
fi
grep 'states, stored' report
