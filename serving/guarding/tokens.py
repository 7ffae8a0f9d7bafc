"""The tokens that let a client in. Only their hashes are kept, so that no log, error or traceback can show one."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from records.errors import ConfigError

logger = logging.getLogger("kerasmith.serving")

FILE = "KERASMITH_TOKENS_FILE"
"""The environment variable with the path of a file of tokens."""
LIST = "KERASMITH_TOKENS"
"""The environment variable with the tokens themselves, between spaces or commas."""
MIN_LENGTH = 16
MAX_LENGTH = 512
PLAIN = re.compile(r"[\x21-\x7e]+")
SCHEME = b"bearer "


class Tokens:
    """Who may ask."""

    __slots__ = ("_hashes",)

    def __init__(self, tokens: Iterable[str], where: str = "the list of tokens") -> None:
        """Args:
            tokens: At least one, each of 16 to 512 characters without spaces.
            where: They stand, for errors.

        Raises:
            ConfigError: There is none, or one is too short, too long or holds other characters.
        """
        given = list(tokens)
        for number, token in enumerate(given, 1):
            if not MIN_LENGTH <= len(token) <= MAX_LENGTH or not PLAIN.fullmatch(token):
                raise ConfigError(
                    f"Token {number} of {where} cannot be used. Expected {MIN_LENGTH} to {MAX_LENGTH} letters, digits "
                    f"or signs without spaces. Received: {len(token)} characters. "
                    "`openssl rand -hex 24` makes a good one."
                )
        if not given:
            raise ConfigError(f"There is no token in {where}, so nobody could ask. Expected one on a line.")
        self._hashes = tuple({_hash(token.encode()): None for token in given})

    def allow(self, authorization: bytes) -> bool:
        """Whether the header `Authorization: Bearer …` holds one of them.

        Takes the same time whichever token it is, and whether or not it is one.
        """
        if authorization[: len(SCHEME)].lower() != SCHEME:
            return False
        asked = _hash(authorization[len(SCHEME) :].strip(b" "))
        found = False
        for known in self._hashes:
            found |= hmac.compare_digest(known, asked)
        return found

    def __repr__(self) -> str:
        return f"Tokens({len(self._hashes)})"


def read_tokens(path: Path) -> Tokens:
    """The tokens of a file: one on a line; empty lines and what begins with `#` are left out.

    Raises:
        ConfigError: It cannot be read, holds no token, or one that cannot be used.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"The file of tokens cannot be read: {path} ({reason}).") from None
    if os.name == "posix" and mode & (stat.S_IRWXO | stat.S_IWGRP):
        logger.warning("The file of tokens can be read or changed by others: %s. `chmod 600` keeps it to you.", path)
    lines = (line.strip() for line in text.splitlines())
    return Tokens((line for line in lines if line and not line.startswith("#")), str(path))


def find_tokens(environment: Mapping[str, str]) -> Tokens | None:
    """The tokens that the environment names; `None` where it names none, and then everybody may ask.

    Raises:
        ConfigError: See `read_tokens`; or both variables are set.
    """
    path, listed = environment.get(FILE, ""), environment.get(LIST, "")
    if path and listed:
        raise ConfigError(f"{FILE} and {LIST} are both set. Expected one of them.")
    if path:
        return read_tokens(Path(path))
    return Tokens(listed.replace(",", " ").split(), LIST) if listed else None


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
