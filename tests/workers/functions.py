"""What tests/module/functions.c has for C workers, as far as kill_map.py needs it."""
import time

import interlock


@interlock.task
def twice(us, x):
    """2 * x, after so many microseconds of work."""
    end = time.monotonic() + us / 1e6
    while time.monotonic() < end:
        pass
    return 2 * x
