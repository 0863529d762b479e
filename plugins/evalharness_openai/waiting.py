"""How long a service asks to wait: Retry-After, and the reset of rate limits that are used up."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LIMITS = ("requests", "tokens")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that a refusal names, None where it names none.

    `retry-after-ms` comes before `Retry-After`, in seconds or as a date, and that before the reset of a rate limit.

    >>> retry_after({"Retry-After": "1.5"}), retry_after({"retry-after-ms": "250"}), retry_after({"Retry-After": "soon"})
    (1.5, 0.25, None)
    """
    found = {name.lower(): value.strip() for name, value in headers.items()}
    asked = _number(found.get("retry-after-ms", ""), 0.001)
    if asked is None:
        asked = _number(found.get("retry-after", ""))
    if asked is None:
        asked = _date(found.get("retry-after", ""))
    return used_up(found) if asked is None else asked


def used_up(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until a rate limit that is used up is reset, None where there is room.

    Names are in small letters, unless the mapping does not care.

    >>> used_up({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1m0.5s"})
    60.5
    """
    waits = [duration(headers.get(f"x-ratelimit-reset-{name}", "")) for name in LIMITS if _is_empty(headers, name)]
    return max((wait for wait in waits if wait is not None), default=None)


def duration(text: str) -> float | None:
    """Return seconds of a duration as OpenAI writes it (`6m0s`, `120ms`), or of a plain number.

    >>> duration("6m0s"), duration("120ms"), duration("2"), duration("x")
    (360.0, 0.12, 2.0, None)
    """
    number = _number(text)
    if number is not None:
        return number
    parts = _PART.findall(text)
    whole = "".join(f"{number}{unit}" for number, unit in parts) == text
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts and whole else None


def _is_empty(headers: Mapping[str, str], limit: str) -> bool:
    return headers.get(f"x-ratelimit-remaining-{limit}", "").strip() == "0"


def _number(text: str, scale: float = 1.0) -> float | None:
    try:
        value = float(text) * scale
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _date(text: str) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
