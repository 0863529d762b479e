"""Instruction tuning losses against transformers, the source of trl and closed forms; masks, weights, windows, packing."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from evalharness_losses import vocabulary
from evalharness_losses.instruction import LOSSES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional
from transformers.loss.loss_utils import ForCausalLMLoss
from transformers.modeling_outputs import CausalLMOutput
from transformers.trainer_pt_utils import LabelSmoother

import evalharness as eh
from evalharness.testing import check_loss
from evalharness.testing.tensors import default_tensors

BATCH, TOKENS, WORDS, WIDTH = 4, 8, 11, 5
NAMES = [loss.name for loss in LOSSES]
ANY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
Tensors = dict[str, Any]


def batch(seed: int = 0, *, hidden: bool = False, kind: torch.dtype = torch.float64) -> Tensors:
    """Random logits or hidden states, and labels of which a third is masked."""
    chance = torch.Generator().manual_seed(seed)
    labels = torch.randint(WORDS, (BATCH, TOKENS), generator=chance)
    labels[torch.rand(BATCH, TOKENS, generator=chance) < 0.3] = -100
    labels[0, 1] = 3  # some token counts
    floats = {"hidden": (BATCH, TOKENS, WIDTH), "head_weight": (WORDS, WIDTH)} if hidden else {"logits": (BATCH, TOKENS, WORDS)}
    return {name: torch.randn(*shape, generator=chance, dtype=kind) for name, shape in floats.items()} | {"labels": labels}


def with_weights(tensors: Tensors, seed: int = 0) -> Tensors:
    """The same with weights of tokens and samples, some 0, and two or three documents a row."""
    chance = torch.Generator().manual_seed(seed)
    weights = torch.rand(BATCH, TOKENS, generator=chance, dtype=torch.float64) * 2
    weights[weights < 0.3] = 0
    of_samples = torch.tensor([0.5, 2.0, 0.0, 1.0], dtype=torch.float64)
    documents = torch.randint(3, (BATCH, TOKENS), generator=chance).sort(-1).values
    return {**tensors, "token_weight": weights, "sample_weight": of_samples, "document_ids": documents}


def by_hand(each: Callable[..., Any], normalise: str, tensors: Mapping[str, Any]) -> Any:
    """The loss by loops over samples, documents and tokens; `each` gives the value of a token from its log-probabilities.

    Plain weights, so that nothing but logits or hidden states has a gradient.
    """
    logits = tensors["logits"] if "logits" in tensors else tensors["hidden"] @ tensors["head_weight"].T
    labels = tensors["labels"]
    documents = tensors.get("document_ids", torch.zeros_like(labels))
    per_token = tensors.get("token_weight", torch.ones(labels.shape)).tolist()
    per_sample = tensors.get("sample_weight", torch.ones(len(labels))).tolist()
    total, weight = logits.sum() * 0, 0.0
    for row in range(len(labels)):
        for document in documents[row].unique():
            inside = [t for t in range(labels.shape[1] - 1) if documents[row, t] == documents[row, t + 1] == document]
            inside = [t for t in inside if labels[row, t + 1] != -100 and per_token[row][t + 1] > 0]
            if not inside:
                continue
            own = sum(per_token[row][t + 1] for t in inside)
            before = {t: labels[row, : t + 1][documents[row, : t + 1] == document] for t in inside}
            summed = sum(
                per_token[row][t + 1] * each(logits[row, t].log_softmax(-1), labels[row, t + 1], before[t]) for t in inside
            )
            total = total + per_sample[row] * (summed / own if normalise == "sample" else summed)
            weight += per_sample[row] * (own if normalise == "token" else 1)
    return total / weight


def repeated(label: Any, before: Any) -> list[int]:
    return sorted({int(item) for item in before if item not in (-100, label)})


CLOSED: dict[str, tuple[dict[str, Any], Callable[..., Any]]] = {
    "supervised": (
        {"label_smoothing": 0.1, "z_loss": 0.0},
        lambda log, label, before: -0.9 * log[label] - 0.1 * log.mean(),
    ),
    "focal_tokens": ({"gamma": 1.5}, lambda log, label, before: -((1 - log[label].exp()) ** 1.5) * log[label]),
    "dft": ({}, lambda log, label, before: -log[label].exp().detach() * log[label]),  # as trl's SFTTrainer has it
    "unlikelihood": (
        {"alpha": 0.7},
        lambda log, label, before: -log[label] - 0.7 * (1 - log[repeated(label, before)].exp()).log().sum(),
    ),
    "confidence_penalty": ({"beta": 0.3}, lambda log, label, before: -log[label] + 0.3 * (log.exp() * log).sum()),
}


@ANY
@given(seed=st.integers(0, 2**31))
def test_supervised_is_the_loss_of_transformers(same: Any, seed: int) -> None:
    def theirs(logits: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())  # float64, else the same

    tensors = batch(seed)
    same(eh.load_loss("supervised"), theirs, tensors)
    single = {**tensors, "logits": tensors["logits"].float()}
    same(eh.load_loss("supervised"), lambda logits, labels: ForCausalLMLoss(logits, labels, WORDS), single, rtol=1e-5, atol=1e-7)


def test_given_the_number_of_items_it_is_that_share_of_the_loss_of_transformers(same: Any) -> None:
    loss, items = eh.load_loss("supervised"), torch.tensor(77)

    def ours(logits: Any, labels: Any) -> Any:
        return loss(CausalLMOutput(logits=logits), labels, num_items_in_batch=items)

    def theirs(logits: Any, labels: Any) -> Any:
        return ForCausalLMLoss(logits, labels, WORDS, num_items_in_batch=items)

    same(ours, theirs, batch(1, kind=torch.float32), rtol=1e-5, atol=1e-7)


def test_label_smoothing_is_that_of_transformers_and_torch(same: Any) -> None:
    tensors = batch(2)
    ours = eh.load_loss("supervised", label_smoothing=0.2)
    smoother = LabelSmoother(epsilon=0.2)  # sums over the vocabulary in float32
    same(ours, lambda logits, labels: smoother({"logits": logits}, labels, shift_labels=True), tensors, atol=1e-8)
    same(
        ours,
        lambda logits, labels: functional.cross_entropy(
            logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), label_smoothing=0.2
        ),
        tensors,
    )


def test_z_loss_is_the_mean_square_of_the_log_normaliser(same: Any) -> None:
    def closed(logits: Any, labels: Any) -> Any:
        chosen = labels[:, 1:] != -100
        squares = logits[:, :-1].logsumexp(-1)[chosen] ** 2
        return functional.cross_entropy(logits[:, :-1][chosen], labels[:, 1:][chosen]) + 0.01 * squares.mean()

    same(eh.load_loss("supervised", z_loss=0.01), closed, batch(3))


@pytest.mark.parametrize("normalise", ["token", "sample", "batch"])
@pytest.mark.parametrize("name", NAMES)
@ANY
@given(seed=st.integers(0, 2**31), hidden=st.booleans(), weighted=st.booleans())
def test_each_is_its_closed_form_under_all_weights(
    same: Any, name: str, normalise: str, seed: int, hidden: bool, weighted: bool
) -> None:
    options, each = CLOSED[name]
    tensors = batch(seed, hidden=hidden)
    tensors = with_weights(tensors, seed) if weighted else tensors
    loss = eh.load_loss(name, **options, normalise=normalise)
    if not float(loss.count(**tensors)["weight"].sum()):
        return
    floats = [key for key in tensors if key in ("logits", "hidden", "head_weight")]
    rest = {key: value for key, value in tensors.items() if key not in floats}
    outputs = {key: tensors[key] for key in floats}
    same(lambda **given: loss(**given, **rest), lambda **given: by_hand(each, normalise, {**given, **rest}), outputs, atol=1e-9)


def test_the_gradient_of_dft_is_that_of_its_surrogate(same: Any) -> None:
    def surrogate(logits: Any, labels: Any) -> Any:
        chosen = labels[:, 1:] != -100
        p = logits[:, :-1][chosen].softmax(-1).gather(-1, labels[:, 1:][chosen][:, None])
        constant = (p - p * p.log()).mean().detach()  # so that the values agree too
        return constant - p.mean()

    same(eh.load_loss("dft"), surrogate, batch(4))


def test_focal_without_gamma_is_supervised_and_keeps_a_gradient_at_certainty(same: Any) -> None:
    same(eh.load_loss("focal_tokens", gamma=0.0), eh.load_loss("supervised"), batch(5))
    logits = torch.tensor([[[500.0, 0.0], [0.0, 0.0]]], requires_grad=True)
    eh.load_loss("focal_tokens", gamma=0.5)(logits=logits, labels=torch.tensor([[-100, 0]])).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_hidden_states_give_what_their_logits_give(same: Any, name: str) -> None:
    loss, tensors = eh.load_loss(name), with_weights(batch(6, hidden=True))
    rest = {key: value for key, value in tensors.items() if key not in ("hidden", "head_weight")}
    same(
        lambda hidden, head_weight: loss(hidden=hidden, head_weight=head_weight, **rest),
        lambda hidden, head_weight: loss(logits=hidden @ head_weight.T, **rest),
        {name: tensors[name] for name in ("hidden", "head_weight")},
    )


@pytest.mark.parametrize("normalise", ["token", "sample", "batch"])
@pytest.mark.parametrize("name", NAMES)
def test_the_two_forms_agree(same: Any, monkeypatch: pytest.MonkeyPatch, name: str, normalise: str) -> None:
    monkeypatch.setattr(vocabulary, "CHUNK_BYTES", 3 * 8 * WORDS)
    loss, tensors = eh.load_loss(name, normalise=normalise), with_weights(batch(7, hidden=True))

    def recomputed(**given: Any) -> Any:
        return loss.score(**{name: rows.sum(0) for name, rows in loss.statistics(**given).items()})

    same(loss, recomputed, tensors)


@ANY
@given(seed=st.integers(0, 2**31), cut=st.integers(1, BATCH - 1), normalise=st.sampled_from(["token", "sample", "batch"]))
def test_micro_batches_of_any_split_add_up(same: Any, seed: int, cut: int, normalise: str) -> None:
    loss, tensors = eh.load_loss("supervised", normalise=normalise, label_smoothing=0.1), with_weights(batch(seed), seed)
    rest = {key: value for key, value in tensors.items() if key != "logits"}
    totals = {name: rows.sum(0) for name, rows in loss.count(**rest).items()}
    if not float(totals["weight"]):
        return

    def in_parts(logits: Any) -> Any:
        parts = (slice(0, cut), slice(cut, BATCH))
        return sum(
            loss.share(totals, logits=logits[part], **{name: value[part] for name, value in rest.items()}) for part in parts
        )

    same(in_parts, lambda logits: loss(logits=logits, **rest), {"logits": tensors["logits"]})


@pytest.mark.parametrize("normalise", ["token", "sample", "batch"])
@pytest.mark.parametrize("name", NAMES)
def test_packed_documents_give_what_padded_ones_give(name: str, normalise: str) -> None:
    chance = torch.Generator().manual_seed(8)
    lengths = (2, 5, 1, 4)
    documents = [
        (torch.randn(length, WORDS, generator=chance), torch.randint(WORDS, (length,), generator=chance)) for length in lengths
    ]
    rows, labels = [logits for logits, _ in documents], [labels for _, labels in documents]
    ids = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    packed = {"logits": torch.cat(rows)[None], "labels": torch.cat(labels)[None], "document_ids": ids[None]}
    pad = functools.partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
    padded = {"logits": pad(rows), "labels": pad(labels, padding_value=-100)}
    loss = eh.load_loss(name, normalise=normalise)
    torch.testing.assert_close(loss(**packed), loss(**padded))
    assert loss.count(**packed)["weight"].sum() == loss.count(**padded)["weight"].sum()


def test_weights_on_the_prompt_are_the_weighted_mean() -> None:
    """Prompt-loss weighting and weighted turns: weights of tokens, with the sum of weights below."""
    logits, labels = torch.randn(1, 5, WORDS), torch.tensor([[1, 2, 3, 4, 5]])
    weights = torch.tensor([[0.1, 0.1, 0.1, 1.0, 2.0]])
    nll = functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="none")
    found = eh.load_loss("supervised")(logits=logits, labels=labels, token_weight=weights)
    torch.testing.assert_close(found, (nll * weights[0, 1:]).sum() / weights[0, 1:].sum())


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_what_weighs_nothing_has_no_influence_even_if_nan(name: str, hidden: bool) -> None:
    tensors, main = with_weights(batch(9, hidden=hidden)), "hidden" if hidden else "logits"
    broken = tensors[main].clone()
    broken[2] = math.nan  # the sample of weight 0
    broken[:, -1] = math.inf  # predicts nothing
    leaf = broken.requires_grad_()
    loss = eh.load_loss(name)
    value = loss(**{**tensors, main: leaf})
    value.backward()
    torch.testing.assert_close(value, loss(**tensors))
    assert torch.isfinite(leaf.grad).all()
    assert not leaf.grad[2].any()
    assert not leaf.grad[:, -1].any()


@pytest.mark.parametrize("normalise", ["token", "sample", "batch"])
@pytest.mark.parametrize("name", NAMES)
def test_a_fully_masked_sample_has_loss_and_weight_0(name: str, normalise: str) -> None:
    tensors, loss = batch(10, hidden=True), eh.load_loss(name, normalise=normalise)
    tensors["labels"][1] = -100
    rows = loss.statistics(**tensors)
    assert rows["loss"][1] == rows["weight"][1] == 0
    masked = {**tensors, "hidden": tensors["hidden"].requires_grad_(), "labels": torch.full((BATCH, TOKENS), -100)}
    part = loss.share({"weight": torch.tensor(5.0)}, **masked)
    part.backward()
    assert part == 0
    assert not masked["hidden"].grad.any()


def test_a_batch_in_which_all_is_masked_is_refused() -> None:
    tensors = {**batch(11), "labels": torch.full((BATCH, TOKENS), -100)}
    with pytest.raises(eh.DataError, match=r"'supervised': 'labels' \(4, 8\) has no token that counts"):
        eh.load_loss("supervised")(**tensors)


@pytest.mark.parametrize("label", [WORDS, -1])
def test_a_label_outside_the_vocabulary_is_refused(label: int) -> None:
    tensors = batch(12)
    tensors["labels"][2, 4] = label
    with pytest.raises(eh.DataError, match=rf"'labels' \(4, 8\) is {label}, which is no word from 0 to 10 .* in sample 2"):
        eh.load_loss("supervised")(**tensors)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_refused(wrong: float) -> None:
    tensors = batch(13)
    tensors["labels"][1, 3] = 2
    tensors["logits"][1, 2, 5] = wrong
    with pytest.raises(eh.DataError, match=r"'logits' \(4, 8, 11\) gives no finite loss in sample 1 of the batch, at token 2"):
        eh.load_loss("supervised")(**tensors)
    hidden = batch(13, hidden=True)
    hidden["labels"][1, 3] = 2
    hidden["hidden"][1, 2] = wrong
    with pytest.raises(eh.DataError, match=r"'hidden' \(4, 8, 5\) gives no finite loss in sample 1"):
        eh.load_loss("supervised").statistics(**hidden)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("token_weight", torch.full((BATCH, TOKENS), -1.0), r"'token_weight' \(4, 8\) is -1, which is not 0 or more"),
        ("token_weight", torch.full((BATCH, TOKENS), math.nan), r"'token_weight' \(4, 8\) is NaN in sample 0"),
        ("token_weight", torch.ones(BATCH), r"'token_weight' \(4,\) must be of the shape of 'labels'"),
        ("sample_weight", torch.ones(2), r"'sample_weight' \(2,\) must be \(batch,\)"),
        ("document_ids", torch.zeros(BATCH, 2), r"'document_ids' \(4, 2\) must be of the shape"),
        ("labels", torch.zeros(BATCH, 2, dtype=torch.int64), r"'logits' \(4, 8, 11\) must be \(batch, tokens, vocabulary\)"),
        ("labels", torch.zeros(BATCH), r"'labels' \(4,\) must be \(batch, tokens\)"),
    ],
)
def test_tensors_of_a_wrong_shape_or_value_are_refused(name: str, value: Any, told: str) -> None:
    with pytest.raises(eh.DataError, match=told):
        eh.load_loss("supervised")(**{**batch(14), name: value})


def test_a_head_of_another_width_is_refused() -> None:
    with pytest.raises(eh.DataError, match=r"'head_weight' \(11, 2\) must be \(vocabulary, width\)"):
        eh.load_loss("supervised")(**{**batch(15, hidden=True), "head_weight": torch.ones(WORDS, 2)})


def test_a_missing_tensor_is_named() -> None:
    loss, tensors = eh.load_loss("supervised"), batch(16, hidden=True)
    with pytest.raises(TypeError, match="needs the tensor 'logits', or 'hidden' and 'head_weight'; it was given: labels"):
        loss(labels=tensors["labels"])
    with pytest.raises(TypeError, match="needs the tensor 'head_weight'"):
        loss(labels=tensors["labels"], hidden=tensors["hidden"])
    with pytest.raises(TypeError, match="needs the tensor 'labels'"):
        loss(logits=tensors["hidden"])


@pytest.mark.parametrize("options", [{"label_smoothing": 1.5}, {"z_loss": -1.0}, {"prompt_weight": 2.0}, {"normalise": "mean"}])
def test_options_out_of_bounds_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(eh.EvalharnessError, match=next(iter(options))):
        eh.load_loss("supervised", **options)


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_near_single(name: str, hidden: bool) -> None:
    tensors, loss = batch(17, hidden=hidden, kind=torch.float32), eh.load_loss(name)
    half = {key: value.bfloat16().requires_grad_() if value.is_floating_point() else value for key, value in tensors.items()}
    full = {key: value.detach().float().requires_grad_() if value.is_floating_point() else value for key, value in half.items()}
    found, expected = loss(**half), loss(**full)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-2)
    found.backward()
    expected.backward()
    for key in set(half) - {"labels"}:
        assert half[key].grad.dtype == torch.bfloat16
        torch.testing.assert_close(half[key].grad.float(), full[key].grad, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_nothing(same: Any, name: str) -> None:
    loss = eh.load_loss(name)

    def cast(**given: Any) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss(**given)

    same(cast, loss, batch(18, hidden=True, kind=torch.float32))
    mixed = {**batch(18, hidden=True, kind=torch.float32)}
    mixed["hidden"] = mixed["hidden"].bfloat16()
    assert torch.isfinite(cast(**mixed))


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_compiled_as_one_graph_it_is_the_same(same: Any, name: str, hidden: bool) -> None:
    loss, tensors = eh.load_loss(name, normalise="sample"), with_weights(batch(19, hidden=hidden))
    torch.compiler.reset()
    compiled = torch.compile(lambda **given: loss(**given), fullgraph=True, backend="aot_eager")
    same(compiled, loss, tensors)


@pytest.mark.parametrize("normalise", ["token", "sample", "batch"])
@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_the_contract_is_kept(name: str, hidden: bool, normalise: str) -> None:
    loss = eh.load_loss(name, normalise=normalise)
    left_out = {"logits"} if hidden else {"hidden", "head_weight"}
    check_loss(loss, default_tensors([tensor for tensor in loss.accepts if tensor not in left_out]))


@pytest.mark.parametrize("z_loss", [0.0, 0.1])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_tags_of_supervised_depend_on_its_options(z_loss: float, label_smoothing: float) -> None:
    loss = eh.load_loss("supervised", z_loss=z_loss, label_smoothing=label_smoothing)
    assert loss.tags == (("differentiable",) if z_loss else ("convex", "differentiable", "robust", "bounded gradient"))
    tensors = default_tensors(["logits", "labels"])
    check_loss(loss, {**tensors, "logits": tensors["logits"] - 4})  # where the log-sum-exp is below 0


def test_a_window_of_samples_cannot_be_told_from_its_number_of_tokens() -> None:
    loss, tensors = eh.load_loss("supervised", normalise="sample"), batch(20)
    labels, outputs = tensors["labels"], CausalLMOutput(logits=tensors["logits"])
    items = (labels[:, 1:] != -100).sum()
    torch.testing.assert_close(loss(outputs, labels, num_items_in_batch=items), loss(**tensors))
    with pytest.raises(TypeError, match=r"normalise: sample needs the window's number of samples; use .*LossTrainer"):
        loss(outputs, labels, num_items_in_batch=items + 1)
