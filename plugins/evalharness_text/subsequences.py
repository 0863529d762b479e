"""Longest common subsequences of words: which words make one, and how heavy the heaviest is where runs count more."""

from __future__ import annotations

from itertools import accumulate

from evalharness_text.words import Words


def word_places(words: Words) -> dict[str, int]:
    """Return where each word stands, as the bits of an integer.

    >>> word_places(["a", "b", "a"])
    {'a': 5, 'b': 2}
    """
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places[word] = places.get(word, 0) | 1 << place
    return places


def common_words(words: Words, places: dict[str, int], width: int) -> list[int]:
    """Return which of the words make a longest common subsequence with the `width` words that `places` describes.

    Of several longest ones it is the one that rouge-score's backtracking finds. The table of lengths is kept as one
    integer a row, bit j of which is 0 where the length grows from column j to j + 1 (Hyyrö, Bit-Parallel LCS-length
    Computation Revisited, 2004); a word that occurs nowhere repeats the row before and is passed over.

    >>> common_words(["a", "b", "c", "d"], word_places(["b", "x", "d"]), 3)
    [3, 1]
    """
    rows, flat = [], -1
    for row, word in enumerate(words):
        match = places.get(word)
        if match:
            before, step = flat, flat & match
            flat = (flat + step) | (flat - step)
            rows.append((row, match, before, flat))
    taken, left = [], (1 << width) - 1  # the columns left to walk through, from the last corner of the table
    for row, match, before, flat in reversed(rows):
        last = (match & left).bit_length()
        if last and (last == left.bit_length() or (before & left).bit_count() > (flat & left).bit_count()):
            taken.append(row)
            left = (1 << last - 1) - 1
    return taken


def weighted_length(words: Words, others: Words, power: float) -> float:
    """Return the weight of a common subsequence in which a run of k words that follow each other weighs k ** power.

    The weight is what the dynamic programme of Lin (2004, section 4) finds, which extends a run wherever it can. The
    row of its table that belongs to a word differs from a running maximum of the row above only where the word occurs.

    >>> weighted_length(list("ABCDEFG"), list("ABCDHIK"), 2.0), weighted_length(list("ABCDEFG"), list("AHBKCID"), 2.0)
    (16.0, 4.0)
    """
    places: dict[str, list[int]] = {}
    for place, word in enumerate(others):
        places.setdefault(word, []).append(place)
    gain = [(run + 1) ** power - run**power for run in range(min(len(words), len(others)))]
    above, runs = [0.0] * (len(others) + 1), dict[int, int]()
    for word in words:
        before, runs, row = runs, {}, [0.0]
        for place in places.get(word, ()):
            row[-1:] = accumulate(above[len(row) : place + 1], max, initial=row[-1])
            run = before.get(place - 1, 0)
            row.append(above[place] + gain[run])
            runs[place] = run + 1
        row[-1:] = accumulate(above[len(row) :], max, initial=row[-1])
        above = row
    return above[-1]
