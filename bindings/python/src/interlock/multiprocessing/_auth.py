"""Proof of a common key, as the standard library's connections ask for it: HMAC of a random message.

A challenge names its digest (SHA-256), as those of Python 3.12 and later do; the answer of an older Python,
HMAC-MD5 without a name, is accepted as well, and its challenge answered so.
"""

from __future__ import annotations

import hmac
import os
import re
from typing import Any, Final, Optional, Tuple

from .context import AuthenticationError

MESSAGE_LENGTH: Final = 40
CHALLENGE: Final = b"#CHALLENGE#"
WELCOME: Final = b"#WELCOME#"
FAILURE: Final = b"#FAILURE#"

_DIGESTS: Final = ("md5", "sha256", "sha384", "sha3_256", "sha3_384")
_NAMED: Final = re.compile(rb"\{([a-z0-9_]{1,20})\}")
_ANSWER_MAX_BYTES: Final = 256


def _digest_of(message: bytes) -> Optional[str]:
    """The digest that MESSAGE names; None: it is an old one, which names none."""
    named = _NAMED.match(message)
    if named is None:
        return None
    name = named.group(1).decode()
    if name not in _DIGESTS:
        raise AuthenticationError(f"the digest {name!r} is not one of {', '.join(_DIGESTS)}")
    return name


def _answer(authkey: bytes, message: bytes, digest: Optional[str]) -> bytes:
    """What proves, for MESSAGE, that AUTHKEY is known."""
    proof = hmac.new(authkey, message, digest or "md5").digest()
    return proof if digest is None else b"{%s}%s" % (digest.encode(), proof)


def _check_key(authkey: Any) -> None:
    if not isinstance(authkey, bytes):
        raise ValueError(f"authkey: expected bytes, got {type(authkey).__name__}")


def deliver_challenge(connection: Any, authkey: bytes, digest_name: str = "sha256") -> None:
    """Lets the other end prove that it knows AUTHKEY; AuthenticationError if it cannot."""
    _check_key(authkey)
    message = b"{%s}%s" % (digest_name.encode(), os.urandom(MESSAGE_LENGTH))
    connection.send_bytes(CHALLENGE + message)
    response = connection.recv_bytes(_ANSWER_MAX_BYTES)
    try:
        expected = _answer(authkey, message, _digest_of(response))
    except AuthenticationError:
        connection.send_bytes(FAILURE)
        raise
    if not hmac.compare_digest(expected, response):
        connection.send_bytes(FAILURE)
        raise AuthenticationError("digest received was wrong")
    connection.send_bytes(WELCOME)


def answer_challenge(connection: Any, authkey: bytes) -> None:
    """Proves to the other end that AUTHKEY is known; AuthenticationError if that is not believed."""
    _check_key(authkey)
    message = connection.recv_bytes(_ANSWER_MAX_BYTES)
    if not message.startswith(CHALLENGE):
        raise AuthenticationError(f"expected a challenge, got {message!r}")
    message = message[len(CHALLENGE):]
    connection.send_bytes(_answer(authkey, message, _digest_of(message)))
    if connection.recv_bytes(_ANSWER_MAX_BYTES) != WELCOME:
        raise AuthenticationError("digest sent was rejected")


def check_both(connection: Any, authkey: Optional[bytes], is_server: bool) -> None:
    """Each end proves that it knows AUTHKEY (None: nothing is asked). What fails closes the connection."""
    if authkey is None:
        return
    steps: Tuple[Any, ...] = (deliver_challenge, answer_challenge)
    try:
        for step in steps if is_server else steps[::-1]:
            step(connection, authkey)
    except BaseException:
        connection.close()
        raise


def check_argument(authkey: Any) -> None:
    if authkey is not None and not isinstance(authkey, bytes):
        raise TypeError("authkey should be a byte string")
