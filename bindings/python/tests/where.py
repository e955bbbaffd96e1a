"""Where the package under test lies: as it is installed, or in src beside these tests."""

from pathlib import Path

import interlock

SOURCE = Path(interlock.__file__).resolve().parents[1]
