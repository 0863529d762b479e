"""Log-probabilities under the start weights are computed once and found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from evalharness.systems.store import Store
from evalharness.training import references
from evalharness.training.collating import Example, Pair
from evalharness.training.references import with_references
from tests.training.models import examples, llama


def pairs(number: int) -> list[Pair]:
    return [Pair(one, other) for one, other in zip(examples(number, 1), examples(number, 2), strict=True)]


def by_hand(model: Any, example: Example) -> float:
    logps = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(-1)
    return float(sum(logps[place - 1, token] for place, token in enumerate(example.ids) if place and example.weights[place]))


def test_they_are_the_sums_over_tokens_that_count(tmp_path: Path) -> None:
    model = llama()
    with Store(tmp_path / "store.sqlite") as store, torch.no_grad():
        for pair in with_references(pairs(20), model, 0, store, "start"):
            found = dict(pair.references)
            assert found["chosen"] == pytest.approx(by_hand(model, pair.chosen), abs=1e-3)
            assert found["rejected"] == pytest.approx(by_hand(model, pair.rejected), abs=1e-3)


def test_nothing_is_computed_twice_and_other_weights_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        first = with_references(pairs(3), llama(), 0, store, "start")
        other = with_references(pairs(3), llama(1), 0, store, "other")
        monkeypatch.setattr(references, "_sums", lambda *_: pytest.fail("it was known"))
        assert with_references(pairs(3), llama(), 0, store, "start") == first
        assert other != first


def test_an_interrupted_run_ends_in_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed at once does not depend on what is stored."""
    monkeypatch.setattr(references, "EXAMPLES_AT_ONCE", 4)
    with Store(tmp_path / "whole.sqlite") as store:
        whole = with_references(pairs(6), llama(), 0, store, "start")
    calls = []
    compute = references._sums

    def dying(examples: Any, *given: Any) -> list[float]:
        calls.append(len(examples))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute(examples, *given)

    with Store(tmp_path / "killed.sqlite") as store:
        monkeypatch.setattr(references, "_sums", dying)
        with pytest.raises(KeyboardInterrupt):
            with_references(pairs(6), llama(), 0, store, "start")
        assert with_references(pairs(6), llama(), 0, store, "start") == whole
    assert calls == [4, 4, 4, 4]


def test_dropout_is_off_and_the_mode_of_the_model_stays(tmp_path: Path) -> None:
    model = llama(attention_dropout=0.9).train()
    with Store(tmp_path / "store.sqlite") as store:
        found = with_references(pairs(2), model, 0, store, "start")
        again = with_references(pairs(2), model, 0, store, "again")
    assert found == again
    assert model.training
