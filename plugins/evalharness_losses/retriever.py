"""Retriever training: contrastive and ranking losses over embeddings.

`query` and `positive` are (batch, width), `negative` (batch, n, width), documents that do not answer the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import evalharness as eh
from evalharness_losses.contrast import cross_entropy
from evalharness_losses.coupled import Coupled
from evalharness_losses.declaring import ABOVE_0, AT_LEAST_0, per_sample
from evalharness_losses.divergences import kl, log_softmax
from evalharness_losses.tensors import refuse_shape

Similarity = Literal["cosine", "dot"]


def _fit(loss: str, given: Mapping[str, Any]) -> None:
    """Raise DataError unless all are embeddings of one width, a positive and a list of negatives for each query."""
    if given["query"].ndim != 2:
        refuse_shape(loss, given, "query", "(batch, width)")
    batch, width = given["query"].shape
    if given["positive"].shape != (batch, width):
        refuse_shape(loss, given, "positive", f"({batch}, {width}), as 'query'")
    negative, scores = given.get("negative"), given.get("teacher_scores")
    if negative is not None and (negative.ndim != 3 or negative.shape[::2] != (batch, width) or not negative.shape[1]):
        refuse_shape(loss, given, "negative", f"({batch}, n, {width}), n 1 or more")
    if scores is not None and negative is not None and scores.shape != (batch, 1 + negative.shape[1]):
        refuse_shape(loss, given, "teacher_scores", f"({batch}, {1 + negative.shape[1]}), the positive and each negative")


class InfoNce(Coupled):
    """Mean InfoNCE loss over queries, in nats, 0 or more: cross-entropy of the positive among the N documents of the batch.

    Documents are the positives of all queries and, where `negative` is given, the negatives of all queries, as in
    sentence-transformers, whose `scale` is 1 / `temperature`. The table of similarities never exists as a whole, so that
    thousands of pairs fit; an encoder that does not fit them goes through `evalharness.training.caching.cached_loss`.
    A query of `sample_weight` 0 is not compared, and its documents are nobody's negatives. At most log N + 2 / `temperature`
    with the cosine; log N where all documents are alike. Finite for all finite embeddings. Reduction: mean over queries,
    weighted by `sample_weight`. Computed in float32 or better.
    Raises DataError for shapes that do not fit, and for one pair without negatives, whose loss is 0 whatever is trained.

    >>> import torch
    >>> round(float(InfoNce(temperature=1.0)(query=torch.eye(2), positive=torch.eye(2))), 4)
    0.3133
    """

    name, unit, range = "info_nce", "nats/query", (0, None)
    tags = ("differentiable",)
    formula = "-log(exp(s_ii / t) / sum_j exp(s_ij / t)), j over positives and negatives of the whole batch"
    gradient = "(softmax_j(s_ij / t) - [i = j]) / t by s_ij"
    cite = "van den Oord et al. 2018, Contrastive Predictive Coding, eq. 4; cached: Gao et al. 2021, GradCache"
    reference = "sentence_transformers MultipleNegativesRankingLoss, CachedMultipleNegativesRankingLoss"
    limits = {"temperature": ABOVE_0}
    temperature: float = 0.05
    similarity: Similarity = "cosine"

    def loss(self, query: Any, positive: Any, negative: Any = None, sample_weight: Any = None) -> Any:
        import torch

        given, weight = self.prepared(sample_weight, query=query, positive=positive, negative=negative)
        _fit(self.name, given)
        negatives = [given["negative"].flatten(0, 1)] if "negative" in given else []
        documents = _directed(torch.cat([given["positive"], *negatives]), self.similarity)
        queries = _directed(given["query"], self.similarity) / self.temperature
        live = None if sample_weight is None else _live(weight > 0, len(documents))
        self._check_compared(given, weight)
        share = weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
        return cross_entropy(queries, documents, share, live)

    def _check_compared(self, given: Mapping[str, Any], weight: Any) -> None:
        """Raise DataError where the only query is compared with nothing; a share of no query at all is 0."""
        import torch

        if torch.compiler.is_compiling() or "negative" in given or int((weight > 0).sum()) != 1:
            return
        shape = tuple(given["query"].shape)
        mend = "give 'negative', or a batch_size that leaves no single pair over at the end of an epoch"
        raise eh.DataError(
            f"loss '{self.name}': 'query' {shape} has one pair to compare, so the loss is 0 and trains nothing; {mend}"
        )


@per_sample(
    unit="similarity", range=(0, None), limits={"margin": AT_LEAST_0}, fits=_fit,
    formula="mean_n max(0, margin - s(q, p) + s(q, n)), s the similarity",
    gradient="-1 / n by s(q, p) and 1 / n by s(q, n) for each negative within the margin, else 0",
    cite="Herbrich et al. 2000; RankNet is another, the logistic pairwise loss",
    reference="torch.nn.functional.margin_ranking_loss",
)  # fmt: skip
def margin_ranking(
    query: Any, positive: Any, negative: Any, *, margin: float = 0.2, similarity: Similarity = "cosine"
) -> Any:  # fmt: skip
    """Mean margin ranking loss over queries and their negatives, in units of the similarity, 0 or more.

    0 where the positive is nearer than each negative by at least `margin`; not differentiable at the margin itself.

    >>> import torch
    >>> one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> round(float(margin_ranking()(query=one, positive=other, negative=one[:, None])), 4)
    1.2
    """
    return (margin - _scores(query, positive[:, None], similarity) + _scores(query, negative, similarity)).clamp(min=0)


@per_sample(
    unit="distance", range=(0, None), limits={"margin": AT_LEAST_0}, fits=_fit,
    formula="mean_n max(0, d(q, p) - d(q, n) + margin), d the Euclidean distance, squared or not",
    gradient="2 (n - p) / n by q where squared, for each negative within the margin, else 0",
    cite="Schroff et al. 2015, FaceNet, section 3.1",
    reference="torch.nn.functional.triplet_margin_with_distance_loss (squared), triplet_margin_loss (not squared)",
)  # fmt: skip
def triplet(query: Any, positive: Any, negative: Any, *, margin: float = 0.2, squared: bool = True) -> Any:
    """Mean triplet loss over queries and their negatives, in squared distance units, or plain ones; 0 or more.

    FaceNet squares distances (the default); torch's `triplet_margin_loss` does not, and adds 1e-6 to each difference, as is
    done here without `squared`. Embeddings are taken as they are: normalise them in the encoder where that is meant.

    >>> import torch
    >>> near, far = torch.zeros(1, 2), torch.ones(1, 2)
    >>> round(float(triplet()(query=near, positive=far, negative=near[:, None])), 4)
    2.2
    """
    from torch.nn import functional

    if squared:
        apart = ((query[:, None] - negative) ** 2).sum(-1)
        return (((query - positive) ** 2).sum(-1)[:, None] - apart + margin).clamp(min=0)
    anchor, good = (item[:, None].expand_as(negative) for item in (query, positive))
    return functional.triplet_margin_loss(anchor, good, negative, margin=margin, reduction="none")


@per_sample(
    unit="", range=(0, 3), tags=("robust",), limits={"margin": AT_LEAST_0}, fits=_fit,
    formula="1 - cos(q, p) + mean_n max(0, cos(q, n) - margin)",
    gradient="-1 by cos(q, p); 1 / n by cos(q, n) for each negative above the margin, else 0",
    cite="Hadsell et al. 2006, in its cosine form", reference="torch.nn.functional.cosine_embedding_loss",
)  # fmt: skip
def cosine_embedding(query: Any, positive: Any, negative: Any = None, *, margin: float = 0.0) -> Any:
    """Mean cosine loss over queries, 0 to 3: positives are drawn near, and negatives, where given, pushed below `margin`.

    >>> import torch
    >>> one = torch.tensor([[1.0, 0.0]])
    >>> float(cosine_embedding()(query=one, positive=-one))
    2.0
    >>> float(cosine_embedding()(query=one, positive=one, negative=one[:, None]))
    1.0
    """
    apart = 1 - _scores(query, positive[:, None], "cosine")[:, 0]
    return apart if negative is None else apart + (_scores(query, negative, "cosine") - margin).clamp(min=0).mean(1)


@per_sample(
    unit="nats/query", range=(0, None), tags=("differentiable",), limits={"temperature": ABOVE_0}, fits=_fit,
    formula="t^2 KL(softmax(teacher / t) to softmax(s / t)) over the positive and the negatives of a query",
    gradient="t (softmax(s / t) - softmax(teacher / t)) by s",
    cite="Lin et al. 2020, Distilling Dense Representations for Ranking", reference="sentence_transformers DistillKLDivLoss",
)  # fmt: skip
def retriever_kl(
    query: Any, positive: Any, negative: Any, teacher_scores: Any, *, temperature: float = 1.0, similarity: Similarity = "dot"
) -> Any:  # fmt: skip
    """Mean divergence over queries from a teacher's ranking of its documents to the retriever's, in nats, 0 or more.

    `teacher_scores` (batch, 1 + n): of the positive, then of each negative. Both are divided by `temperature`, and the loss is
    multiplied by its square, as in sentence-transformers.

    >>> import torch
    >>> one = torch.tensor([[1.0, 0.0]])
    >>> scores = torch.tensor([[1.0, 0.0]])
    >>> float(retriever_kl()(query=one, positive=one, negative=0 * one[:, None], teacher_scores=scores))
    0.0
    """
    import torch

    scores = _scores(query, torch.cat([positive[:, None], negative], 1), similarity)
    return temperature**2 * kl(log_softmax(teacher_scores.detach() / temperature), log_softmax(scores / temperature))


def _directed(embeddings: Any, similarity: Similarity) -> Any:
    from torch.nn import functional

    return functional.normalize(embeddings, dim=-1) if similarity == "cosine" else embeddings


def _live(kept: Any, documents: int) -> Any:
    """Return which of so many documents, positives and then negatives, are those of queries that are kept."""
    import torch

    return torch.cat([kept, kept.repeat_interleave(documents // len(kept) - 1)])


def _scores(query: Any, documents: Any, similarity: Similarity) -> Any:
    """Return the similarity (batch, n) of each query (batch, width) with documents of its own (batch, n, width)."""
    return (_directed(query, similarity)[:, None] * _directed(documents, similarity)).sum(-1)


LOSSES: tuple[type[eh.Loss], ...] = (InfoNce, margin_ranking, triplet, cosine_embedding, retriever_kl)
