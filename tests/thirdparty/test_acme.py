"""Distributions of third parties, built, installed and used through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TASK = """
name: acme_task
version: "1"
dataset: {path: data.jsonl}
output_type: generate
system:
  name: parrot
  prompt: "{{ input }}"
  model: {acme_parrot: {phrase: eve}}
metrics:
  - acme_letter_rate
  - acme_brevity
  - token_f1
"""


def listed(acme: Any, *command: str, **settings: Any) -> Any:
    done = acme.evalharness(*command, "--json", **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_metrics_and_models_of_a_third_party_are_listed_beside_ours(acme: Any) -> None:
    metrics = {row["name"]: row for row in listed(acme, "list", "metrics")}
    assert metrics["acme_letter_rate"]["plugin"] == "acme"
    assert metrics["acme_brevity"]["description"].startswith("Share of responses at most `slack` times as long")
    assert {"token_f1", "bleu"} <= set(metrics)
    assert "acme_parrot" in {row["name"] for row in listed(acme, "list", "models")}


def test_a_metric_of_a_third_party_is_described_with_its_distribution(acme: Any) -> None:
    (described,) = listed(acme, "describe", "acme_letter_rate")
    assert (described["plugin"], described["distribution"], described["version"]) == ("acme", "acme-metrics", "1.2.0")
    assert described["example"] == "metrics:\n  - acme_letter_rate: {letter: e}"


def test_packages_and_failures_are_shown_and_none_is_fatal(acme: Any) -> None:
    shown = listed(acme, "plugins")
    packages = {each["distribution"]: each for each in shown["installed"]}
    assert packages["acme-metrics"]["provides"] == {
        "metrics": ["acme_brevity", "acme_letter_rate"],
        "models": ["acme_parrot"],
        "hooks": ["evalharness_run_finished"],
    }
    failed = {each["distribution"]: each["reason"] for each in shown["failed"]}
    assert failed["acme-broken"] == "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"
    assert "acme-duplicate" in failed


def test_a_name_that_is_taken_is_refused_and_both_distributions_are_named(acme: Any) -> None:
    (reason,) = (each["reason"] for each in listed(acme, "plugins")["failed"] if each["distribution"] == "acme-duplicate")
    assert reason.startswith("PluginError: metric 'token_f1' of aaa_duplicate (acme-duplicate 0.3.0) is already provided by")
    assert "(evalharness " in reason
    (described,) = listed(acme, "describe", "token_f1")
    assert described["distribution"] == "evalharness"


def test_the_packages_are_shown_as_text_too(acme: Any) -> None:
    done = acme.evalharness("plugins")
    assert "acme-metrics 1.2.0" in done.stdout
    assert "Failed: broken (acme-broken 0.0.1)\n  ModuleNotFoundError" in done.stdout


def test_an_unknown_metric_names_the_packages_that_failed(acme: Any) -> None:
    done = acme.evalharness("describe", "acme_brevty")
    assert done.returncode == 2
    assert "Did you mean 'acme_brevity'?" in done.stderr
    assert "Plugin broken (acme-broken 0.0.1) failed to load and may provide it" in done.stderr


def test_the_environment_restricts_which_packages_load(acme: Any) -> None:
    shown = listed(acme, "plugins", env={"EVALHARNESS_PLUGINS": "acme"})
    assert [each["plugin"] for each in shown["installed"]] == ["acme"]
    assert not shown["failed"]


def test_the_packages_keep_the_contract(acme: Any) -> None:
    done = acme.evalharness("plugin", "test", "acme-metrics")
    assert done.returncode == 0, done.stdout
    assert "passed   metric 'acme_letter_rate': score broadcasts" in done.stdout
    assert "passed   model 'acme_parrot': answers each request once" in done.stdout


def test_a_package_that_does_not_load_fails_its_test(acme: Any) -> None:
    done = acme.evalharness("plugin", "test", "acme-broken")
    assert done.returncode == 1
    assert "failed   plugin broken (acme-broken 0.0.1): loads" in done.stdout


@pytest.fixture
def task(tmp_path: Path) -> Path:
    rows = [
        {"id": "1", "input": "Who?", "references": ["eve"]},
        {"id": "2", "input": "Why?", "references": ["no"]},
        {"id": "3", "input": "?", "references": []},
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(TASK, encoding="utf-8")
    return tmp_path / "task.yaml"


def test_a_task_runs_with_metrics_model_and_hook_of_a_third_party(acme: Any, task: Path) -> None:
    journal = task.with_name("journal.txt")
    record = listed(acme, "run", str(task), "--out", str(task.with_name("run")), env={"ACME_JOURNAL": str(journal)})
    scores = record["scores"]
    assert scores["acme_letter_rate"]["value"] == pytest.approx(200 / 3)
    assert scores["acme_letter_rate"]["distribution"] == "acme-metrics"
    assert (scores["acme_brevity"]["value"], scores["acme_brevity"]["unmeasured"]) == (1.0, {"no reference": 1})
    assert journal.read_text(encoding="utf-8").split() == ["acme_brevity", "acme_letter_rate", "token_f1"]
