#!/bin/sh
# Makes a virtual environment with this package, installed as a user would, and what its tests need.
#   environment.sh FOLDER PYTHON
set -eu

here=$(cd "$(dirname "$0")" && pwd)
"$2" -m venv --clear "$1"
"$1/bin/pip" install -q --disable-pip-version-check -r "$here/requirements-test.txt" "$here"
