"""Text of tokens that come one by one, and where the first stop string begins in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]
UNFINISHED = "\ufffd"  # stands in decoded text for bytes that are no character, or none yet


class Transcript:
    """The text of a growing sequence of tokens, which finds stop strings as soon as they are complete.

    Only the newest tokens are decoded at each step, together with those before them: what a token adds to a text may depend
    on its neighbour (a leading space, bytes of one character), but not on what stands further back. While a text ends in
    bytes that are no character yet, the tokens behind it are held back. So the work is linear in the length of the text.

    >>> words = {0: "He", 1: "llo", 2: " wor", 3: "ld"}
    >>> transcript = Transcript(lambda ids: "".join(words[each] for each in ids), stops=("lo w",))
    >>> [transcript.take(token) for token in (0, 1, 2)]
    [False, False, True]
    """

    def __init__(self, decode: Decode, stops: Sequence[str]) -> None:
        self._decode = decode
        self._stops = tuple(stop for stop in stops if stop)
        self._reach = max(map(len, self._stops), default=1) - 1
        self._end = ""  # the end of the text that no later token changes, as far as a stop string can reach back
        self._settled: list[int] = []  # the last tokens of that text
        self._known = ""  # what these alone are decoded to
        self._new: list[int] = []

    def take(self, token: int) -> bool:
        """Add a token; return whether the text now holds a stop string."""
        if not self._stops:
            return False
        self._new.append(token)
        text = self._decode([*self._settled, *self._new])[len(self._known) :]
        whole = self._end + text
        if text and not text.endswith(UNFINISHED):
            self._end = whole[max(0, len(whole) - self._reach) :]
            self._settled, self._new = self._new, []
            self._known = self._decode(self._settled)
        return first_stop(whole.rstrip(UNFINISHED), self._stops) is not None


def first_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first of the stop strings begins, None where the text holds none; an empty one stops nothing.

    >>> first_stop("one two three", ("three", "two", ""))
    4
    """
    found = [text.find(stop) for stop in stops if stop]
    return min((place for place in found if place >= 0), default=None)
