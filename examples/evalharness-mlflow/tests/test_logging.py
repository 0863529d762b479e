"""Runs are logged to a local file store of MLflow; needs this package installed, so that its entry point is found."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from evalharness_mlflow.logging import key
from mlflow import MlflowClient

import evalharness as eh

TASK = """
name: echoes
version: 2
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
system: {name: parrot, prompt: "{{ input }}", model: echo, generate: {max_tokens: 7}}
metrics: [exact_match, token_f1]
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    rows = [{"id": str(n), "question": f"word {n}", "answers": ["word 1"]} for n in range(40)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Path("task.yaml").write_text(TASK, encoding="utf-8")
    return tmp_path / "task.yaml"


def logged(folder: Path, experiment: str) -> Any:
    client = MlflowClient(tracking_uri=(folder / "mlruns").as_uri())
    found = client.get_experiment_by_name(experiment)
    (run,) = client.search_runs([found.experiment_id])
    return run


def test_a_run_is_logged_with_intervals_settings_and_its_record(task: Path, tmp_path: Path) -> None:
    record = eh.run(task, out=tmp_path / "out")
    run = logged(tmp_path, "echoes")
    expected = {f"{n}{s}": v for n, o in record.scores.items() for s, v in (("", o.value), (".low", o.low), (".high", o.high))}
    assert run.data.metrics == expected
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "parrot"
    assert run.data.params["system.generate.max_tokens"] == "7"
    assert run.data.params["task_version"] == "2"
    assert run.data.tags["evalharness.task_digest"] == record.task["digest"]
    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    artifact = client.download_artifacts(run.info.run_id, "record.json", str(tmp_path))
    assert Path(artifact).read_text(encoding="utf-8") == record.to_json()


def test_the_experiment_may_be_named(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    eh.run(task, out=tmp_path / "out")
    assert logged(tmp_path, "mine").info.run_name == "parrot"


def test_without_an_address_nothing_is_written(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    eh.run(task, out=tmp_path / "out")
    assert not list(tmp_path.glob("ml*"))


@pytest.mark.parametrize("address", ["file:///proc/nothing/can/be/written/here", "nonsense://x"])
def test_a_store_that_fails_does_not_touch_the_run(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    record = eh.run(task, out=tmp_path / "out")
    assert record.errors == 0
    assert (tmp_path / "out" / "record.json").read_text(encoding="utf-8") == record.to_json()
    assert "evalharness_run_finished of plugin 'evalharness-mlflow:mlflow' failed" in (tmp_path / "out" / "log.jsonl").read_text()


def test_a_server_that_is_not_there_is_given_up_soon(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{unused.getsockname()[1]}")
    started = time.monotonic()
    eh.run(task, out=tmp_path / "out")
    assert time.monotonic() - started < 30
    assert "evalharness_run_finished of plugin" in (tmp_path / "out" / "log.jsonl").read_text(encoding="utf-8")


def test_offline_forbids_an_address_elsewhere(task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    eh.run(task, out=tmp_path / "out")
    assert "--offline forbids connections" in (tmp_path / "out" / "log.jsonl").read_text(encoding="utf-8")


def test_names_are_made_fit() -> None:
    assert key("retrieval_recall@5") == "retrieval_recall_at_5"
    assert key("../größe|x") == "_gr_e_x"
