"""Answer similarity against sentence-transformers, and against people's judgements."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from evalharness_hf.encoder import Encoder, encoder
from evalharness_hf.similarity import AnswerSimilarity

import evalharness as eh
from evalharness.testing import agree

PAIRS = [
    ("The mill burned down.", ["Fire destroyed the old mill.", "Nobody knows."]),
    ("Ünïcödé e\u0301 مرحبا 你好 😀", ["unicode", "مرحبا بالعالم"]),
    ("no", ["yes"]),
    ("mill", ["mill"]),
    (" spaces  around ", ["spaces around"]),
    ("a " * 400, ["a " * 300]),
]
Rows = list[tuple[str, str, float]]


@pytest.fixture(scope="module")
def judged(labelled_data: Callable[[str], Path]) -> Rows:
    """Sentences with the mean of people's judgements, 0 to 5."""
    with labelled_data("stsb_en_dev/stsb-en-dev.csv").open(encoding="utf-8", newline="") as stream:
        return [(row[0], row[1], float(row[2])) for row in csv.reader(stream)]


def cosines(response: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    return list(AnswerSimilarity().measure(response=response, references=references).statistics["cosine"])


def test_it_is_the_cosine_of_sentence_transformers_with_the_nearest_reference() -> None:
    from sentence_transformers.util import cos_sim

    responses, references = zip(*PAIRS, strict=True)
    model = encoder("all-minilm-l6-v2").model
    expected = [
        float(cos_sim(model.encode(text), model.encode(others)).max()) for text, others in zip(responses, references, strict=True)
    ]
    agree("answer_similarity", cosines(responses, references), expected, tolerance=1e-4)


def test_it_ranks_pairs_as_people_do(judged: Rows) -> None:
    stats = pytest.importorskip("scipy.stats")
    rows = judged[::6]
    found = cosines([row[0] for row in rows], [[row[1]] for row in rows])
    assert stats.spearmanr(found, [row[2] for row in rows]).statistic == pytest.approx(0.867, abs=0.03)


def test_values_do_not_depend_on_order_or_batches(judged: Rows) -> None:
    rows = judged[:60]
    whole = cosines([row[0] for row in rows], [[row[1]] for row in rows])
    order = random.Random(0).sample(range(len(rows)), len(rows))
    for start in range(0, len(rows), 7):
        part = order[start : start + 7]
        found = cosines([rows[row][0] for row in part], [[rows[row][1]] for row in part])
        assert found == pytest.approx([whole[row] for row in part], abs=1e-4)


def test_what_is_blank_scores_nothing_and_what_has_no_reference_is_unmeasured() -> None:
    rows = AnswerSimilarity().measure(response=["", " \n", "a", "b"], references=[["x"], [""], ["", "a"], []])
    assert rows.statistics["cosine"][:3] == [0.0, 0.0, pytest.approx(1.0)]
    assert rows.unmeasured == {3: "no reference"}


def test_metrics_with_one_encoder_share_its_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = Encoder.embed
    monkeypatch.setattr(Encoder, "embed", lambda self, texts: asked.append(list(texts)) or real(self, texts))
    columns = {"response": ["a b", "b c"], "references": [["b c"], ["b c"]]}
    batch = eh.Batch(columns)
    first, second = (AnswerSimilarity().measure(**columns, batch=batch).statistics for _ in range(2))
    assert first == second
    assert asked == [["a b", "b c"]]


def test_its_signature_names_the_content_of_the_weights() -> None:
    written = AnswerSimilarity().signature()
    assert written.startswith("answer_similarity|weights:all-minilm-l6-v2|weights_digest:")
    assert AnswerSimilarity(weights="none/such").signature().endswith("|weights_digest:absent")
