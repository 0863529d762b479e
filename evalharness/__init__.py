"""evalharness: a plugin-based evaluation harness for LLM and RAG systems.

These are the public names; importing them is light. Functions that do the work import what they need when called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from evalharness.bridges.trainer import ComputeMetrics
    from evalharness.comparison import Comparison
    from evalharness.contract import (
        Answer,
        Arguments,
        Batch,
        Choose,
        Curve,
        Dataset,
        Embed,
        Failure,
        Figure,
        File,
        Forecast,
        Generate,
        Item,
        Likelihood,
        Loss,
        Matrix,
        Message,
        Metric,
        Model,
        Network,
        Parent,
        Passage,
        Request,
        Response,
        Retriever,
        Rows,
        Sample,
        Service,
        Spec,
        TrainingRule,
        Transform,
        Unanswered,
        Unmeasured,
        Values,
        canonical,
        digest,
        loss,
        metric,
        neutral,
        pooled_metric,
        text_of,
    )
    from evalharness.errors import DataError, EvalharnessError, PluginError, ServiceError, UsageError, WeightsError
    from evalharness.hooks import hookimpl
    from evalharness.refusal import is_refusal, refusals
    from evalharness.scoring import Evaluation
    from evalharness.training.routing import Routing

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the command line needs none of them to show its help."""
    from importlib import import_module

    for module in ("errors", "refusal", "contract", "hooks") if name in __all__ else ():
        found = import_module(f"evalharness.{module}")
        if hasattr(found, name):
            globals()[name] = getattr(found, name)
            return globals()[name]
    raise AttributeError(f"module 'evalharness' has no attribute '{name}'")


def load_metric(name: str, /, **options: Any) -> Metric:
    """Return the installed metric of that name with these options.

    >>> load_metric("token_f1").signature()
    'token_f1|normalise:squad'
    """
    return _build("metric", name, options)


def load_loss(name: str | Spec, **options: Any) -> Loss:
    """Return the installed loss of that name with these options, or the one that a spec describes: a callable over tensors."""
    return _build("loss", name, options)


def load_model(name: str, **options: Any) -> Model:
    """Return the installed model of that name with these options; weights load at the first request."""
    return _build("model", name, options)


def load_retriever(name: str | Spec, **options: Any) -> Retriever:
    """Return the installed retriever of that name with these options, or the one that a spec describes."""
    return _build("retriever", name, options)


def load_dataset(name: str | Spec, **options: Any) -> Dataset:
    """Return the installed data set of that name with these options, or the one that a spec describes."""
    return _build("dataset", name, options)


def _build(kind: Any, name: str | Spec, options: Mapping[str, Any]) -> Any:
    from evalharness import registry
    from evalharness.contract import Spec

    return registry.build(kind, name if isinstance(name, Spec) else Spec(name, dict(options)))


def evaluate(metric: Metric, columns: Mapping[str, Sequence[Any]]) -> Evaluation:
    """Score columns that are at hand with one metric; see `Metric.evaluate`."""
    from evalharness import scoring

    return scoring.evaluate(metric, columns)


def as_evaluate(metric: str | Metric, /, **options: Any) -> Any:
    """Return a metric as an `evaluate.EvaluationModule`, for `compute`, `evaluate.combine` and `evaluate.evaluator`.

    `evalharness.as_evaluate("bleu", tokenize="char").compute(predictions=["a b"], references=["a b"])`
    """
    from evalharness import bridges

    return bridges.as_evaluate(metric, **options)


def compute_metrics(metrics: Sequence[str | Mapping[str, Any] | Metric], tokenizer: Any = None) -> ComputeMetrics:
    """Return a function for `Trainer(compute_metrics=...)` that gives the values of metrics by score name.

    Metrics are names, mappings as in a task file (`{"rouge": {"stemmer": True}}`), or metrics. Those of text need the
    tokenizer.
    """
    from evalharness import bridges

    return bridges.compute_metrics(metrics, tokenizer)


def resolve_weights(name: str) -> Path:
    """Return the folder that holds the model weights of that name, fetching and converting them once.

    `name` is one of the pinned names that `evalharness weights` lists, a local folder, or `OWNER/NAME@REVISION`.
    Raises WeightsError where they are missing, damaged, or may not be fetched offline.
    """
    from evalharness.systems import weights

    return weights.resolve(name)


def weights_digest(name: str) -> str:
    """Return a digest of the content of the weights of that name; milliseconds where they have not changed."""
    from evalharness.systems import weights

    return weights.content_digest(weights.resolve(name))


def read_corpus(path: str | Path) -> list[Passage]:
    """Return the passages (id, text, title if present) of a `.jsonl` or `.csv` file; DataError lists all its faults."""
    from evalharness.systems import corpus

    return corpus.read_corpus(path)


def corpus_digest(passages: Iterable[Passage]) -> str:
    """Return a digest of the ids and texts of passages in their order."""
    from evalharness.systems import corpus

    return corpus.corpus_digest(passages)


def routing(model: Any) -> Routing:
    """Return what records which experts the routers of a torch model choose, within a `with` block.

    Raises UsageError where the model has no router.
    """
    from evalharness.training.routing import Routing

    return Routing(model)


def cache_folder(*parts: str) -> Path:
    """Return a folder under the user's cache, made if it is missing; plugins keep what is dear to compute there."""
    from evalharness.systems import environment

    return environment.cache_folder(*parts)


def offline() -> bool:
    """Return whether `--offline` forbids the network; a plugin that would fetch something asks first."""
    from evalharness.systems import environment

    return environment.offline()


def run(task: str | Path, system: str | Path | None = None, **options: Any) -> Any:
    """Run a task file and return its record; `system` and the other options are those of `evalharness run`.

    A training task returns the record of each arm by its name; it takes `arms`, `seeds` and `quick`, and no system.

    `evalharness.run("tasks/rag_qa.yaml", system="tasks/systems/bm25.yaml", limit=20)`
    """
    from evalharness import running, training
    from evalharness.errors import UsageError
    from evalharness.task import is_training_file

    if not is_training_file(task):
        return running.run(task, system=system, **options)
    if system is not None:
        raise UsageError(f"{task} is a training task, which makes its own systems: give none")
    return training.run(task, **options)


def compare(first: str | Path, second: str | Path, *others: str | Path, **options: Any) -> Comparison:
    """Return the paired comparison of run folders or records; `scores` and `by` as for `evalharness compare`.

    `evalharness.compare("runs/a", "runs/b").pairs[0].line("token_f1").difference`
    """
    from evalharness import comparison

    return comparison.compare(first, second, *others, **options)


__all__ = [
    "Answer", "Arguments", "Batch", "Choose", "Curve", "DataError", "Dataset", "Embed", "EvalharnessError", "Failure",
    "Figure", "File", "Forecast", "Generate", "Item", "Likelihood", "Loss", "Matrix", "Message", "Metric", "Model", "Network",
    "Parent", "Passage", "PluginError", "Request", "Response", "Retriever", "Rows", "Sample", "Service", "ServiceError",
    "Spec", "TrainingRule", "Transform", "Unanswered", "Unmeasured", "UsageError", "Values", "WeightsError", "as_evaluate",
    "cache_folder", "canonical", "compare", "compute_metrics", "corpus_digest", "digest", "evaluate", "hookimpl",
    "is_refusal", "load_dataset", "load_loss", "load_metric", "load_model", "load_retriever", "loss", "metric", "neutral",
    "offline", "pooled_metric", "read_corpus", "refusals", "resolve_weights", "run", "text_of", "weights_digest",
]  # fmt: skip
