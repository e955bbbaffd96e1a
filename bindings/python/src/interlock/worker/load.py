"""Importing the user's module."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType


def load(name: str) -> ModuleType:
    """The module of that dotted name, or of the file if NAME is the path of one."""
    if not name.endswith(".py") and os.sep not in name:
        return importlib.import_module(name)
    path = os.path.abspath(name)
    stem = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(stem, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise ImportError(f"there is no Python file {path}")
    sys.path.insert(0, os.path.dirname(path))  # as for a script: it may import its neighbours
    module = importlib.util.module_from_spec(spec)
    sys.modules[stem] = module  # what pickles, or asks for its own module, finds it
    spec.loader.exec_module(module)
    return module
