"""`model-index`, read by the library of the Hub itself."""

from __future__ import annotations

from collections.abc import Callable

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from evalharness.results import Record, read_record
from evalharness.results.export import model_index
from tests.results.conftest import HOSTILE, Runs

Make = Callable[..., Record]


def test_the_hub_reads_every_score_of_a_run(runs: Runs) -> None:
    record = read_record(runs.loud)
    card = ModelCard(model_index.text([record]) + "\n# loud\n")
    assert card.data.model_name == "loud"
    found = {result.metric_type: result for result in card.data.eval_results or ()}
    assert {name: result.metric_value for name, result in found.items()} == {n: s.value for n, s in record.scores.items()}
    result, score = found["token_f1"], record.scores["token_f1"]
    assert (result.task_type, result.task_name, result.dataset_name) == ("text-generation", "shouting", "shouting")
    assert result.metric_args == {
        "low": score.low, "high": score.high, "level": 0.95, "samples": 39, "better": "higher", "unmeasured": 1,
        "errors": 0, "signature": score.signature,
    }  # fmt: skip
    assert result.metric_name == f"token_f1 (95 % interval {score.low:.3f} to {score.high:.3f}, 39 samples)"


def test_a_hub_data_set_is_named_with_its_split_and_revision(make_record: Make) -> None:
    record = make_record()
    source = {"hub": {"path": "acme/questions", "config": "en", "split": "test"}}
    record = Record(**{**vars(record), "dataset": {**record.dataset, "source": source, "revision": "0a1b"}})
    ((_, results),) = [model_index_to_eval_results(front(record))]
    (result,) = results
    assert (result.dataset_type, result.dataset_config, result.dataset_split) == ("acme/questions", "en", "test")
    assert result.dataset_revision == "0a1b"


def front(*records: Record) -> list[dict[str, object]]:
    text = model_index.text(records)
    assert text.startswith("---\n")
    assert text.endswith("\n---\n")
    found: list[dict[str, object]] = yaml.safe_load(text.strip("-\n"))["model-index"]
    return found


def test_systems_have_entries_of_their_own_and_a_score_without_a_value_none(make_record: Make) -> None:
    first, again = make_record(system="a"), make_record(system="a", task="t2")
    index = front(first, again, make_record(system="b", value=None))
    assert [entry["name"] for entry in index] == ["a", "b"]
    assert [len(results) for entry in index if isinstance(results := entry["results"], list)] == [2, 1]
    assert index[1]["results"][0]["metrics"] == []  # type: ignore[index]


def test_hostile_names_stay_names(make_record: Make) -> None:
    (entry,) = front(make_record(system=HOSTILE + "\n---\nx: 1", score="a: b"))
    assert str(entry["name"]).endswith("n --- x: 1")
