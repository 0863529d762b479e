"""The key: taken from the environment, and out of every text that comes back."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
from dataclasses import dataclass, field
from urllib.parse import quote

SHORTEST = 8  # characters; what is shorter is a placeholder such as EMPTY, and may well stand in an answer
SHOWN = 12  # characters; more of a long key's beginning than a server shows by habit
HIDDEN = "[key]"
_LIKE_A_KEY = re.compile(
    r"(?i:bearer|basic)\s+[\w.~+/=*-]{6,}|\b(?:sk|pk|hf|gsk|xai|r8|nvapi)[-_][\w*-]{6,}|\b[\w-]{2,12}\*{3,}[\w-]*"
    r"|(?<=://)[^/\s@]+(?=@)"  # user and password of a proxy
)


@dataclass(frozen=True)
class Secret:
    """The value of the environment variable `name`, "" where it is not set; it shows in no repr."""

    name: str
    value: str = field(default="", repr=False)

    @classmethod
    def of(cls, name: str) -> Secret:
        """Return the secret that stands in the environment."""
        return cls(name, os.environ.get(name, "").strip())

    @property
    def usable(self) -> bool:
        """Whether the value can stand in a header."""
        return self.value.isascii() and self.value.isprintable()

    def hide(self, text: str) -> str:
        """Return a text without the key, in whichever way it is written there.

        >>> Secret("KEY", "sk-0123456789").hide("you sent sk-0123456789")
        'you sent [key]'
        """
        if len(self.value) < SHORTEST:
            return text
        return _written(self.value).sub(HIDDEN, text)

    def hide_alike(self, text: str) -> str:
        """Return a message without the key and without whatever looks like one, cut short or starred by the server.

        >>> Secret("KEY").hide_alike("Incorrect API key provided: sk-01**********89.")
        'Incorrect API key provided: [key].'
        """
        return _LIKE_A_KEY.sub(HIDDEN, self.hide(text))


@functools.cache
def _written(value: str) -> re.Pattern[str]:
    """Return a pattern for what a server may send back of a key: as it is, in JSON, in a URL, in base64, or cut short."""
    ways = [_spelled(value), re.escape(base64.b64encode(value.encode()).decode())]
    if len(value) >= 2 * SHOWN:
        ways.append(rf"{_spelled(value[:SHOWN])}[\w*.+/=-]*")
    return re.compile("|".join(ways))


def _spelled(value: str) -> str:
    """Return a pattern for a text as it is, in JSON however it is escaped, or in a URL."""
    return "".join(sign if sign.isascii() and sign.isalnum() else _sign(sign) for sign in value)


def _sign(sign: str) -> str:
    ways = (sign, f"\\{sign}", json.dumps(sign)[1:-1], f"\\u{ord(sign):04x}", quote(sign, safe=""))
    return f"(?i:{'|'.join(map(re.escape, dict.fromkeys(ways)))})"
