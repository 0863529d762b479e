"""Keeps what is secret in the environment out of messages: a system's own words may hold its keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

NAMED = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
SHORTEST = 8  # characters; what is shorter guards nothing and may well stand in a text


def hidden(text: str, also: Mapping[str, str] = {}) -> str:
    """Return a text without the values of environment variables that are called like a secret, nor those given by name.

    >>> hidden("401: bad key sk-123456", {"MY_KEY": "sk-123456"})
    '401: bad key [MY_KEY]'
    """
    secrets = {name: value for name, value in os.environ.items() if NAMED.search(name)} | dict(also)
    for name, value in sorted(secrets.items(), key=lambda item: -len(item[1])):
        if len(value) >= SHORTEST:
            text = text.replace(value, f"[{name}]")
    return text
