"""Modules of evaluate in a task: code runs only if it is the code that is trusted, values are those of the module."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import evalharness as eh
from evalharness import registry
from evalharness.contract.options import to_spec
from evalharness.testing import agree
from evalharness.testing.samples import ROWS

RESPONSES = [row[1] for row in ROWS if row[2]]
REFERENCES = [row[2] for row in ROWS if row[2]]

MAIN = """
import pathlib
import datasets
import evaluate
from .counting import share

pathlib.Path({ran!r}).write_text("ran")


class Letters(evaluate.Metric):
    def _info(self):
        text = datasets.Value("string")
        forms = [{{"predictions": text, "references": {references}}}]
        return evaluate.MetricInfo(
            description="", citation="", inputs_description="", features=[datasets.Features(form) for form in forms]
        )

    def _compute(self, predictions, references, letter="a", each=False):
        if letter == "!":
            raise ValueError("no letter")
        shares = [share(text, letter) - share(other[0], letter) for text, other in zip(predictions, references)]
        return {{"difference": shares if each else sum(shares) / len(shares), "samples": len(shares)}}
"""
COUNTING = "def share(text, letter):\n    return text.count(letter) / max(len(text), 1)\n"
LIST = 'datasets.Sequence(datasets.Value("string"))'


def write_module(folder: Path, references: str = LIST) -> Path:
    """Write a module of two files, which tells when it runs, and return its folder."""
    place = folder / "letters"
    place.mkdir()
    (place / "letters.py").write_text(MAIN.format(ran=str(folder / "ran"), references=references), encoding="utf-8")
    (place / "counting.py").write_text(COUNTING, encoding="utf-8")
    return place


def trusted(place: Path) -> str:
    """Return the digest that the message for missing trust gives."""
    with pytest.raises(eh.UsageError) as caught:
        eh.load_metric("evaluate", path=str(place), better="higher")
    assert "read " in str(caught.value)
    return str(caught.value).rpartition("trust: ")[2]


def bridged(place: Path, **options: Any) -> eh.Metric:
    given = {"trust": trusted(place), "better": "higher", "keys": ["difference"], **options}
    return eh.load_metric("evaluate", path=str(place), **given)


def expected(letter: str = "a") -> list[float]:
    pairs = zip(RESPONSES, REFERENCES, strict=True)
    return [text.count(letter) / max(len(text), 1) - first[0].count(letter) / max(len(first[0]), 1) for text, first in pairs]


def test_a_module_folder_has_its_own_values(tmp_path: Path) -> None:
    metric = bridged(write_module(tmp_path), letter="e")
    found = metric.evaluate(response=RESPONSES, references=REFERENCES).scores["letters.difference"]
    agree("evaluate", found.value, np.mean(expected("e")))
    assert found.replicates == 100
    assert '"letter":"e"' in metric.signature()


def test_code_runs_only_if_it_is_trusted(tmp_path: Path) -> None:
    place = write_module(tmp_path)
    digest = trusted(place)
    with pytest.raises(eh.UsageError, match="is not what is trusted"):
        bridged(place, trust="0" * 64)
    assert not (tmp_path / "ran").exists()
    metric = bridged(place, trust=digest)
    assert not (tmp_path / "ran").exists()
    metric.measure(response=["a"], references=[["b"]])
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("changed", ["letters.py", "counting.py", "more.py", "deep/more.py"])
def test_changed_code_is_refused(tmp_path: Path, changed: str) -> None:
    place = write_module(tmp_path)
    digest, metric = trusted(place), bridged(place)
    file = place / changed
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{file.read_text(encoding='utf-8') if file.exists() else ''}\n# changed\n", encoding="utf-8")
    with pytest.raises(eh.UsageError, match="it has changed, or it is another") as caught:
        bridged(place, trust=digest)
    assert trusted(place) in str(caught.value)
    found = metric.evaluate(response=["a"], references=["b"])  # built before the change, and not loaded yet
    assert "is not what is trusted" in found.notes[0]
    assert not (tmp_path / "ran").exists()


def test_compiled_files_beside_the_code_are_not_run(tmp_path: Path) -> None:
    place = write_module(tmp_path)
    metric = bridged(place)
    (place / "__pycache__").mkdir()
    (place / "__pycache__" / "counting.cpython-311.pyc").write_bytes(b"not what was digested")
    assert metric.evaluate(response=["a"], references=["b"]).scores["letters.difference"].value == 1.0


def test_the_digests_are_those_of_sha256sum(tmp_path: Path) -> None:
    place = write_module(tmp_path)
    lines = [f"{hashlib.sha256((place / name).read_bytes()).hexdigest()}  {name}\n" for name in ("counting.py", "letters.py")]
    assert trusted(place) == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert trusted(place / "counting.py") == hashlib.sha256(COUNTING.encode()).hexdigest()


def test_the_first_reference_is_taken_where_a_module_wants_one(tmp_path: Path) -> None:
    metric = bridged(write_module(tmp_path, references="text"))
    found = metric.evaluate(response=["a"], references=[["b", "a"]])
    assert found.scores["letters.difference"].value == 1.0


def test_values_of_samples_come_from_one_call_that_gives_a_list_or_from_one_a_sample(tmp_path: Path) -> None:
    place = write_module(tmp_path)
    columns = {"response": [*RESPONSES, "x"], "references": [*REFERENCES, []]}
    for each in (True, False):
        found = bridged(place, per_sample=True, each=each).evaluate(**columns)
        agree("evaluate", found.samples["letters.difference"][:-1], expected())
        assert found.statuses[-1] == "no reference"


def test_what_a_module_refuses_is_the_reason_of_a_missing_score(tmp_path: Path) -> None:
    found = bridged(write_module(tmp_path), letter="!").evaluate(response=["a"], references=["b"])
    assert "letters: ValueError: no letter" in (found.scores["letters.difference"].reason or "")


def test_a_folder_that_is_no_module_says_so(tmp_path: Path) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    with pytest.raises(eh.UsageError, match=r"has no empty.py, which a module of that name needs; it has: no .py file"):
        eh.load_metric("evaluate", path=str(place), better="higher")
    (place / "empty.py").write_text("", encoding="utf-8")
    with pytest.raises(eh.UsageError, match="defines no class of"):
        bridged(place).measure(response=["a"], references=[["b"]])


def test_an_argument_that_it_does_not_take_is_told_with_the_first_rows(tmp_path: Path) -> None:
    found = bridged(write_module(tmp_path), leter="b").evaluate(response=["a"], references=["b"])
    assert "letters has no argument 'leter'; it has: predictions, references, letter, each" in found.notes[0]


def test_rows_that_it_refuses_leave_nothing_to_the_next(tmp_path: Path) -> None:
    metric = bridged(write_module(tmp_path), predictions="prediction", per_sample=True)
    found = metric.evaluate(prediction=[7, "ab", 7, "a"], references=["b"] * 4)
    assert found.samples["letters.difference"] == [None, 0.5, None, 1.0]
    assert found.statuses == ["error: plugin", None, "error: plugin", None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "no/such/folder", "trust": "0"}, "does not exist, and 'no/such/folder' is no name on the Hub"),
        ({"path": "./letters", "trust": "0"}, "does not exist, and './letters' is no name on the Hub"),
        ({"path": "letters.py", "trust": "0"}, "does not exist, and 'letters.py' is no name on the Hub"),
        ({"path": "accuracy", "trust": "0"}, "does not say which direction is better; write  better: higher"),
        ({}, "needs the option 'path'"),
    ],
)
def test_wrong_options_say_what_to_write(options: dict[str, Any], message: str) -> None:
    with pytest.raises(eh.UsageError) as caught:
        eh.load_metric("evaluate", **options)
    assert message in str(caught.value)


def test_a_name_on_the_hub_is_fetched_checked_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def fetched(repository: str, **options: Any) -> str:
        asked.append((repository, options["repo_type"], options["revision"], options["local_files_only"]))
        return str(place)

    place, digest = write_module(tmp_path), ""
    digest = trusted(place)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    options: dict[str, Any] = {"path": "someone/letters", "revision": "abc", "better": "higher", "keys": ["difference"]}
    found = eh.load_metric("evaluate", trust=digest, **options).evaluate(response=["a"], references=["b"])
    assert found.scores["letters.difference"].value == 1.0
    assert asked == [("someone/letters", "space", "abc", False)]
    refused = eh.load_metric("evaluate", **options).evaluate(response=["a"], references=["b"])
    assert f"trust: {digest}" in refused.notes[0]


def test_offline_a_name_on_the_hub_that_was_not_fetched_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    metric = eh.load_metric("evaluate", path="no_such_metric_anywhere", trust="0", better="higher")
    found = metric.evaluate(response=["a"], references=["b"])
    assert "evaluate-metric/no_such_metric_anywhere is not on this machine: --offline forbids to fetch it" in found.notes[0]


def test_a_module_in_a_task_is_found_from_the_folder_of_the_task(tmp_path: Path) -> None:
    from evalharness.task import check_task, load_task

    digest = trusted(write_module(tmp_path))
    (tmp_path / "data.jsonl").write_text('{"id": "1", "input": "?", "references": ["a"]}\n', encoding="utf-8")
    (tmp_path / "task.yaml").write_text(
        "name: letters\ndataset: {path: data.jsonl}\noutput_type: generate\nsystem: {name: echo, model: echo}\n"
        f"metrics:\n  - evaluate: {{path: letters, trust: {digest}, better: lower, keys: [difference], letter: b}}\n"
        "  - sklearn: {name: accuracy_score, fields: {y_true: references, y_pred: response}}\n",
        encoding="utf-8",
    )
    assert [finding for finding in check_task(load_task(tmp_path / "task.yaml")) if finding.level == "error"] == []
    record = eh.run(tmp_path / "task.yaml", out=tmp_path / "run", store=tmp_path / "store")
    assert sorted(record.scores) == ["accuracy_score", "letters.difference"]
    assert record.makers["letters.difference"]["plugin"] == "bridges"
    assert {"evaluate", "scikit-learn"} <= set(record.provenance["packages"])


def test_the_metrics_of_the_page_on_bridges_can_be_built() -> None:
    page = (Path(__file__).parents[3] / "docs" / "bridges.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    built = [registry.build("metric", to_spec(metric)) for metric in yaml.safe_load(block)["metrics"]]
    assert [metric.name for metric in built] == ["f1_score", "BLEUScore", "shared_words"]
