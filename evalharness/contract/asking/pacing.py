"""How many requests may be open at once: found on the way, from what was answered and what was refused."""

from __future__ import annotations

FIRST = 4


class Pace:
    """The number of requests that may be open at once, at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._width = float(min(FIRST, most))
        self._slow = True
        self._epoch = 0
        self._open = 0
        self._peak = 0

    @property
    def limit(self) -> int:
        return int(self._width)

    def sent(self) -> int:
        """Note that a request is sent; return what `ended` must be given."""
        self._open += 1
        self._peak = max(self._peak, self._open)
        return self._epoch

    def ended(self, epoch: int, *, answered: bool, refused: bool) -> None:
        self._open -= 1
        if refused and epoch == self._epoch:
            self._width, self._slow = max(1.0, self._width / 2), False
            self._epoch += 1
            self._peak = self._open
        elif answered and self._width < 2 * self._peak:
            self._width = min(float(self._most), self._width + (1.0 if self._slow else 1.0 / self._width))

    def restart(self) -> None:
        """Begin anew, as with a service that nothing is known of."""
        self._width, self._slow = min(self._width, float(FIRST)), True
        self._epoch += 1
