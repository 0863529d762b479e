"""Where a network runs: on the named device, or spread over what there is, with the same answers."""

from __future__ import annotations

import pytest
from evalharness_hf.model import HuggingFace
from evalharness_hf.network import inputs_device, instead_of, language_model, place

import evalharness as eh

REQUESTS = [
    eh.Choose(prompt="One, two,", choices=("three", "four and five")),
    eh.Likelihood(text="One, two, three."),
    eh.Generate(prompt="One, two,", max_tokens=3),
]


@pytest.mark.parametrize("device", ["cpu", "balanced", "sequential"])
def test_answers_do_not_depend_on_how_layers_are_placed(absolute_model: HuggingFace, device: str) -> None:
    placed = HuggingFace(weights=absolute_model.weights, device=device)
    assert placed.identity() == absolute_model.identity()
    whole, found = dict(absolute_model.answer(REQUESTS)), dict(placed.answer(REQUESTS))
    assert [found[request].text for request in REQUESTS] == [whole[request].text for request in REQUESTS]
    for request in REQUESTS[:2]:
        assert found[request].logprobs == pytest.approx(whole[request].logprobs, abs=1e-4)


def test_layers_are_placed_by_transformers(absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForCausalLM

    asked, real = [], AutoModelForCausalLM.from_pretrained

    def loaded(*args: object, **options: object) -> object:
        asked.append(options.get("device_map"))
        return real(*args, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", loaded)
    for device in ("balanced_low_0", "cpu:0"):
        language_model(absolute_model.weights, None, "float32", device)
    assert asked == ["balanced_low_0", None]


def test_tokens_go_to_the_device_of_the_embeddings(absolute_model: HuggingFace) -> None:
    assert inputs_device(absolute_model._local().network()).type == "cpu"


def test_one_device_is_chosen_where_one_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert [place(device) for device in ("cpu", "cuda:1")] == ["cpu", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [place(device) for device in ("auto", "balanced")] == ["cuda", "cuda"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [place(device) for device in ("auto", "sequential")] == ["cpu", "cpu"]


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_told_with_those_that_are(
    absolute_model: HuggingFace, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    import torch

    with pytest.raises(eh.WeightsError, match=rf"on device '{device}'.*This machine has cpu.*option 'device'"):
        language_model(absolute_model.weights, None, "float32", device)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert "This machine has cpu, cuda:0, cuda:1: " in instead_of(device)
    assert [instead_of(name) for name in ("cuda", "cuda:1", "cpu:0", "balanced")] == [""] * 4
