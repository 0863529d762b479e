"""The key: taken from the environment, and out of every text that comes back."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
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
        for written in _writings(self.value):
            text = text.replace(written, HIDDEN)
        start = self.value[:SHOWN]
        if len(self.value) >= 2 * SHOWN and start in text:  # cut short
            text = re.sub(rf"{re.escape(start)}[\w*.+/=-]*", HIDDEN, text)
        return text

    def hide_alike(self, text: str) -> str:
        """Return a message without the key and without whatever looks like one, cut short or starred by the server.

        >>> Secret("KEY").hide_alike("Incorrect API key provided: sk-01**********89.")
        'Incorrect API key provided: [key].'
        """
        return _LIKE_A_KEY.sub(HIDDEN, self.hide(text))


def _writings(value: str) -> Iterator[str]:
    """Yield the ways in which a server may send a key back: as it is, in JSON, in a URL, in base64."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value)[1:-1].replace("/", "\\/")
    yield quote(value, safe="")
    yield base64.b64encode(value.encode()).decode()
