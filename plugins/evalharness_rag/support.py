"""How far one sentence is stated in the words of some passages."""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_rag.sentences import sentence_spans
from evalharness_rag.tokens import Token, content_tokens

WINDOW = 3  # neighbouring sentences of a passage that may support a sentence together
COVERAGE, BIGRAMS, ABSENT_NUMBER, ABSENT_NAME = 0.80, 0.54, 0.34, 0.25
Stems = tuple[str, ...]


@dataclass(frozen=True)
class Support:
    """The best supporting window of one sentence: score 0 to 1, passage and characters of it, and the words shared.

    `passage` is None where no window shares a word. `covered` are the words of the sentence that stand in the window,
    `novel` those that stand in no passage; `numbers` and `names` are the novel ones among them.
    """

    score: float
    passage: int | None
    start: int
    end: int
    covered: tuple[Token, ...]
    novel: tuple[Token, ...]

    @property
    def numbers(self) -> tuple[Token, ...]:
        return tuple(token for token in self.novel if token.number)

    @property
    def names(self) -> tuple[Token, ...]:
        return tuple(token for token in self.novel if token.name)


class Contexts:
    """Passages, split into sentences and indexed by stem."""

    def __init__(self, passages: Sequence[eh.Passage]) -> None:
        self.sentences = [(row, *found) for row, passage in enumerate(passages) for found in split(passage.text)]
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, (_, _, _, stems) in enumerate(self.sentences):
            for stem in set(stems):
                self.places[stem].append(place)
        self.bigrams = {pair for passage in passages for pair in bigrams_of(passage.text)}

    def idf(self, stem: str) -> float:
        """Return how rare a stem is among the sentences of these passages."""
        return math.log(1 + (len(self.sentences) + 1) / (1 + len(self.places.get(stem, ()))))

    def support(self, tokens: Sequence[Token]) -> Support:
        """Return the support of a sentence that holds these content tokens, at least one."""
        stems = list(dict.fromkeys(token.stem for token in tokens))
        weights = {stem: self.idf(stem) for stem in stems}
        first, last = self._best_window(stems, list(weights.values()))
        held = {stem for place in range(first, last) for stem in self.sentences[place][3]}
        coverage = math.fsum(weights[stem] for stem in stems if stem in held) / math.fsum(weights.values())
        covered = tuple(token for token in tokens if token.stem in held)
        novel = tuple(token for token in tokens if token.stem not in self.places)
        score = self._score(coverage, tokens, novel)
        if not covered:
            return Support(score, None, 0, 0, covered, novel)
        row, start, _, _ = self.sentences[first]
        return Support(score, row, start, self.sentences[last - 1][2], covered, novel)

    def _score(self, coverage: float, tokens: Sequence[Token], novel: Sequence[Token]) -> float:
        pairs = list(itertools.pairwise(tokens))
        known = sum((left.stem, right.stem) in self.bigrams for left, right in pairs)
        bigrams = known / len(pairs) if pairs else coverage
        numbers, names = any(token.number for token in novel), any(token.name for token in novel)
        score = (COVERAGE * coverage + BIGRAMS * bigrams - ABSENT_NUMBER * numbers - ABSENT_NAME * names) / (COVERAGE + BIGRAMS)
        return min(1.0, max(0.0, score))

    def _best_window(self, stems: Sequence[str], weights: Sequence[float]) -> tuple[int, int]:
        """Return first and one past the last sentence of the window of highest coverage; the shortest and first of equals."""
        import numpy as np

        held = np.zeros((len(self.sentences), len(stems)), dtype=bool)
        for column, stem in enumerate(stems):
            held[self.places.get(stem, []), column] = True
        best, window, joined = -1.0, (0, 0), held
        for size in range(1, min(WINDOW, len(held)) + 1):
            joined = held if size == 1 else joined[:-1] | held[size - 1 :]
            # Rounded, so that equal coverage added up in another order stays equal.
            totals = np.where(self._within_passage(size), (joined @ np.asarray(weights)).round(9), -1.0)
            place = int(totals.argmax())
            if totals[place] > best:
                best, window = totals[place], (place, place + size)
        return window

    def _within_passage(self, size: int) -> Any:
        import numpy as np

        rows = np.asarray([sentence[0] for sentence in self.sentences])
        return rows[: len(rows) - size + 1] == rows[size - 1 :]


@functools.lru_cache(maxsize=8192)
def split(text: str) -> tuple[tuple[int, int, Stems], ...]:
    """Return start, end and content stems of each sentence; passages recur, so the last ones are remembered."""
    return tuple(
        (start, end, tuple(token.stem for token in content_tokens(text, start, end))) for start, end in sentence_spans(text)
    )


@functools.lru_cache(maxsize=8192)
def bigrams_of(text: str) -> frozenset[tuple[str, str]]:
    """Return the pairs of neighbouring content stems of a text."""
    stems = [stem for _, _, found in split(text) for stem in found]
    return frozenset(itertools.pairwise(stems))
