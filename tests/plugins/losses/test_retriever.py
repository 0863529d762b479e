"""Retriever losses against sentence-transformers, pytorch-metric-learning and torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from evalharness_losses import contrast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss
from sentence_transformers import util
from sentence_transformers.sentence_transformer.losses import (
    CachedMultipleNegativesRankingLoss,
    DistillKLDivLoss,
    MultipleNegativesRankingLoss,
)
from torch.nn import functional

import evalharness as eh

ANY = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIMILARITIES = {"cosine": util.cos_sim, "dot": util.dot_score}
MODEL: Any = torch.nn.ModuleList([torch.nn.Identity()])  # stands for an encoder, which none of these losses calls


@st.composite
def embeddings(draw: st.DrawFn, negatives: st.SearchStrategy[int] = st.integers(0, 3)) -> dict[str, torch.Tensor]:  # noqa: B008
    """Queries, positives and, where there are any, negatives."""
    chance = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    count = draw(negatives)
    batch = draw(st.integers(1 if count else 2, 6))
    shapes = {"query": (batch, 4), "positive": (batch, 4), "negative": (batch, count, 4)}
    return {name: torch.randn(*shape, generator=chance, dtype=torch.float64) for name, shape in shapes.items() if 0 not in shape}


def made(batch: int = 6, negatives: int = 2) -> dict[str, torch.Tensor]:
    chance = torch.Generator().manual_seed(4)
    shapes = {"query": (batch, 4), "positive": (batch, 4), "negative": (batch, negatives, 4)}
    return {name: torch.randn(*shape, generator=chance, dtype=torch.float64) for name, shape in shapes.items()}


def columns(tensors: dict[str, Any]) -> list[Any]:
    """Return embeddings as sentence-transformers takes them: the negatives as columns."""
    return [tensors["query"], tensors["positive"], *(tensors["negative"].unbind(1) if "negative" in tensors else ())]


@ANY
@given(tensors=embeddings(), temperature=st.sampled_from([0.05, 1.0]), similarity=st.sampled_from(sorted(SIMILARITIES)))
def test_info_nce_is_that_of_sentence_transformers(same: Any, tensors: Any, temperature: float, similarity: str) -> None:
    oracle = MultipleNegativesRankingLoss(MODEL, scale=1 / temperature, similarity_fct=SIMILARITIES[similarity])

    def theirs(**given: Any) -> Any:
        return oracle.compute_loss_from_embeddings(columns(given), None)

    same(eh.load_loss("info_nce", temperature=temperature, similarity=similarity), theirs, tensors)


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_info_nce_by_parts_is_the_cached_loss_of_sentence_transformers(
    same: Any, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contrast, "TABLE_BYTES", rows * 8 * 6 * 3)
    oracle = CachedMultipleNegativesRankingLoss(MODEL, mini_batch_size=2)

    def theirs(**given: Any) -> Any:
        return oracle.calculate_loss([[column] for column in columns(given)])

    same(eh.load_loss("info_nce"), theirs, made())


def test_info_nce_is_one_direction_of_the_loss_of_pytorch_metric_learning(same: Any) -> None:
    tensors = made()
    del tensors["negative"]

    def theirs(query: Any, positive: Any) -> Any:
        names = torch.arange(len(query))
        return NTXentLoss(temperature=0.05)(query, names, ref_emb=positive, ref_labels=names.clone())

    same(eh.load_loss("info_nce"), theirs, tensors)


def test_one_part_of_the_table_exists_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrast, "TABLE_BYTES", 1)
    sizes, plain = [], torch.Tensor.logsumexp
    monkeypatch.setattr(torch.Tensor, "logsumexp", lambda table, dim: sizes.append(tuple(table.shape)) or plain(table, dim))
    eh.load_loss("info_nce")(**made())
    assert sizes == [(1, 18)] * 6


def test_a_query_of_weight_0_is_nobody_s_negative(same: Any) -> None:
    tensors, weight = made(), torch.tensor([1.0, 0, 2, 0.5, 0, 1])
    kept = weight > 0

    def without(**given: Any) -> Any:
        return eh.load_loss("info_nce")(**{name: value[kept] for name, value in given.items()}, sample_weight=weight[kept])

    same(lambda **given: eh.load_loss("info_nce")(**given, sample_weight=weight), without, tensors)
    tensors["positive"][1], tensors["negative"][4], tensors["query"][1] = math.nan, math.inf, math.nan
    assert math.isfinite(eh.load_loss("info_nce")(**tensors, sample_weight=weight))


def test_info_nce_of_no_weight_at_all_is_refused_and_its_share_is_0(same: Any) -> None:
    weight = torch.zeros(6)
    with pytest.raises(eh.DataError, match=r"'sample_weight' \(6,\) gives no sample of the batch a weight"):
        eh.load_loss("info_nce")(**made(), sample_weight=weight)
    value = same(
        lambda **given: eh.load_loss("info_nce").share({}, **given, sample_weight=weight),
        lambda **given: sum(tensor.sum() * 0 for tensor in given.values()),
        made(),
    )
    assert value == 0


@pytest.mark.parametrize("weight", [None, [0.0, 2.0, 0.0]])
def test_info_nce_of_one_pair_without_negatives_is_refused(weight: Any) -> None:
    tensors = made(batch=1 if weight is None else 3)
    pairs = {"query": tensors["query"], "positive": tensors["positive"]}
    weighted = {} if weight is None else {"sample_weight": torch.tensor(weight)}
    for loss in (eh.load_loss("info_nce"), lambda **given: eh.load_loss("info_nce").share({}, **given)):
        with pytest.raises(
            eh.DataError, match=r"'query' \(\d, 4\) has one pair to compare, so the loss is 0 and trains nothing; give"
        ):
            loss(**pairs, **weighted)
    assert float(eh.load_loss("info_nce")(**tensors, **weighted)) > 0


@ANY
@given(tensors=embeddings(), temperature=st.sampled_from([0.05, 1.0]))
def test_info_nce_is_within_its_range_and_reaches_both_ends(tensors: Any, temperature: float) -> None:
    loss, documents = (
        eh.load_loss("info_nce", temperature=temperature),
        sum(len(each.flatten(0, -2)) for each in columns(tensors)[1:]),
    )
    assert 0 <= float(loss(**tensors)) <= math.log(documents) + 2 / temperature
    alike = {name: torch.ones_like(tensor) for name, tensor in tensors.items()}
    assert float(loss(**alike)) == pytest.approx(math.log(documents))
    query = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    far, near = float(loss(query=query, positive=-query)), float(loss(query=query, positive=query))
    assert far == pytest.approx(2 / temperature + math.log1p(math.exp(-2 / temperature)))
    assert near == pytest.approx(math.log1p(math.exp(-2 / temperature)), abs=1e-12)


def test_info_nce_under_autocast_is_that_of_float32() -> None:
    tensors = {name: value.float() for name, value in made().items()}
    expected = eh.load_loss("info_nce")(**tensors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = eh.load_loss("info_nce")(**tensors)
    torch.testing.assert_close(found, expected)


@ANY
@given(
    tensors=embeddings(st.integers(1, 3)), margin=st.sampled_from([0.0, 0.2, 2.0]), similarity=st.sampled_from(["cosine", "dot"])
)
def test_margin_ranking_is_that_of_torch(same: Any, tensors: Any, margin: float, similarity: str) -> None:
    pairwise: Callable[..., Any] = {"cosine": util.pairwise_cos_sim, "dot": util.pairwise_dot_score}[similarity]

    def theirs(query: Any, positive: Any, negative: Any) -> Any:
        losses = [
            functional.margin_ranking_loss(
                pairwise(query, positive), pairwise(query, column), torch.ones(len(query)), margin=margin, reduction="mean"
            )
            for column in negative.unbind(1)
        ]
        return torch.stack(losses).mean()

    same(eh.load_loss("margin_ranking", margin=margin, similarity=similarity), theirs, tensors)


@ANY
@given(tensors=embeddings(st.integers(1, 3)), margin=st.sampled_from([0.2, 2.0]), squared=st.booleans())
def test_triplet_is_that_of_torch_squared_or_not(same: Any, tensors: Any, margin: float, squared: bool) -> None:
    def apart(one: Any, other: Any) -> Any:
        return ((one - other) ** 2).sum(-1)

    def theirs(query: Any, positive: Any, negative: Any) -> Any:
        kind: Any = functional.triplet_margin_with_distance_loss if squared else functional.triplet_margin_loss
        more = {"distance_function": apart} if squared else {}
        return torch.stack([kind(query, positive, each, margin=margin, **more) for each in negative.unbind(1)]).mean()

    same(eh.load_loss("triplet", margin=margin, squared=squared), theirs, tensors)


@ANY
@given(tensors=embeddings(), margin=st.sampled_from([0.0, 0.5]))
def test_cosine_embedding_is_that_of_torch(same: Any, tensors: Any, margin: float) -> None:
    def theirs(query: Any, positive: Any, negative: Any = None) -> Any:
        ones = torch.ones(len(query))
        near = functional.cosine_embedding_loss(query, positive, ones)
        if negative is None:
            return near
        apart = [functional.cosine_embedding_loss(query, each, -ones, margin=margin) for each in negative.unbind(1)]
        return near + torch.stack(apart).mean()

    same(eh.load_loss("cosine_embedding", margin=margin), theirs, tensors)


@ANY
@given(tensors=embeddings(st.integers(1, 3)), temperature=st.sampled_from([0.5, 1.0, 3.0]))
def test_retriever_kl_is_that_of_sentence_transformers(same: Any, tensors: Any, temperature: float) -> None:
    chance = torch.Generator().manual_seed(2)
    scores = torch.randn(len(tensors["query"]), 1 + tensors["negative"].shape[1], generator=chance, dtype=torch.float64)
    oracle = DistillKLDivLoss(MODEL, temperature=temperature)
    oracle._checked_teacher_scale = True  # it warns of teachers that tell little apart

    def theirs(**given: Any) -> Any:
        return oracle.compute_loss_from_embeddings(columns(given), scores)

    loss = eh.load_loss("retriever_kl", temperature=temperature)
    same(lambda **given: loss(**given, teacher_scores=scores), theirs, tensors)


@pytest.mark.parametrize("name", ["info_nce", "margin_ranking", "triplet", "cosine_embedding", "retriever_kl"])
def test_bfloat16_is_within_a_hundredth_of_float32(name: str) -> None:
    tensors = {name: value.bfloat16() for name, value in made().items()} | {"teacher_scores": torch.zeros(6, 3)}
    loss = eh.load_loss(name)
    full = loss(**{name: value.float() for name, value in tensors.items()})
    torch.testing.assert_close(loss(**tensors), full, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["info_nce", "margin_ranking", "triplet", "cosine_embedding"])
def test_embeddings_of_other_shapes_are_refused_by_name(name: str) -> None:
    tensors, loss = made(), eh.load_loss(name)
    with pytest.raises(eh.DataError, match=r"'positive' \(5, 4\) must be \(6, 4\)"):
        loss(**{**tensors, "positive": tensors["positive"][:5]})
    with pytest.raises(eh.DataError, match=r"'negative' \(6, 4\) must be \(6, n, 4\), n 1 or more"):
        loss(**{**tensors, "negative": tensors["positive"]})


@pytest.mark.parametrize("name", ["info_nce", "triplet"])
def test_a_weight_that_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(eh.DataError, match=r"'sample_weight' \(6, 1\) must be \(batch,\), one number a sample"):
        eh.load_loss(name)(**made(), sample_weight=torch.ones(6, 1))
    with pytest.raises(eh.DataError, match=r"'sample_weight' \(6,\) is -1"):
        eh.load_loss(name)(**made(), sample_weight=-torch.ones(6))


def test_a_teacher_of_other_documents_is_refused() -> None:
    with pytest.raises(eh.DataError, match=r"'teacher_scores' \(6, 2\) must be \(6, 3\)"):
        eh.load_loss("retriever_kl")(**made(), teacher_scores=torch.zeros(6, 2))


def test_an_embedding_that_is_not_a_number_is_named() -> None:
    tensors = made()
    tensors["positive"][3, 1] = math.nan
    with pytest.raises(eh.DataError, match=r"loss 'info_nce': 'positive' \(6, 4\) is NaN in sample 3"):
        eh.load_loss("info_nce")(**tensors)


def test_a_temperature_of_0_is_refused() -> None:
    with pytest.raises(eh.UsageError, match="temperature"):
        eh.load_loss("info_nce", temperature=0.0)
