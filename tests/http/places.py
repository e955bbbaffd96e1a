"""Where the sources and the programs under test are, and how fast these programs can be."""
import os
from pathlib import Path

SOURCE = Path(os.environ.get("INTERLOCK_SOURCE", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("INTERLOCK_BUILD", SOURCE / "build"))
SERVER = BUILD / "bin/interlockd"
COMMAND = BUILD / "bin/interlock"

_program = SERVER.read_bytes() if SERVER.exists() else b""
SANITIZED = b"__asan_init" in _program or b"__tsan_init" in _program
SLOWNESS = 5 if SANITIZED else 1  # limits of time are multiplied by this
