"""Metrics as modules of evaluate: every way that it calls a module gives the value that the metric has here."""

from __future__ import annotations

from typing import Any

import evaluate
import pytest

import evalharness as eh
from evalharness.testing.samples import ROWS

RESPONSES = [row[1] for row in ROWS if row[2]]
REFERENCES = [row[2] for row in ROWS if row[2]]
FIRST = [texts[0] for texts in REFERENCES]


def here(name: str, columns: dict[str, Any], **options: Any) -> dict[str, float | None]:
    return {key: score.value for key, score in eh.load_metric(name, **options).evaluate(**columns).scores.items()}


@pytest.mark.parametrize(("name", "options"), [("bleu", {"tokenize": "char"}), ("rouge", {}), ("wer", {}), ("exact_match", {})])
def test_compute_gives_the_values_of_the_metric(name: str, options: dict[str, Any]) -> None:
    module = eh.as_evaluate(name, **options)
    assert isinstance(module, evaluate.EvaluationModule)
    assert module.name == name
    for references in (REFERENCES, FIRST):
        expected = here(name, {"response": RESPONSES, "references": references}, **options)
        assert module.compute(predictions=RESPONSES, references=references) == expected


def test_batches_add_up_to_the_whole() -> None:
    module = eh.as_evaluate("bleu")
    module.add_batch(predictions=RESPONSES[:5], references=FIRST[:5])
    for text, reference in zip(RESPONSES[5:], FIRST[5:], strict=True):
        module.add(prediction=text, reference=reference)
    assert module.compute() == here("bleu", {"response": RESPONSES, "references": FIRST})
    assert module.compute(predictions=["a"], references=["a"]) == here("bleu", {"response": ["a"], "references": ["a"]})


def test_combined_modules_give_all_scores() -> None:
    combined = evaluate.combine([eh.as_evaluate("bleu"), eh.as_evaluate("rouge", variants=("rouge1",)), eh.as_evaluate("wer")])
    found = combined.compute(predictions=RESPONSES, references=FIRST)
    columns = {"response": RESPONSES, "references": FIRST}
    assert found == here("bleu", columns) | here("rouge", columns, variants=("rouge1",)) | here("wer", columns)


def test_options_may_be_given_to_compute() -> None:
    module = eh.as_evaluate(eh.load_metric("bleu"))
    expected = here("bleu", {"response": RESPONSES, "references": FIRST}, order=2)
    assert module.compute(predictions=RESPONSES, references=FIRST, order=2) == expected
    with pytest.raises(eh.UsageError, match="metric 'bleu' has no option 'ordre'"):
        module.compute(predictions=RESPONSES, references=FIRST, ordre=2)


@pytest.mark.parametrize(
    ("name", "options", "predictions", "references", "expected"),
    [
        ("accuracy", {}, [0.2, 0.7], [0, 0], 0.5),
        ("accuracy", {"classes": 3}, [[0.2, 0.7, 0.1], [0.6, 0.2, 0.2]], [1, 1], 0.5),
        ("accuracy", {"of": "prediction", "classes": 3}, [0, 1, 2, 2], [0, 1, 1, 2], 0.75),
        ("accuracy", {"of": "prediction"}, ["yes", "no"], ["yes", "yes"], 0.5),
        ("mae", {}, [1, 2.5], [1.5, 2.5], 0.25),
    ],
)
def test_classes_and_numbers(name: str, options: dict[str, Any], predictions: Any, references: Any, expected: float) -> None:
    found = eh.as_evaluate(name, **options).compute(predictions=predictions, references=references)
    assert found == {name: pytest.approx(expected)}


def test_an_evaluator_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    # evaluate 0.4.6 asks whether it was given a model of a class that transformers 5 no longer has.
    monkeypatch.setattr(transformers, "TFPreTrainedModel", type("Absent", (), {}), raising=False)

    class Pipe:
        """Stands in for a pipeline of transformers."""

        task = "text-classification"

        def __call__(self, texts: Any, **_: Any) -> list[dict[str, str]]:
            return [{"label": "good" if "good" in text else "bad"} for text in texts]

    from datasets import Dataset

    found = evaluate.evaluator("text-classification").compute(
        model_or_pipeline=Pipe(),
        data=Dataset.from_dict({"text": ["a good one", "a bad one", "not good"], "label": [1, 0, 0]}),
        metric=eh.as_evaluate("accuracy", of="prediction", classes=2),
        label_mapping={"bad": 0, "good": 1},
    )
    assert found["accuracy"] == pytest.approx(2 / 3)


def test_what_is_left_out_is_told(caplog: pytest.LogCaptureFixture) -> None:
    found = eh.as_evaluate("rouge", variants=("rouge1",)).compute(predictions=["a", "b"], references=[["a"], []])
    assert found == {"rouge.rouge1": 1.0}
    assert "rouge.rouge1: 1 samples measured; not: no reference 1" in caplog.text
    assert eh.as_evaluate("wer").compute(predictions=["a"], references=[[]]) == {"wer": None}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndcg", "metric 'ndcg' cannot be a module of evaluate: it reads 'relevant'; one may read response"),
        ("perplexity", "metric 'perplexity' asks a model; run it in a task: evalharness run TASK"),
        ("blue", "no metric is called 'blue'. Did you mean 'bleu'?"),
    ],
)
def test_what_cannot_be_a_module_says_why(name: str, message: str) -> None:
    with pytest.raises(eh.UsageError) as caught:
        eh.as_evaluate(name)
    assert message in str(caught.value)
