"""JSON as it goes to the server: compact, one line, UTF-8, without NaN."""

from __future__ import annotations

import json
from typing import Any

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: Any) -> bytes:
    """VALUE as JSON. TypeError or ValueError, in words, if it cannot be written so."""
    try:
        return _encoder.encode(value).encode()
    except UnicodeEncodeError:
        raise ValueError("a string holds half of a surrogate pair, which is no text") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def plain(text: str) -> str:
    """TEXT, with what UTF-8 cannot hold escaped."""
    return text.encode("utf-8", "backslashreplace").decode()
