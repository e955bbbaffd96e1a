"""The result codes, read from the one table that the server is compiled with."""
import re
from collections import namedtuple

from places import SOURCE

Row = namedtuple("Row", "constant number code status title")

ROWS = {
    row[2]: Row(row[0], int(row[1]), row[2], int(row[3]), row[4])
    for row in re.findall(
        r'X\((IL_\w+), (-?\d+), "(\w+)", (\d+),[\s\\]+"([^"]*)"\)',
        (SOURCE / "src/base/status.h").read_text())
}

# What only a library can meet: success, results beside success, and failures without a server.
NEVER_OVER_HTTP = {"ok", "owner_died", "gone", "forked", "unreachable", "protocol",
                   "joins_itself", "task_lost"}
