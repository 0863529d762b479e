"""Counts the n-grams that texts share, of many texts at once.

All n-grams of a block of rows are sorted as whole numbers: the row in the highest bits, then the tokens of the longest
n-gram one after the other, then which text of the row it stands in. N-grams of a lower order are prefixes of the same
numbers, so one sort serves all orders, and each order looks only at what matched in the order before it. Nothing is
hashed: tokens are numbered within the block. Where the numbers would be wider than 63 bits the block is halved; a
single row that still is too wide goes through the same code with Python's whole numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tokens = Sequence[str]  # of a text its characters, of a list or tuple its words

_TOKENS = 2**14  # of a block: the arrays of its n-grams stay in the processor's cache
_WIDEST = 63


def clipped_matches(rows: Iterable[Sequence[Tokens]], order: int) -> tuple[NDArray[Any], list[list[int]]]:
    """Return how many n-grams of the first text of each row the others have, shape (rows, order), and all lengths by row.

    An n-gram counts at most as often as it stands in that one of the others that has it most often. Rows may be made on
    the way: no more than a block of them is held.

    >>> matched, lengths = clipped_matches([[["the", "the", "cat"], ["the", "cat"], ["the", "the"]], ["aab", "ab"]], order=2)
    >>> matched.tolist(), lengths
    ([[3, 2], [2, 1]], [[3, 2, 2], [3, 2]])
    """
    import numpy as np

    found, lengths = [np.zeros((0, order), np.int64)], list[list[int]]()
    for block in _blocks(rows):
        found.append(_matched(block, order))
        lengths += [list(map(len, row)) for row in block]
    return np.concatenate(found), lengths


def ngram_counts(lengths: Any, order: int) -> NDArray[Any]:
    """Return how many n-grams of each order texts of so many tokens have, shape (texts, order).

    >>> ngram_counts([3, 0], order=4).tolist()
    [[3, 2, 1, 0], [0, 0, 0, 0]]
    """
    import numpy as np

    return np.maximum(np.asarray(lengths, np.int64)[:, None] - np.arange(order), 0)


@dataclass(frozen=True)
class _Layout:
    """How an n-gram is written as one number: so many tokens of so many bits, then so many bits for the text."""

    order: int
    token: int
    text: int

    def shift(self, order: int) -> int:
        """How far the prefix of an order stands from the right."""
        return self.text + self.token * (self.order - order)


def _blocks(rows: Iterable[Sequence[Tokens]]) -> Iterator[list[Sequence[Tokens]]]:
    block, tokens = list[Sequence[Tokens]](), 0
    for row in rows:
        block.append(row)
        tokens += sum(map(len, row))
        if tokens >= _TOKENS:
            yield block
            block, tokens = [], 0
    if block:
        yield block


def _matched(rows: Sequence[Sequence[Tokens]], order: int) -> NDArray[Any]:
    import numpy as np

    texts = list(chain.from_iterable(rows))
    tokens, kinds = _numbered(texts)
    layout = _Layout(order, kinds.bit_length(), (max(map(len, rows)) - 1).bit_length())
    if layout.shift(0) + len(rows).bit_length() > _WIDEST:
        if len(rows) > 1:
            half = len(rows) // 2
            return np.concatenate([_matched(rows[:half], order), _matched(rows[half:], order)])
        tokens = tokens.astype(object)
    return _matches(_keys(rows, tokens, list(map(len, texts)), layout), layout, len(rows))


def _numbered(texts: Sequence[Tokens]) -> tuple[NDArray[Any], int]:
    """Return the tokens of all texts one after the other, numbered from 1, and how many kinds there are."""
    import numpy as np

    if isinstance(texts[0], str):
        joined = "".join(texts)  # type: ignore[arg-type]  # a call has texts of one kind
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
        seen = np.zeros(int(codes.max(initial=0)) + 1, np.int64)
        seen[codes] = 1
        numbers = seen.cumsum()
        return numbers[codes], int(numbers[-1])
    known = defaultdict[str, int](count(1).__next__)
    flat = np.fromiter(map(known.__getitem__, chain.from_iterable(texts)), np.int64, sum(map(len, texts)))
    return flat, len(known)


def _keys(rows: Sequence[Sequence[Tokens]], tokens: NDArray[Any], lengths: Sequence[int], layout: _Layout) -> NDArray[Any]:
    """Return one sorted number for each token: the n-gram that starts there, its missing tokens 0 at the end of a text."""
    import numpy as np

    sizes = list(map(len, rows))
    row_of = np.repeat(np.arange(len(rows)), sizes)
    text_of = np.concatenate([np.arange(size) for size in sizes])
    gap = layout.order - 1
    place = np.arange(len(tokens)) + gap * np.repeat(np.arange(len(lengths)), lengths)
    padded = np.zeros(len(tokens) + gap * len(lengths), tokens.dtype)
    padded[place] = tokens
    keys = np.repeat(row_of, lengths).astype(tokens.dtype)
    for step in range(layout.order):
        keys = keys << layout.token | padded[place + step]
    keys = keys << layout.text | np.repeat(text_of, lengths)
    keys.sort()
    return keys


def _matches(keys: NDArray[Any], layout: _Layout, rows: int) -> NDArray[Any]:
    import numpy as np

    found = np.zeros((rows, layout.order), np.int64)
    texts, last = 1 << layout.text, (1 << layout.token) - 1
    for order in range(1, layout.order + 1):
        prefix = keys >> layout.shift(order)
        whole = prefix & last != 0
        keys, prefix = keys[whole], prefix[whole]
        first = np.ones(len(keys), bool)
        first[1:] = prefix[1:] != prefix[:-1]
        kind = np.cumsum(first) - 1
        stands_in = (keys & (texts - 1)).astype(np.int64)
        counts = np.bincount(kind * texts + stands_in, minlength=int(first.sum()) * texts).reshape(-1, texts).T
        shared = np.minimum(counts[0], np.maximum.reduce(counts[1:]))
        row = (prefix[first] >> layout.token * order).astype(np.int64)
        found[:, order - 1] = np.bincount(row, shared, minlength=rows)
        keys = keys[(shared > 0)[kind]]
    return found
