"""What a line of the server says."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Union

Message = Union[Dict[str, Any], List[Any]]


class HugeNumber:
    """In place of a whole number with more digits than this Python reads."""


def read_line(line: bytes) -> Message:
    """The message, or the messages of a batch. ValueError: it is none."""
    try:
        message = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise ValueError("the server sent a line that is not JSON") from None
    except ValueError:  # a number of too many digits: only the calls that hold one suffer
        message = json.loads(line, parse_int=_whole)
        for request in message if isinstance(message, list) else [message]:
            if isinstance(request, dict) and _holds_huge_number(request):
                request["params"] = HugeNumber()
    if not isinstance(message, (dict, list)):
        raise ValueError("the server sent a line that is no message")
    return message


def _whole(digits: str) -> Any:
    try:
        return int(digits)
    except ValueError:
        return HugeNumber()


def _holds_huge_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_huge_number, value.values()))
    if isinstance(value, list):
        return any(map(_holds_huge_number, value))
    return isinstance(value, HugeNumber)


def unfit(params: Any) -> str:
    """Why PARAMS are not those of a call; empty: they are."""
    if isinstance(params, HugeNumber):
        return "a number has more digits than Python reads (sys.set_int_max_str_digits)"
    if not isinstance(params, dict):
        return "params are to be an object"
    if not isinstance(params.get("function"), str):
        return "params.function is to be a string"
    if not isinstance(params.get("args", []), list):
        return "params.args is to be an array"
    if not isinstance(params.get("kwargs", {}), dict):
        return "params.kwargs is to be an object"
    return ""
