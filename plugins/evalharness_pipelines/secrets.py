"""Keeps what is secret in the environment out of texts: a system's own words may hold its keys."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Mapping
from urllib.parse import quote

NAMED = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
SHORTEST = 8  # characters; what is shorter guards nothing and may well stand in a text


def hidden(text: str) -> str:
    """Return a text without the values of environment variables that are called like a secret."""
    return without(text, {name: value for name, value in os.environ.items() if NAMED.search(name)})


def without(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text without these values, as they are, in JSON or in a URL; their names stand in their place.

    >>> without("401: bad key sk-123456", {"MY_KEY": "sk-123456"})
    '401: bad key [MY_KEY]'
    """
    for name, value in sorted(secrets.items(), key=lambda item: -len(item[1])):
        if len(value) >= SHORTEST:
            text = f"[{name}]".join(_written(value).split(text))
    return text


@functools.cache
def _written(value: str) -> re.Pattern[str]:
    return re.compile(_spelled(value))


def _spelled(value: str) -> str:
    """Return a pattern for a text as it is, in JSON however it is escaped, or in a URL."""
    return "".join(sign if sign.isascii() and sign.isalnum() else _sign(sign) for sign in value)


def _sign(sign: str) -> str:
    ways = (sign, f"\\{sign}", json.dumps(sign)[1:-1], f"\\u{ord(sign):04x}", quote(sign, safe=""))
    return f"(?i:{'|'.join(map(re.escape, dict.fromkeys(ways)))})"
