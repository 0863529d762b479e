"""When a service has gone silent, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

SILENT_REQUESTS = 8


@dataclass
class Breaker:
    """Tells a service that is gone from requests that fail. Times are seconds of any one clock.

    After `SILENT_REQUESTS` different requests have failed in a row, with no answer between, it is `silent`: one request at a
    time is sent to see whether it is back. Silence of `patience` seconds makes it `gone`. It is measured from the last
    answer to a failure, so that a service that takes long is not taken for a dead one.
    """

    patience: float
    answers: int = 0
    gone: bool = False
    _heard: float = float("-inf")
    _since: float | None = None
    _failed: set[int] = field(default_factory=set)

    @property
    def silent(self) -> bool:
        return len(self._failed) >= SILENT_REQUESTS

    def heard(self, now: float) -> None:
        """Note that the service said something until `now`: an answer, or how long to wait."""
        self._heard, self._since = now, None
        self._failed.clear()

    def answered(self, now: float) -> None:
        self.answers += 1
        self.heard(now)

    def failed(self, request: int, started: float, now: float) -> None:
        """Note that an attempt of this request, which started then, has failed."""
        self._failed.add(request)
        self._since = max(started, self._heard) if self._since is None else self._since
        self.gone = self.gone or now - self._since >= self.patience

    def silence(self, now: float) -> float:
        """Return for how long nothing has been heard although something was asked."""
        return 0.0 if self._since is None else now - self._since
