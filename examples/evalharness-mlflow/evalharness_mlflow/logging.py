"""From a record to a run of MLflow: parameters, metrics, tags, and the record as an artifact."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import evalharness as eh

# MLflow reports its use unless it is told not to; evalharness never does.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow would try a server that is not there for minutes; a run need not wait so long for its end.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

LONGEST_KEY, LONGEST_PARAM = 250, 6_000
PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 1_000


def log_record(record: Any, address: str) -> str:
    """Log a record to the MLflow at an address and return the id of the run there.

    The experiment is the one that MLFLOW_EXPERIMENT_NAME names, or that of the task's name. What fails is raised:
    evalharness writes it to the run's log and goes on.
    """
    if os.environ.get("EVALHARNESS_OFFLINE") and not address.startswith("file:"):
        raise eh.UsageError(f"MLFLOW_TRACKING_URI is {address}, and --offline forbids connections; log to a file: address")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or str(record.task["name"])
    found = client.get_experiment_by_name(name)
    experiment = client.create_experiment(name) if found is None else found.experiment_id
    run = client.create_run(experiment, run_name=str(record.system["name"]), tags=tags(record)).info.run_id
    try:
        _log(client, run, record)
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run, "FINISHED")
    return str(run)


def _log(client: Any, run: str, record: Any) -> None:
    import time

    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    settings = [Param(key, value) for key, value in params(record).items()]
    numbers = [Metric(key, value, now, 0) for key, value in metrics(record).items()]
    for start in range(0, len(settings), PARAMS_AT_ONCE):
        client.log_batch(run, params=settings[start : start + PARAMS_AT_ONCE])
    for start in range(0, len(numbers), METRICS_AT_ONCE):
        client.log_batch(run, metrics=numbers[start : start + METRICS_AT_ONCE])
    client.log_text(run, record.to_json(), "record.json")


def metrics(record: Any) -> dict[str, float]:
    """Return value, low and high of each score, as far as they are there."""
    parts = {"": "value", ".low": "low", ".high": "high"}
    found = {key(name + suffix): getattr(score, part) for name, score in record.scores.items() for suffix, part in parts.items()}
    return {name: value for name, value in found.items() if value is not None}


def params(record: Any) -> dict[str, str]:
    """Return the settings of the system, flat, with the version of the task and the limit."""
    named = {"task": record.task["name"], "task_version": record.task["version"], "limit": record.dataset.get("limit")}
    found = dict(_flat("system", record.system.get("spec", {})))
    return {key(name): str(value)[:LONGEST_PARAM] for name, value in {**named, **found}.items()}


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, part in value.items():
            yield from _flat(f"{path}.{name}", part)
    else:
        yield path, value


def tags(record: Any) -> dict[str, str]:
    """Return what tells one evaluation from another."""
    found = {f"evalharness.{part}_digest": getattr(record, part).get("digest") for part in ("task", "dataset", "system")}
    found["evalharness.version"] = record.provenance.get("evalharness")
    found["evalharness.folder"] = record.provenance.get("folder")
    found["evalharness.errors"] = record.errors
    return {name: str(value) for name, value in found.items()}


def key(name: str) -> str:
    """Return a name as MLflow allows it.

    >>> key("retrieval_recall@5"), key("exact_match,strict-match")
    ('retrieval_recall_at_5', 'exact_match_strict-match')
    """
    return re.sub(r"[^\w.-]+", "_", name.replace("@", "_at_"), flags=re.ASCII).strip(".")[:LONGEST_KEY] or "_"
