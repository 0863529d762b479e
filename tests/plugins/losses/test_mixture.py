"""Balance losses against transformers, numbers of megatron-core and tutel, and sums written out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import one_hot
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func as of_mixtral
from transformers.models.switch_transformers.modeling_switch_transformers import load_balancing_loss_func as of_switch

import evalharness as eh

EXPERTS, LAYERS, BATCH, LENGTH = 6, 3, 3, 4
SIZES = {"seed": st.integers(0, 10_000), "k": st.integers(1, 3), "experts": st.integers(4, 9)}
ALL = [
    eh.load_loss("moe_switch"), eh.load_loss("moe_top_k"), eh.load_loss("moe_top_k", convention="transformers"),
    eh.load_loss("moe_top_k_pooled"), eh.load_loss("moe_gshard"), eh.load_loss("moe_gshard", convention="paper"),
    eh.load_loss("moe_sequence"), eh.load_loss("moe_sequence", scores="softmax"), eh.load_loss("moe_grouped", groups=3),
    eh.load_loss("moe_grouped", groups=3, limit=2), eh.load_loss("moe_importance"), eh.load_loss("moe_load", noise=0.7),
    eh.load_loss("moe_z"), eh.load_loss("moe_mutual_information"), eh.load_loss("moe_similarity"),
]  # fmt: skip
of_samples = pytest.mark.parametrize(
    "loss", [loss for loss in ALL if "router_logits" in loss.accepts], ids=lambda loss: loss.signature()
)


def routed(seed: int = 0, k: int = 2, experts: int = EXPERTS, padding: bool = True) -> dict[str, Any]:
    """Return tensors of three layers, float64, with one row of the batch shorter and one all padding if wanted."""
    chance = torch.Generator().manual_seed(seed)
    logits = tuple(torch.randn(BATCH * LENGTH, experts, generator=chance, dtype=torch.float64) for _ in range(LAYERS))
    # What a correction bias does: the experts that are chosen are not those of the largest logits.
    bias = torch.randn(experts, generator=chance, dtype=torch.float64)
    mask = torch.ones(BATCH, LENGTH, dtype=torch.int64)
    if padding:
        mask[1, 3] = mask[2, 1:] = 0
    weights = tuple(torch.randn(experts, 2 * experts, generator=chance, dtype=torch.float64) for _ in range(LAYERS))
    return {
        "router_logits": logits, "router_indices": tuple((layer + bias).topk(k).indices for layer in logits),
        "attention_mask": mask, "router_weights": weights,
    }  # fmt: skip


def graded(compute: Any, tensors: dict[str, Any], name: str = "router_logits") -> tuple[torch.Tensor, torch.Tensor]:
    """Return a value and its gradient with respect to all layers of one tensor."""
    leaves = tuple(layer.clone().requires_grad_() for layer in tensors[name])
    value = compute(**{**tensors, name: leaves})
    return value.detach(), torch.stack(torch.autograd.grad(value, leaves))


def same(found: tuple[torch.Tensor, torch.Tensor], expected: tuple[torch.Tensor, torch.Tensor], rtol: float = 1e-6) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other.double(), rtol=rtol, atol=rtol * float(other.abs().max()))


def written_out(sequences: bool, k: int, scores: Any, first: bool = False) -> Any:
    """Return E sum f P as it stands in papers, for each layer and all tokens or each sequence."""

    def of_tokens(logits: Any, chosen: Any) -> Any:
        if first:
            chosen = chosen.gather(1, logits.gather(1, chosen).argmax(1, keepdim=True))
        shares = one_hot(chosen, logits.shape[1]).sum(1).double().mean(0) / chosen.shape[1]
        return logits.shape[1] * (shares * scores(logits).mean(0)).sum()

    def compute(router_logits: Any, router_indices: Any, attention_mask: Any, **_: Any) -> Any:
        rows = attention_mask.flatten().nonzero()[:, 0]
        sequence = rows // LENGTH
        parts = [rows[sequence == number] for number in range(BATCH)] if sequences else [rows]
        values = [of_tokens(logits[part], chosen[part]) for part in parts if len(part)
                  for logits, chosen in zip(router_logits, router_indices, strict=True)]  # fmt: skip
        return torch.stack(values).mean()

    return compute


def normalised_sigmoid(logits: Any) -> Any:
    return logits.sigmoid() / logits.sigmoid().sum(1, keepdim=True)


def softmax(logits: Any) -> Any:
    return logits.softmax(1)


@given(**SIZES)
def test_losses_of_a_window_and_of_sequences_are_those_of_the_papers(seed: int, k: int, experts: int) -> None:
    tensors = routed(seed, k, experts)
    for name, options, expected in [
        ("moe_top_k", {}, written_out(False, k, softmax)),
        ("moe_top_k", {"scores": "sigmoid"}, written_out(False, k, normalised_sigmoid)),
        ("moe_switch", {}, written_out(False, k, softmax, first=True)),
        ("moe_gshard", {}, written_out(True, k, softmax, first=True)),
        ("moe_sequence", {}, written_out(True, k, normalised_sigmoid)),
        ("moe_sequence", {"scores": "softmax"}, written_out(True, k, softmax)),
    ]:
        same(graded(eh.load_loss(name, **options), tensors), graded(expected, tensors), rtol=1e-10)


@given(**SIZES)
def test_pooled_layers_equal_transformers(seed: int, k: int, experts: int) -> None:
    tensors = routed(seed, k, experts)
    tensors.pop("router_indices")  # transformers looks at logits alone

    def peer(router_logits: Any, attention_mask: Any, **_: Any) -> Any:
        return of_mixtral(router_logits, experts, k, attention_mask)

    same(graded(eh.load_loss("moe_top_k_pooled", top_k=k), tensors), graded(peer, tensors), rtol=2e-6)  # its sums are float32


@given(**SIZES)
def test_of_one_layer_the_conventions_differ_by_k(seed: int, k: int, experts: int) -> None:
    logits = routed(seed, k, experts)["router_logits"][:1]
    pooled = eh.load_loss("moe_top_k_pooled", top_k=k)(router_logits=logits)
    assert torch.allclose(pooled, eh.load_loss("moe_top_k", top_k=k, convention="transformers")(router_logits=logits))
    assert torch.allclose(pooled, k * eh.load_loss("moe_top_k", top_k=k)(router_logits=logits))


@given(seed=st.integers(0, 10_000), experts=st.integers(2, 9))
def test_switch_equals_transformers_for_one_group(seed: int, experts: int) -> None:
    tensors = {"router_logits": routed(seed, 1, experts)["router_logits"][:1]}

    def peer(router_logits: Any) -> Any:
        probabilities = router_logits[0].softmax(-1)
        return of_switch(probabilities[None], probabilities.argmax(-1)[None])

    same(graded(eh.load_loss("moe_switch"), tensors), graded(peer, tensors))


def waves(tokens: int = 12) -> torch.Tensor:
    """Return the logits that other libraries' numbers below were computed from."""
    return (torch.sin(torch.arange(tokens * 6, dtype=torch.float64) * 1.7) * 2).reshape(tokens, 6)


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        # megatron-core 0.19.2, switch_load_balancing_loss_func after compute_routing_scores_for_aux_loss, top-2; the
        # sequences as _apply_seq_aux_loss arranges them. Its scores are float32.
        ("moe_top_k", {"top_k": 2}, 1.0073484038390839),
        ("moe_top_k", {"top_k": 2, "scores": "sigmoid"}, 1.0034923069179058),
        ("moe_sequence", {"top_k": 2, "scores": "softmax"}, 1.1030246800510213),
        ("moe_sequence", {"top_k": 2}, 1.0488690375350416),
        # tutel at 82af7aad, impls/losses.py, gshard_loss of all tokens and of each sequence.
        ("moe_switch", {}, 1.0295289715387683),
        ("moe_gshard", {}, (1.1443459790057444 + 1.4108496736464102 + 1.1366249161494775) / 3),
    ],
)
def test_values_are_those_of_other_libraries(name: str, options: dict[str, Any], expected: float) -> None:
    loss = eh.load_loss(name, **options)
    assert float(loss(router_logits=(waves(),), attention_mask=torch.ones(3, 4))) == pytest.approx(expected, rel=1e-6)


@given(seed=st.integers(0, 10_000), k=st.integers(1, 4), limit=st.sampled_from([None, 1, 3]))
def test_groups_are_balanced_as_deepseek_v2_has_it(seed: int, k: int, limit: int | None) -> None:
    tensors, groups = routed(seed, k, experts=6), 3

    def expected(router_logits: Any, router_indices: Any, attention_mask: Any, **_: Any) -> Any:
        values = []
        for logits, chosen in zip(router_logits, router_indices, strict=True):
            for row in range(BATCH):
                places = [row * LENGTH + place for place in range(LENGTH) if attention_mask[row, place]]
                value = torch.zeros(())
                for group in range(groups):
                    members = (2 * group, 2 * group + 1)
                    chance = logits[places].softmax(1)[:, members].mean(0).sum()
                    if limit is None:
                        shares = [sum(e in chosen[p].tolist() for p in places) * 6 / (k * len(places)) for e in members]
                        share = sum(shares) / 2
                    else:
                        sent = sum(any(e in chosen[p].tolist() for e in members) for p in places)
                        share = sent * groups / (limit * len(places))
                    value = value + share * chance
                values.append(value)
        return torch.stack(values).mean()

    same(graded(eh.load_loss("moe_grouped", groups=groups, limit=limit), tensors), graded(expected, tensors), rtol=1e-10)


def test_groups_of_one_expert_are_the_expert_level() -> None:
    single, experts = eh.load_loss("moe_grouped", groups=EXPERTS), eh.load_loss("moe_sequence", scores="softmax")
    assert torch.allclose(single(**routed()), experts(**routed()))


def test_paper_and_public_code_of_gshard_differ_by_the_square_of_experts() -> None:
    unit, paper = eh.load_loss("moe_gshard"), eh.load_loss("moe_gshard", convention="paper")
    assert torch.allclose(unit(**routed()), paper(**routed()) * EXPERTS**2)


def test_choices_are_what_the_router_chose_not_what_its_logits_say() -> None:
    logits = (torch.tensor([[5.0, 0.0, 0.0]] * 4),)
    chosen = (torch.tensor([[1], [1], [2], [2]]),)
    loss = eh.load_loss("moe_top_k", top_k=1)
    assert loss(router_logits=logits) > 2.9
    assert loss(router_logits=logits, router_indices=chosen) < 0.1


@of_samples
def test_padding_may_be_there_or_be_removed_and_has_no_influence(loss: eh.Loss) -> None:
    tensors = routed()
    value, gradient = graded(loss, tensors)
    kept = tensors["attention_mask"].flatten() != 0
    removed = {**tensors, **{name: tuple(layer[kept] for layer in tensors[name]) for name in ("router_logits", "router_indices")}}
    short_value, short_gradient = graded(loss, removed)
    spoilt = {
        **tensors,
        "router_logits": tuple(layer.masked_fill(~kept[:, None], torch.nan) for layer in tensors["router_logits"]),
    }
    assert torch.allclose(short_value, value)
    assert torch.allclose(short_gradient, gradient[:, kept])
    same(graded(loss, spoilt), (value, gradient))
    assert not gradient[:, ~kept].any()


@of_samples
def test_without_a_mask_all_tokens_are_one_sample(loss: eh.Loss) -> None:
    tensors = routed(padding=False)
    alone = {name: value for name, value in tensors.items() if name != "attention_mask"}
    one = (
        loss(**tensors, **{})
        if "attention_mask" not in loss.accepts
        else loss(**{**tensors, "attention_mask": torch.ones(1, 12)})
    )
    if loss.accepts["attention_mask"]:
        with pytest.raises(TypeError, match="needs the tensor 'attention_mask'"):
            loss(**alone)
    else:
        assert torch.allclose(loss(**alone), one)


def halves(tensors: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the first row of the batch and the others."""
    places = [slice(0, LENGTH), slice(LENGTH, None)]
    return [
        {**tensors, "attention_mask": tensors["attention_mask"][rows],
         **{name: tuple(layer[place] for layer in tensors[name]) for name in ("router_logits", "router_indices")}}
        for rows, place in zip((slice(0, 1), slice(1, None)), places, strict=True)
    ]  # fmt: skip


@of_samples
def test_shares_at_the_totals_of_a_window_add_up_to_its_gradient(loss: eh.Loss) -> None:
    tensors = routed()
    totals = {name: value.sum(0) for name, value in loss.statistics(**tensors).items()}

    def window(**given: Any) -> Any:
        return sum(loss.share(totals, **part) for part in halves(given))

    same((torch.ones(()), graded(window, tensors)[1]), (torch.ones(()), graded(loss, tensors)[1]), rtol=1e-10)


@pytest.mark.parametrize("loss", [loss for loss in ALL if loss.count(attention_mask=torch.ones(1, 1)) is not None], ids=str)
def test_what_is_counted_beforehand_is_all_that_a_share_needs(loss: eh.Loss) -> None:
    tensors = routed()
    counted = loss.count(attention_mask=tensors["attention_mask"])
    assert counted is not None
    totals = {name: value.sum(0).double() for name, value in counted.items()}
    assert torch.allclose(sum(loss.share(totals, **part) for part in halves(tensors)), loss(**tensors))


def test_a_window_is_the_global_batch_loss_and_a_mean_of_micro_batches_is_not() -> None:
    tensors, loss = routed(), eh.load_loss("moe_top_k")
    totals = {name: value.sum(0) for name, value in loss.statistics(**tensors).items()}
    shares = totals["counts"] / totals["counts"].sum(-1, keepdim=True)

    def global_batch(**given: Any) -> Any:
        """E sum f(global) P(local), each micro-batch by its tokens, as megatron-core's global_aux_loss."""
        values = []
        for part in halves(given):
            kept = part["attention_mask"].flatten() != 0
            means = torch.stack([layer[kept].softmax(-1).mean(0) for layer in part["router_logits"]])
            values.append(EXPERTS * (shares * means).sum(-1).mean() * kept.sum() / totals["tokens"][0])
        return sum(values)

    def micro(**given: Any) -> Any:
        return sum(loss(**part) for part in halves(given)) / 2

    expected = graded(global_batch, tensors)
    same(graded(lambda **given: sum(loss.share(totals, **part) for part in halves(given)), tensors), expected, rtol=1e-10)
    assert not torch.allclose(graded(micro, tensors)[1], expected[1], rtol=0.05)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.signature())
def test_gradients_agree_with_finite_differences(loss: eh.Loss) -> None:
    tensors = routed(3)
    name = "router_logits" if "router_logits" in loss.accepts else "router_weights"
    leaves = tuple(layer.clone().requires_grad_() for layer in tensors[name])
    assert torch.autograd.gradcheck(lambda *layers: loss(**{**tensors, name: layers}), leaves)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.signature())
def test_half_precision_and_autocast_are_computed_in_float32(loss: eh.Loss) -> None:
    tensors = routed()
    half = {name: tuple(layer.bfloat16() for layer in tensors[name]) for name in ("router_logits", "router_weights")}
    full = {name: tuple(layer.float() for layer in layers) for name, layers in half.items()}
    expected = loss(**{**tensors, **full})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(**{**tensors, **full})
    assert found.dtype == expected.dtype == torch.float32
    assert torch.allclose(found, expected)
    assert torch.allclose(loss(**{**tensors, **half}), loss(**tensors).float(), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.signature())
def test_compiles_as_one_graph(loss: eh.Loss) -> None:
    torch.compiler.reset()
    compiled = torch.compile(lambda **tensors: loss(**tensors), fullgraph=True, backend="eager")
    assert torch.allclose(compiled(**routed()), loss(**routed()))


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.signature())
@pytest.mark.parametrize("size", [1e-4, 1e4])
def test_stays_finite_for_large_and_small_logits(loss: eh.Loss, size: float) -> None:
    tensors = routed()
    tensors["router_logits"] = tuple(layer.float() * size for layer in tensors["router_logits"])
    tensors["router_weights"] = tuple(layer.float() for layer in tensors["router_weights"])
    name = "router_logits" if "router_logits" in loss.accepts else "router_weights"
    value, gradient = graded(loss, tensors, name)
    assert value.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: loss.signature())
def test_nothing_but_padding_is_no_loss_and_no_weight(loss: eh.Loss) -> None:
    tensors = {**routed(), "attention_mask": torch.zeros(BATCH, LENGTH, dtype=torch.int64)}
    found = loss.statistics(**tensors)
    assert not found.get("weight", found.get("tokens")).any()
    name = "router_logits" if "router_logits" in loss.accepts else "router_weights"
    value, gradient = graded(loss, tensors, name)
    assert value == 0
    assert not gradient.any()


def test_layers_may_hold_other_numbers_of_tokens() -> None:
    logits, chosen = (torch.randn(4, 3), torch.randn(7, 3)), (torch.zeros(4, 1).long(), torch.ones(7, 1).long())
    one, two = (
        float(eh.load_loss("moe_top_k")(router_logits=(a,), router_indices=(b,))) for a, b in zip(logits, chosen, strict=True)
    )
    assert float(eh.load_loss("moe_top_k")(router_logits=logits, router_indices=chosen)) == pytest.approx((one + two) / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"router_logits": ()}, "'router_logits' has no layer; the model has no router"),
        (
            {"router_logits": (torch.zeros(12, 6), None, torch.zeros(12, 6))},
            "'router_logits' of layer 1 is None; leave out layers",
        ),
        (
            {"router_logits": (torch.zeros(6),) * 3},
            r"'router_logits' of layer 0 is \(6,\), float32, not \(tokens, experts\), float",
        ),
        ({"router_indices": (torch.zeros(12, 2),) * 3}, r"'router_indices' of layer 0 is \(12, 2\), float32, not .*, int64"),
        ({"router_indices": (None,) * 3}, "'router_indices' of layer 0 is None"),
        ({"router_indices": (torch.zeros(12, 2).long(),)}, "'router_indices' has 1 layers, 'router_logits' 3"),
        ({"router_indices": (torch.zeros(11, 2).long(),) * 3}, r"'router_indices' of layer 0 \(11, 2\) does not have the 12"),
        ({"router_indices": (torch.full((12, 2), 6),) * 3}, r"layer 0 \(12, 2\) names expert 6 in sample 0 of the batch"),
        ({"attention_mask": torch.ones(2, 4)}, r"12 rows, 'attention_mask' \(2, 4\) 8 places and 8 tokens"),
        ({"attention_mask": torch.ones(12)}, r"'attention_mask' \(12,\) is not \(batch, tokens\)"),
        ({"router_logits": tuple(torch.zeros(12, width) for width in (6, 7, 6))}, "'router_logits' has 6, 7, 6 experts"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.DataError, match=f"loss 'moe_top_k': .*{message}"):
        eh.load_loss("moe_top_k")(**{**routed(padding=False), **change})


@of_samples
def test_a_number_that_is_none_is_named_with_its_layer_and_sample(loss: eh.Loss) -> None:
    tensors = routed()
    tensors["router_logits"][1][5, 2] = torch.nan
    with pytest.raises(
        eh.DataError, match=rf"loss '{loss.name}': 'router_logits' \(12, 6\) of layer 1 is not finite in sample 1"
    ):
        loss(**tensors)


def test_a_dense_model_has_no_router() -> None:
    with pytest.raises(TypeError, match="loss 'moe_switch' needs the tensor 'router_logits'; it was given: logits"):
        eh.load_loss("moe_switch")(logits=torch.zeros(1, 2, 3))


def test_without_choices_the_number_of_them_must_be_said() -> None:
    with pytest.raises(TypeError, match="needs the tensor 'router_indices', or its option top_k"):
        eh.load_loss("moe_top_k")(router_logits=(torch.zeros(2, 3),))


def test_more_choices_than_experts_are_refused() -> None:
    with pytest.raises(eh.DataError, match="top_k is 4, 'router_logits' of layer 0 has 3 experts"):
        eh.load_loss("moe_top_k", top_k=4)(router_logits=(torch.zeros(2, 3),))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("moe_top_k", {"top_k": 0}, "top_k must be at least 1"),
        ("moe_grouped", {"groups": 0}, "groups must be at least 1"),
        ("moe_grouped", {"groups": 2, "limit": 3}, "limit 1 to groups"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, eh.UsageError), match=message):
        eh.load_loss(name, **options)


def test_experts_that_make_no_equal_groups_are_refused() -> None:
    with pytest.raises(eh.DataError, match="6 experts do not make 4 equal groups"):
        eh.load_loss("moe_grouped", groups=4)(**routed())
