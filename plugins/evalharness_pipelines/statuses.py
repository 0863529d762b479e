"""What HTTP statuses mean for a service of which nothing is known: asked again, the failure of one question, or the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import evalharness as eh

BUSY = frozenset([408, 429, 502, 503, 504, 529])
AGAIN = BUSY | {409, 425}
# What concerns every question alike, and what to do about it.
STOPS = {
    401: "set the environment variable that a header names to the right key",
    403: "allow the key what is asked, or name another one in a header",
    407: "set the proxy that the environment names",
}
# What does so where no question has been answered yet; later it may be about one question.
STOPS_AT_FIRST = {404: "mend `url`", 405: "mend `method`, or `url`", 410: "mend `url`", 415: "mend `headers`, or `body`"}


def error_of(
    status: int, headers: Mapping[str, str], said: str, where: str, *, answered: bool
) -> eh.Unanswered | eh.ServiceError:
    """Return what is raised for an answer with a status other than 2xx.

    | status | what comes of it |
    |---|---|
    | 3xx, 401, 403, 407 | the run stops |
    | 404, 405, 410, 415 | the run stops where nothing has been answered yet; otherwise the failure `rejected` |
    | 408, 409, 425, 429, 5xx | asked again, after `Retry-After` where it is named |
    | other 4xx | the failure `rejected` of that question |
    """
    message = f"HTTP {status} from {where}: {said}" if said else f"HTTP {status} from {where}"
    todo = STOPS.get(status) or (None if answered else STOPS_AT_FIRST.get(status))
    if 300 <= status < 400:
        todo = f"set `url` to where it points{': ' if headers.get('Location') else ''}{headers.get('Location', '')}"
    if todo is not None:
        return eh.ServiceError(f"{message}. What to do: {todo}. Answers so far are kept.")
    again = status in AGAIN or status >= 500
    kind = "timeout" if status == 408 else "server" if again else "rejected"
    return eh.Unanswered(eh.Failure(kind, message), again=again, after=retry_after(headers), busy=status in BUSY)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a service asks to wait, given as a number or as a date.

    >>> retry_after({"Retry-After": "2.5"}), retry_after({"Retry-After": "soon"}), retry_after({})
    (2.5, None, None)
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.replace(".", "", 1).isdecimal():
        return float(asked)
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
