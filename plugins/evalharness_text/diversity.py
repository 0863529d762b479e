"""How much responses say again: of one another, within themselves, and how long they are beside their references.

Words are words by Unicode in lower case unless `normalise` says otherwise, Chinese and Japanese characters one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any, ClassVar

from evalharness import Metric, Rows
from evalharness_text.answers import without_reference
from evalharness_text.bleu import SentenceBleu
from evalharness_text.normalising import Normalise, Words, normal_words
from evalharness_text.tokenizers import Tokenize

if TYPE_CHECKING:
    from numpy.typing import NDArray


class DistinctN(Metric):
    """Share of the n-grams of all responses together that are distinct, 0 to 1 for each n.

    Low values mean that responses repeat themselves and each other. N-grams do not reach from one response into the next;
    a value for which no response is long enough is undefined. It falls as responses get more or longer, so compare systems
    on the same samples. `normalise` as in `exact_match`, by default "words".

    It is a property of the set, not of a sample: there is no value for one response (for that see `repetition_rate`), and
    the replicates, 200, draw responses again, which lowers distinct-n itself; they serve for the spread and for comparing.

    >>> scores = DistinctN(n=(1, 2)).evaluate(response=["the cat", "the dog"]).scores
    >>> scores["distinct_n.1"].value, scores["distinct_n.2"].value
    (0.75, 1.0)
    """

    name, better, range, family = "distinct_n", "higher", (0, 1), "diversity"
    pool, replicates = "rows", 200
    formula: ClassVar[str] = "distinct n-grams of all responses / n-grams of all responses"
    cite: ClassVar[str] = "Li et al., A Diversity-Promoting Objective Function for Neural Conversation Models, NAACL 2016"
    reference: ClassVar[str] = "closed form"

    n: tuple[int, ...] = (1, 2)
    normalise: Normalise = "words"

    def __post_init__(self) -> None:
        if not self.n or min(self.n) < 1 or len(set(self.n)) < len(self.n):
            raise ValueError(f"n must hold whole numbers from 1, each once, such as [1, 2], not {list(self.n)}")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """One suffix for each n."""
        return tuple(f".{size}" for size in self.n)

    def measure(self, response: list[str]) -> dict[str, list[str]]:
        """Return the texts; words are numbered when all are there."""
        return {"response": response}

    def score(self, response: Any, *, weights: Any) -> dict[str, Any]:
        """Return the share of distinct n-grams under the weights, of shape (n,) or (replicates, n)."""
        import numpy as np

        split = normal_words(self.normalise)
        rows = list(map(split, response))
        drawn = np.atleast_2d(weights)
        shares = {part: _distinct_share(rows, size, drawn) for part, size in zip(self.parts, self.n, strict=True)}
        return {part: values if np.ndim(weights) > 1 else values[0] for part, values in shares.items()}


def _distinct_share(rows: list[Words], size: int, weights: NDArray[Any]) -> NDArray[Any]:
    """Return distinct / all n-grams under each set of weights, NaN where there is none."""
    import numpy as np

    number = defaultdict[tuple[str, ...], int](count().__next__)
    grams = [[number[gram] for gram in ngrams(words, size)] for words in rows]
    sizes = np.array(list(map(len, grams)))
    flat = np.fromiter(chain.from_iterable(grams), np.intp, int(sizes.sum()))
    distinct = np.empty(len(weights))
    for place, drawn in enumerate(weights):
        seen = np.zeros(len(number), bool)
        seen[flat[np.repeat(drawn > 0, sizes)]] = True
        distinct[place] = np.count_nonzero(seen)
    total = weights @ sizes
    return np.divide(distinct, total, out=np.full(len(weights), np.nan), where=total > 0)


def ngrams(words: Words, size: int) -> Iterable[tuple[str, ...]]:
    """Return the n-grams of a list of words.

    >>> list(ngrams(["a", "b", "c"], 2))
    [('a', 'b'), ('b', 'c')]
    """
    return zip(*(words[start:] for start in range(size)), strict=False)


class RepetitionRate(Metric):
    """Share of the n-grams of a response that stood in it before, mean over responses, 0 to 1.

    0 where no n-gram occurs twice. A response of fewer than `n` words has none and is unmeasured. `normalise` as in
    `exact_match`, by default "words": by Unicode in lower case, Chinese and Japanese characters one by one.

    >>> RepetitionRate(n=1).evaluate(response=["no no no yes"]).scores["repetition_rate"].value
    0.5
    """

    name, better, range, family = "repetition_rate", "lower", (0, 1), "diversity"
    formula: ClassVar[str] = "mean over responses of 1 - distinct n-grams / n-grams"
    cite: ClassVar[str] = "Welleck et al., Neural Text Generation with Unlikelihood Training, ICLR 2020 (seq-rep-n)"
    reference: ClassVar[str] = "closed form"

    n: int = 4
    normalise: Normalise = "words"

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, not {self.n}")

    def measure(self, response: list[str]) -> Rows:
        """Return the share of repeated n-grams of each response."""
        grams = [list(ngrams(words, self.n)) for words in map(normal_words(self.normalise), response)]
        rates = [(len(row) - len(set(row))) / len(row) if row else 0.0 for row in grams]
        return Rows({"repeated": rates}, {place: f"fewer than {self.n} words" for place, row in enumerate(grams) if not row})


class SelfBleu(Metric):
    """Self-BLEU of the repeats of a sample: how much they say the same, mean over samples, 0 to 100.

    The value of a sample is the mean over its responses of sentence BLEU (`sentence_bleu`, with its `order` and `tokenize`)
    against all its other responses. A sample with fewer than two is unmeasured: ask for several with `repeats`. Among the
    responses of different samples, where the term comes from, `distinct_n` measures the like; self-BLEU of a set has no
    honest interval, since whatever is drawn twice has 100.

    >>> SelfBleu(order=1).evaluate(responses=[["a cat", "a dog", "a cat"]]).scores["self_bleu"].value.__round__(2)
    83.33
    """

    name, better, unit, range, family = "self_bleu", "lower", "points", (0, 100), "diversity"
    formula: ClassVar[str] = "mean over samples and their responses of sentence BLEU against the other responses"
    cite: ClassVar[str] = "Zhu et al., Texygen: A Benchmarking Platform for Text Generation Models, SIGIR 2018"
    reference: ClassVar[str] = "sacrebleu 2.6.0 sentence_bleu with the other responses as references"

    order: int = 4
    tokenize: Tokenize = "13a"

    def __post_init__(self) -> None:
        SentenceBleu(**self.options())

    def measure(self, responses: Sequence[Sequence[str | None]]) -> Rows:
        """Return the mean BLEU of each sample's responses against its others."""
        rows = [[text for text in texts if text is not None] for texts in responses]
        alone = {place: "fewer than two responses" for place, texts in enumerate(rows) if len(texts) < 2}
        pairs = [(text, texts[:at] + texts[at + 1 :]) for texts in rows for at, text in enumerate(texts)]
        bleu = SentenceBleu(**self.options()).measure([text for text, _ in pairs], [others for _, others in pairs])
        values = iter(bleu.statistics["bleu"])
        return Rows({"bleu": [sum(islice(values, len(texts))) / max(len(texts), 1) for texts in rows]}, alone)


class LengthRatio(Metric):
    """Words of the responses per word of the closest references, 0 or more.

    Words are added over all samples before anything is divided. Of several references it is the one whose length is
    closest, of two equally close ones the shorter, as in BLEU. Neither long nor short is good in itself, 1 is the length
    of the references; "lower" is stated since a longer answer costs more. Undefined where all references are empty. A
    sample without references is unmeasured. `normalise` as in `exact_match`, by default "words".

    >>> LengthRatio().evaluate(response=["one two three"], references=[["one two", "one"]]).scores["length_ratio"].value
    1.5
    """

    name, better, range, family = "length_ratio", "lower", (0, None), "length"
    unit = "words/word"
    formula: ClassVar[str] = "words of the responses / words of the closest references"
    cite: ClassVar[str] = "Papineni et al., BLEU, ACL 2002 (the lengths of its brevity penalty)"
    reference: ClassVar[str] = "sacrebleu 2.6.0 corpus_bleu, sys_len / ref_len, with tokenize none and normalise none"

    normalise: Normalise = "words"

    def measure(self, response: list[str], references: list[list[str]]) -> Rows:
        """Return the words of each response and of its closest reference."""
        unmeasured, split = without_reference(references), normal_words(self.normalise)
        lengths = [
            (len(split(text)), [len(split(item)) for item in texts]) for text, texts in zip(response, references, strict=True)
        ]
        closest = [min(others, key=lambda other: (abs(own - other), other), default=0) for own, others in lengths]
        return Rows({"length": [own for own, _ in lengths], "reference_length": closest}, unmeasured)

    def score(self, length: Any, reference_length: Any) -> Any:
        """Return the ratio; not a number where all references are empty."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.equal(reference_length, 0), np.nan, np.divide(length, reference_length))
