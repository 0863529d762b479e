"""The contracts that plugins are written against; standard library only.

Tensors that a loss may name as parameters of `measure` or `loss` (shape, dtype):

| name | shape | dtype |
|---|---|---|
| `logits` | (batch, tokens, vocabulary), or (batch, classes) | float |
| `labels` | (batch, tokens), or (batch,); -100 is ignored | int64 |
| `token_weight` | (batch, tokens) | float |
| `sample_weight` | (batch,) | float |
| `hidden` | (batch, tokens, width) | float |
| `head_weight` | (vocabulary, width) | float |
| `attention_mask`, `document_ids` | (batch, tokens) | int64 |
| `router_logits` | layers of (tokens, experts) | float |
| `router_indices` | layers of (tokens, experts a token) | int64 |
| `router_weights` | layers of (experts, width) | float |
| `chosen_logps`, `rejected_logps`, `ref_chosen_logps`, `ref_rejected_logps` | (batch,) | float, sums over tokens |
| `chosen_tokens`, `rejected_tokens` | (batch,) | int64, how many tokens those sums are over |
| `chosen_score`, `rejected_score`, `pair_margin` | (batch,) | float, of a reward model |
| `logps`, `ref_logps`, `kl_logps`, `ref_kl_logps` | (batch,) | float, sums over tokens; `kl_` of a mismatched pair |
| `desirable` | (batch,) | bool |
| `rewards`, `baseline` | (batch,) | float |
| `candidate_logps`, `candidate_costs` | (batch, candidates) | float |
| `teacher_logits` | as `logits` | float |
| `query`, `positive`, `negative` | (batch, width); negatives (batch, n, width) | float |
| `teacher_scores` | (batch, 1 + n), of the positive, then of each negative | float |
| `frames` | (batch,) | int64, how many rows of `logits` are real |
| `prediction`, `target` | (batch, ...) | float, or int64 classes |
| `probabilities` | (batch, classes) | float, rows sum to 1 |
| `progress` | () | float, the share of training that is done, 0 to 1 |

`labels` stand under the tokens that they name: the logits at one place predict the label at the next. `logits` of classes
are for `target`: (batch,) where the target is 0 or 1, (batch, classes) where it is one of several. Beside `frames` the
labels are a sequence of their own, (batch, length), which nothing aligns with the frames.
"""

from __future__ import annotations

from evalharness.contract.figures import Curve, Figure, Matrix
from evalharness.contract.losses import Loss, loss
from evalharness.contract.metrics import Metric, Parent, metric, pooled_metric
from evalharness.contract.sample import (
    Answer,
    Batch,
    Choose,
    Embed,
    Failure,
    Generate,
    Likelihood,
    Message,
    Passage,
    Prompt,
    Request,
    Response,
    Rows,
    Sample,
    Unmeasured,
    text_of,
)
from evalharness.contract.services import Service, Unanswered
from evalharness.contract.spec import Arguments, File, Plugin, Spec, Values, canonical, digest, neutral
from evalharness.contract.systems import Dataset, Forecast, Item, Model, Retriever, Transform
from evalharness.contract.training import Network, TrainingRule

__all__ = [
    "Answer", "Arguments", "Batch", "Choose", "Curve", "Dataset", "Embed", "Failure", "Figure", "File", "Forecast",
    "Generate", "Item", "Likelihood", "Loss", "Matrix", "Message", "Metric", "Model", "Network", "Parent", "Passage",
    "Plugin", "Prompt", "Request", "Response", "Retriever", "Rows", "Sample", "Service", "Spec", "TrainingRule", "Transform",
    "Unanswered", "Unmeasured", "Values", "canonical", "digest", "loss", "metric", "neutral", "pooled_metric", "text_of",
]  # fmt: skip
