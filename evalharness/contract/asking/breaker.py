"""When a service has gone silent, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

SILENT_REQUESTS = 8


@dataclass
class Breaker:
    """Tells a service that is gone from requests that fail. Times are seconds of any one clock.

    When so many different requests have failed in a row as may be open at once, and no fewer than `SILENT_REQUESTS`, the
    service is `silent`: one request at a time is to find out whether it is back. For how long it has been so is measured
    from the last thing heard to a failure, so that a service that takes its time is not taken for a dead one, and only by
    requests that were sent after a first one had failed: those before may have hung while it came back.

    >>> breaker = Breaker()
    >>> breaker.heard(100.0)
    >>> [breaker.failed(number, started, started + 9, at_once=4) for number, started in enumerate((101.0, 102.0, 120.0))]
    [0.0, 0.0, 28.0]
    """

    silent: bool = False
    _heard: float = float("-inf")
    _since: float = float("inf")
    _noticed: float = float("inf")
    _failed: set[int] = field(default_factory=set)

    def heard(self, now: float) -> None:
        """Note that the service said something: it answered, or refused one request for what it is."""
        self.silent, self._heard = False, now
        self._since = self._noticed = float("inf")
        self._failed.clear()

    def failed(self, request: int, started: float, now: float, at_once: int) -> float:
        """Note that an attempt of this request failed; returns for how many seconds nothing was heard that was asked for."""
        self._failed.add(request)
        self._since = min(self._since, max(started, self._heard))
        self._noticed = min(self._noticed, now)
        self.silent = self.silent or len(self._failed) >= max(SILENT_REQUESTS, at_once)
        return now - self._since if started >= self._noticed else 0.0
