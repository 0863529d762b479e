"""When a service has gone silent, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

SILENT_REQUESTS = 8


@dataclass
class Breaker:
    """Tells a service that is gone from requests that fail. Times are seconds of any one clock.

    When `SILENT_REQUESTS` different requests have failed in a row, the service is `silent`: one request at a time is to find
    out whether it is back. It is measured from the last thing heard to a failure for how long it is silent, so that
    a service that takes its time is not taken for a dead one.

    >>> breaker = Breaker()
    >>> breaker.heard(100.0)
    >>> breaker.failed(1, started=90.0, now=110.0), breaker.silent
    (10.0, False)
    """

    _heard: float = float("-inf")
    _since: float = float("inf")
    _failed: set[int] = field(default_factory=set)

    @property
    def silent(self) -> bool:
        """Whether requests fail because nobody is there to answer them."""
        return len(self._failed) >= SILENT_REQUESTS

    def heard(self, now: float) -> None:
        """Note that the service said something: it answered, or refused one request for what it is."""
        self._heard, self._since = now, float("inf")
        self._failed.clear()

    def failed(self, request: int, started: float, now: float) -> float:
        """Note that an attempt of this request failed; returns for how many seconds nothing was heard that was asked for."""
        self._failed.add(request)
        self._since = min(self._since, max(started, self._heard))
        return now - self._since
