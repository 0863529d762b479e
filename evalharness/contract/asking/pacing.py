"""How many requests may be open at once: found on the way, from what was answered and what was refused."""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 4
TOLERATED = 0.03
MANY = 0.3
KEPT = (0.5, 0.9)
JUDGED = 48
LEAST_SEEN = 24
FORGOTTEN = 32


@dataclass
class Trial:
    """A smaller number on trial: does the service refuse less of it? `width`, `slow` and `share` are those of before."""

    width: float
    slow: bool
    share: float
    ended: int = 0
    refused: int = 0


class Pace:
    """The number of requests that may be open at once, at most `most`.

    It starts with a few, doubles with each round trip until the service refuses many, and then grows by one a round trip.
    When a service refuses, fewer are open at once, by the share that it refused and a tenth, but never by more than half; what
    was sent before does not count again. That is a trial. If the service refuses less of the smaller number, it was
    too much for it. If it refuses as many of them as before (a gateway with faults of its own, a limit by the minute), fewer
    do not help: the number is what it was, and that share is taken for usual until it is forgotten, 32 round trips later.
    Hence faults by chance do not bring the rate down, and a service with a limit is asked for nearly what it can do.

    In virtual time (tests/contract/asking), with 0.2 s a request: a service that refuses 1, 3 or 10 % by chance gives 0.89 to
    0.97 of what 64 places can give; one with room for 4, 8, 20 or 50 gives 0.99, 0.89, 0.91 and 0.91 of what it can, and
    refuses 2.5, 1.8, 0.9 and 0.6 % of what it is sent. One that refuses more than a quarter is overloaded, whatever the cause.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._epoch = self._open = self._peak = 0
        self.restart()

    def restart(self) -> None:
        """Start from a few again, as with a service that nothing is known of."""
        self._width, self._slow = min(float(FIRST), self._most), True
        self._share = self._usual = 0.0
        self._trial: Trial | None = None
        self._begin()

    @property
    def limit(self) -> int:
        return int(self._width)

    def sent(self) -> int:
        """Note that a request is sent; returns what `ended` wants of it."""
        self._open += 1
        self._peak = max(self._peak, self._open)
        return self._epoch

    def ended(self, epoch: int, *, answered: bool, refused: bool) -> None:
        """Note that a request came back: answered, refused for load, or neither."""
        self._open -= 1
        if epoch != self._epoch:
            return  # it was sent before the number changed
        if self._trial is not None:
            self._judge(self._trial, refused)
            return
        weight = 1 / max(self._width, LEAST_SEEN)
        self._share += (refused - self._share) * weight
        self._usual -= self._usual * weight / FORGOTTEN
        if refused and self._share > (MANY if self._slow else min(MANY, TOLERATED + 2 * self._usual)):
            self._cut(self._share)
        elif answered and self._width < 2 * self._peak:
            self._width = min(self._most, self._width + (1 if self._slow else 1 / self._width))
            self._slow = self._slow and self._width < self._most

    def _begin(self) -> None:
        self._epoch += 1
        self._peak = self._open

    def _cut(self, share: float) -> None:
        self._trial = Trial(self._width, self._slow, share)
        least, most = KEPT
        self._width = max(1.0, self._width * max(least, most * (1 - share)))
        self._begin()

    def _judge(self, trial: Trial, refused: bool) -> None:
        trial.ended += 1
        trial.refused += refused
        share = trial.refused / JUDGED
        if share > MANY:
            self._cut(share)
        elif trial.ended == JUDGED:
            self._trial, self._share = None, share
            if share < trial.share / 3:
                self._slow = False
            else:
                self._width, self._slow, self._usual = trial.width, trial.slow, share
            self._begin()
