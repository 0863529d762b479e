"""BERTScore: how well each token of one text is matched by some token of the other, in an encoder's vectors.

Texts run through the encoder once each, in small batches of like length, responses and references together; references are
kept for the next system. `python -m benchmarks.bert_score`: 1.8 times as fast as
bert-score on 500 pairs of 40 to 80 words on a quiet machine, 3.7 times for a second system on the same references (1.4 to
1.6 and 2.7 to 3.0 times beside other work; about 1.3 times on pairs of 20 words). What remains is the
encoder's matrix products, four fifths of the time.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import evalharness as eh
from evalharness_hf.encoder import identity
from evalharness_hf.kept import Kept

if TYPE_CHECKING:
    from evalharness_hf.encoder import Encoded

PARTS = (".precision", ".recall", ".f1")
REFERENCES: Kept[Encoded] = Kept(most=256 * 2**20)  # of 500 references of 80 tokens, 384 numbers wide, 61 MB


class BertScore(eh.Metric):
    """Cosine similarity of greedily matched token vectors of response and reference, mean over samples, -1 to 1.

    `precision` matches each token of the response with the nearest of the reference, `recall` the other way round,
    `f1` is their harmonic mean (0 where one of them is not above 0). Of several references the highest value counts,
    for each part by itself. An empty response or reference scores 0; a sample without references is unmeasured.

    - `weights`: an encoder (`evalharness weights list`, a local folder, or OWNER/NAME@REVISION); `layer`: whose layer's
      vectors, the last one when left out.
    - `idf`: a text file, one sentence a line, in which tokens are counted to weigh rare ones more:
      log((lines + 1) / (lines with the token + 1)). It is a file, not the references at hand, so that a sample's value
      depends on that sample alone; the original's values come out when it holds all references, one a line.
    - `baseline`: three numbers b for precision, recall and f1, the mean values of unrelated pairs; each value x is shown
      as (x - b) / (1 - b).

    Texts are cut at the encoder's limit. Runs in float32; values agree to 1e-4 whatever the batch. Up to 256 MiB of vectors of
    references are kept in memory for later batches and other systems. The original lets the padding of its batch count as a
    similarity of 0; values here are those that it gives for one pair at a time.

    >>> rows = BertScore().measure(response=["The mill burned down.", ""], references=[["Fire destroyed the mill."], ["x"]])
    >>> [round(value, 2) for value in rows.statistics[".f1"]]
    [0.81, 0.0]
    """

    name, better = "bert_score", "higher"
    needs = "hf"
    tolerance = 1e-4
    parts = PARTS
    family: ClassVar[str] = "similarity"
    formula: ClassVar[str] = "P = mean over response tokens of max cosine with a reference token, R the other way, F = 2PR/(P+R)"
    cite: ClassVar[str] = "Zhang et al., BERTScore: Evaluating Text Generation with BERT, ICLR 2020"
    reference: ClassVar[str] = "bert-score 0.3.13 BERTScorer(model_type=FOLDER, num_layers=LAYER).score(batch_size=1)"

    weights: str = "all-minilm-l6-v2"
    layer: int | None = None
    idf: eh.File | None = None
    baseline: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.layer is not None and self.layer < 0:
            raise ValueError(f"option 'layer' must be 0 or more, not {self.layer}")
        if self.baseline and (len(self.baseline) != 3 or not all(-1 <= value < 1 for value in self.baseline)):
            raise ValueError("option 'baseline' needs three numbers from -1 to below 1: of precision, recall and f1")

    @property
    def range(self) -> tuple[float, float]:  # type: ignore[override]
        """-1 to 1, or what the baselines make of it."""
        return min((_rescaled(-1.0, baseline) for baseline in self.baseline), default=-1.0), 1.0

    def signature(self) -> str:
        counted = "" if self.idf is None else f"|idf_digest:{_document_counts_digest(self.idf)}"
        return f"{super().signature()}|weights_digest:{identity(self.weights)}{counted}"

    def measure(self, response: Sequence[str], references: Sequence[Sequence[str]], batch: eh.Batch | None = None) -> eh.Rows:
        """Return the best precision, recall and f1 of each row."""
        key = ("bert_score", self.weights, self.layer)
        encode = functools.partial(_encoded, self, response, references)
        vectors = encode() if batch is None else batch.once(key, encode)
        weigh = self._token_weights()
        rows = [
            [_similarity(vectors[text], vectors[other], weigh) for other in others]
            for text, others in zip(response, references, strict=True)
        ]
        unmeasured = {row: "no reference" for row, others in enumerate(references) if not others}
        return eh.Rows({part: [self._value(found, column) for found in rows] for column, part in enumerate(PARTS)}, unmeasured)

    def _value(self, found: Sequence[tuple[float, float, float]], column: int) -> float:
        best = max((values[column] for values in found), default=math.nan)
        return _rescaled(best, self.baseline[column]) if self.baseline else best

    def _token_weights(self) -> Mapping[int, float]:
        """Return the weight of each token: 0 for the marks at both ends, 1 or the inverse document frequency else."""
        from evalharness_hf.encoder import token_states

        tokenizer = token_states(self.weights).tokenizer
        marks = {tokenizer.cls_token_id: 0.0, tokenizer.sep_token_id: 0.0}
        return _Weights(marks, 1.0) if self.idf is None else _inverse_frequencies(self.weights, self.idf, _stamp(self.idf))


class _Weights(dict[int, float]):
    """Weights of tokens, with one for those that are not in it."""

    def __init__(self, known: Mapping[int, float], other: float) -> None:
        super().__init__(known)
        self.other = other

    def __missing__(self, token: int) -> float:
        return self.other


def _encoded(metric: BertScore, response: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Encoded]:
    """Return the token vectors of each text; those of references from earlier batches where they are kept."""
    from evalharness_hf.encoder import token_states

    network = token_states(metric.weights)
    layer = network.layers if metric.layer is None else metric.layer
    if layer > network.layers:
        raise eh.UsageError(f"bert_score: '{metric.weights}' has {network.layers} layers; option 'layer' asks for {layer}")
    keys = {text: (eh.weights_digest(metric.weights), layer, text) for row in references for text in row}
    found = {text: kept for text, key in keys.items() if (kept := REFERENCES.get(key)) is not None}
    missing = [text for text in dict.fromkeys([*keys, *response]) if text not in found]
    found |= zip(missing, network.encoded(missing, layer), strict=True)
    for text in keys.keys() & set(missing):
        own = found[text]._replace(vectors=found[text].vectors.copy())  # not a view that holds its batch
        REFERENCES.put(keys[text], own, own.vectors.nbytes)
    return found


def _similarity(response: Encoded, reference: Encoded, weights: Mapping[int, float]) -> tuple[float, float, float]:
    cosines = response.vectors @ reference.vectors.T
    precision = _weighted(cosines.max(1), response.tokens, weights)
    recall = _weighted(cosines.max(0), reference.tokens, weights)
    if min(len(response.tokens), len(reference.tokens)) <= 2:  # nothing between the marks
        return 0.0, 0.0, 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if min(precision, recall) > 0 else 0.0


def _weighted(values: Any, tokens: Sequence[int], weights: Mapping[int, float]) -> float:
    each = [weights[token] for token in tokens]
    total = math.fsum(each)
    mean = math.fsum(w * float(v) for w, v in zip(each, values, strict=True)) / total if total else 0.0
    return min(mean, 1.0)  # rounding may lead beyond


def _rescaled(value: float, baseline: float) -> float:
    return (value - baseline) / (1 - baseline)


@functools.lru_cache(maxsize=4)
def _inverse_frequencies(weights: str, path: str, stamp: tuple[int, int]) -> Mapping[int, float]:
    from evalharness_hf.encoder import token_states

    network = token_states(weights)
    lines = _lines(path)
    counts = Counter(token for tokens in network.tokens(lines) for token in set(tokens))
    known = {token: math.log((len(lines) + 1) / (count + 1)) for token, count in counts.items()}
    return _Weights(known, math.log(len(lines) + 1))


def _document_counts_digest(path: str) -> str:
    return eh.digest(_lines(path), size=4)


def _lines(path: str) -> list[str]:
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise eh.DataError(f"bert_score: the idf file {path} cannot be read: {error}") from error
    if not lines:
        raise eh.DataError(f"bert_score: the idf file {path} is empty; it holds one sentence a line")
    return lines


def _stamp(path: str) -> tuple[int, int]:
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise eh.DataError(f"bert_score: the idf file {path} cannot be read: {error}") from error
    return stat.st_size, stat.st_mtime_ns
