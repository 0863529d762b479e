"""The model `hf` as a whole: failures are responses, identity follows content, nothing is cut silently."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from evalharness_hf import generate
from evalharness_hf.model import HuggingFace

import evalharness as eh
from evalharness.errors import WeightsError
from evalharness.testing import check_model

REQUESTS = [eh.Generate(prompt=text, max_tokens=3) for text in ("One,", "Two,", "Three,", "Four,", "Five,")]


def test_the_language_model_keeps_its_contract(causal_model: HuggingFace) -> None:
    check_model(causal_model)


def test_an_encoder_keeps_its_contract() -> None:
    check_model(eh.load_model("hf", weights="all-minilm-l6-v2"), [eh.Embed(text=text) for text in ("a", "Café 😀", "مرحبا")])


def test_the_identity_follows_weights_template_and_dtype_only(causal_model: HuggingFace, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in eh.resolve_weights(causal_model.weights).iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, folder)
    first = HuggingFace(weights=str(folder)).identity()
    assert HuggingFace(weights=str(folder), token_budget=7, device="cpu").identity() == first
    others = [HuggingFace(weights=str(folder), template="none"), HuggingFace(weights=str(folder), dtype="bfloat16"), causal_model]
    assert len({first, *(other.identity() for other in others)}) == 4
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "<|endoftext|>"}), "utf-8")
    assert HuggingFace(weights=str(folder)).identity() != first


def test_the_identity_costs_milliseconds(causal_model: HuggingFace) -> None:
    causal_model.identity()
    started = time.perf_counter()
    causal_model.identity()
    assert time.perf_counter() - started < 0.1


def test_a_chat_template_is_used_unless_it_is_refused(causal_model: HuggingFace) -> None:
    plain = HuggingFace(template="none")
    assert (causal_model.chat, plain.chat, HuggingFace(weights="all-minilm-l6-v2").chat) == (True, False, False)
    turns = (eh.Message("user", "Hi"),)
    assert "<|im_start|>user\nHi<|im_end|>" in causal_model.rendered(turns)
    assert plain.rendered(turns) == "user: Hi"
    assert causal_model.rendered("Hi") == "Hi"


def test_a_prompt_beyond_the_context_is_a_failure_with_its_lengths(causal_model: HuggingFace) -> None:
    long = "a " * 8192
    requests = [eh.Generate(prompt=long), eh.Choose(prompt=long, choices=("b",)), eh.Generate(prompt="One,", max_tokens=3)]
    responses = dict(causal_model.answer(requests))
    for request in requests[:2]:
        assert responses[request].error is not None
        assert responses[request].error.kind == "cut off"
        assert "reads 8192" in responses[request].error.message
    assert responses[requests[2]].text


def test_a_chunk_that_fails_is_answered_in_halves(causal_model: HuggingFace, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = {request.prompt: response.text for request, response in causal_model.answer(REQUESTS)}
    sizes = []

    def scarce(model: object, rows: Sequence[generate.Continuation], budget: int) -> None:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise RuntimeError("a kernel failed")
        real(model, rows, budget)

    real = generate.continue_all
    monkeypatch.setattr(generate, "continue_all", scarce)
    assert {request.prompt: response.text for request, response in causal_model.answer(REQUESTS)} == whole
    assert sizes == [5, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        (MemoryError(), "out of memory"),
        (ZeroDivisionError("x"), "server"),
    ],
)
def test_what_fails_alone_is_a_failure_of_that_request(
    causal_model: HuggingFace, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str
) -> None:
    def broken(model: object, rows: Sequence[generate.Continuation], budget: int) -> None:
        if any(row.request.prompt == "Two," for row in rows):
            raise error
        real(model, rows, budget)

    real = generate.continue_all
    monkeypatch.setattr(generate, "continue_all", broken)
    found = {request.prompt: response for request, response in causal_model.answer(REQUESTS)}
    assert found.pop("Two,").error == eh.Failure(kind, f"{type(error).__name__}: {error}")
    assert len(found) == 4
    assert all(response.text for response in found.values())


def test_a_text_that_is_no_unicode_fails_alone(causal_model: HuggingFace) -> None:
    requests = [eh.Generate(prompt="\ud800", max_tokens=2), REQUESTS[0]]
    assert [len(chunk) for chunk in causal_model.plan(requests)] == [1, 1]
    found = {request.prompt: response for request, response in causal_model.answer(requests)}
    assert found["\ud800"].error is not None
    assert found["One,"].text


def test_a_template_that_refuses_its_turns_says_so(tmp_path: Path) -> None:
    for path in eh.resolve_weights("smollm2-135m-instruct").iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path)
    (tmp_path / "chat_template.jinja").write_text("{{ raise_exception('no system turns here') }}", "utf-8")
    ((_, response),) = HuggingFace(weights=str(tmp_path)).answer([eh.Generate(prompt=(eh.Message("system", "x"),))])
    assert response.error == eh.Failure("not supported", "the chat template refuses the prompt: no system turns here")


def test_each_kind_of_weights_refuses_the_requests_of_the_other(causal_model: HuggingFace) -> None:
    ((_, response),) = causal_model.answer([eh.Embed(text="x")])
    assert response.error == eh.Failure(
        "not supported", "the weights 'smollm2-135m-instruct' are a language model, which does not answer embed requests"
    )
    encoder = HuggingFace(weights="all-minilm-l6-v2")
    for request in (REQUESTS[0], eh.Choose(prompt="a", choices=("b",)), eh.Likelihood(text="a")):
        ((_, response),) = encoder.answer([request])
        assert response.error is not None
        assert "are an encoder" in response.error.message


def test_weights_that_cannot_be_loaded_are_an_error_of_the_user(tmp_path: Path) -> None:
    for path in eh.resolve_weights("smollm2-135m-instruct").iterdir():
        if path.suffix != ".safetensors":
            shutil.copy(path, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="could not be loaded on device 'cpu'"):
        list(HuggingFace(weights=str(tmp_path)).answer([REQUESTS[0]]))
    with pytest.raises(WeightsError, match="could not be loaded on device 'tpu9'"):
        list(HuggingFace(device="tpu9").answer([REQUESTS[0]]))


def test_options_are_checked() -> None:
    with pytest.raises(eh.UsageError, match="token_budget"):
        eh.load_model("hf", token_budget=0)
    with pytest.raises(eh.UsageError, match="must be one of 'auto', 'none'"):
        eh.load_model("hf", template="chatml")


def test_embeddings_are_those_of_sentence_transformers() -> None:
    import warnings

    texts = ["a", "A longer sentence about bread, salt and the sea.", "😀", ""]
    answered = dict(HuggingFace(weights="all-minilm-l6-v2").answer([eh.Embed(text=text) for text in texts]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        oracle = SentenceTransformer(str(eh.resolve_weights("all-minilm-l6-v2")), device="cpu", local_files_only=True)
    for request, response in answered.items():
        assert response.embedding == pytest.approx(oracle.encode([request.text])[0].tolist(), abs=1e-5)
        assert sum(value * value for value in response.embedding) == pytest.approx(1, abs=1e-5)
