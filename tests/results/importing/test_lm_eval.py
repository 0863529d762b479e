"""The import of lm-eval results, from files that lm-eval itself wrote, and the way there and back."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
from pyarrow import parquet

from evalharness.comparison import compare
from evalharness.errors import DataError
from evalharness.results import Record, read_record
from evalharness.results.export import every_eval_ever, lm_eval
from evalharness.results.importing import import_results
from evalharness.results.replicates import read_replicates
from tests.results.conftest import Runs

GOLDEN = Path(__file__).parent / "lm_eval_0.4.13"
FIRST, SECOND = (next((GOLDEN / name).glob("results_*.json")) for name in ("first", "second"))
Imported = Mapping[str, Path]


def stated(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return found


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return {folder.name: folder for folder in import_results(FIRST, tmp_path_factory.mktemp("first"))}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return {folder.name: folder for folder in import_results(SECOND, tmp_path_factory.mktemp("second"))}


def test_every_task_is_a_run_folder_with_every_score_as_stated(first: Imported) -> None:
    assert list(first) == ["tiny_choice", "tiny_generate", "tiny_rolling"]
    for task, values in stated(FIRST).items():
        record = read_record(first[task])
        expected = {lm_eval_name(key): value for key, value in values.items() if "," in key and "_stderr" not in key}
        assert {name: score.value for name, score in record.scores.items()} == pytest.approx(expected, rel=1e-12)
    assert "exact_match,strict-match" in read_record(first["tiny_generate"]).scores


def lm_eval_name(key: str) -> str:
    return key.removesuffix(",none")


def test_scores_are_computed_from_the_samples(first: Imported) -> None:
    score = read_record(first["tiny_choice"]).scores["acc"]
    assert (score.interval, score.samples, score.better, score.range) == ("bounded mean", 20, "higher", [0.0, 1.0])
    assert score.se == pytest.approx(stated(FIRST)["tiny_choice"]["acc_stderr,none"], rel=1e-9)
    assert set(read_replicates(first["tiny_choice"] / "replicates.npz")) == {"acc", "acc_norm"}


def test_perplexities_are_put_together_as_lm_eval_does_and_gain_an_interval(first: Imported) -> None:
    record = read_record(first["tiny_rolling"])
    perplexity, bits = record.scores["byte_perplexity"], record.scores["bits_per_byte"]
    assert math.log2(perplexity.value or 0) == pytest.approx(bits.value)
    assert perplexity.better == "lower"
    assert perplexity.low is not None
    assert perplexity.low < (perplexity.value or 0)
    assert len(read_replicates(first["tiny_rolling"] / "replicates.npz")["byte_perplexity"]) == 1000


def test_a_score_that_the_samples_do_not_give_is_taken_as_stated(first: Imported) -> None:
    bleu = read_record(first["tiny_generate"]).scores["bleu"]
    assert (bleu.value, bleu.low, bleu.replicates) == (0.0, None, 0)
    assert bleu.reason == "the file states a standard error of 0"
    assert bleu.signature.endswith("as stated")


def test_without_samples_value_and_interval_are_as_stated(second: Imported) -> None:
    score = read_record(second["tiny_generate"]).scores["exact_match"]
    stderr = stated(SECOND)["tiny_generate"]["exact_match_stderr,none"]
    assert (score.value, score.se, score.samples) == (0.25, stderr, 20)
    assert score.interval == "normal, from the standard error that the file states"
    assert (score.low, score.high) == pytest.approx((0.25 - 1.959964 * stderr, 0.25 + 1.959964 * stderr), rel=1e-6)
    assert read_replicates(second["tiny_generate"] / "replicates.npz") == {}
    assert not (second["tiny_generate"] / "samples.parquet").exists()


def test_the_record_says_where_it_comes_from(first: Imported) -> None:
    record = read_record(first["tiny_choice"])
    assert record.provenance["imported"]["from"] == "lm-eval"
    assert record.provenance["imported"]["version"] == "0.4.13"
    assert record.provenance["imported"]["file"] == FIRST.name
    assert record.makers["acc"]["distribution"] == "lm-eval"
    assert record.task["output_type"] == "multiple_choice"
    assert record.system["spec"]["model"] == {"dummy": {}}


def test_the_samples_keep_what_was_asked_and_answered(first: Imported) -> None:
    rows = parquet.read_table(first["tiny_generate"] / "samples.parquet").to_pylist()
    assert [row["id"] for row in rows] == [str(number) for number in range(20)]
    assert {row["response"] for row in rows} == {"lol"}
    fields = json.loads(rows[0]["fields"])
    assert (fields["input"], fields["references"]) == ("What is 7 plus 7?", ["lol"])
    choices = parquet.read_table(first["tiny_choice"] / "samples.parquet").to_pylist()
    assert all(row["response"] in json.loads(row["fields"])["choices"] for row in choices)


def test_two_imports_are_compared_pairwise(first: Imported, second: Imported) -> None:
    (pair,) = compare(first["tiny_choice"], second["tiny_choice"]).pairs
    difference = next(line for line in pair.lines if line.score == "acc").difference
    values = [read_record(folder["tiny_choice"]).scores["acc"].value for folder in (first, second)]
    assert difference.value == pytest.approx((values[1] or 0) - (values[0] or 0))
    assert difference.p is not None
    assert difference.low is not None


def test_imports_of_different_tasks_are_not_compared(first: Imported, tmp_path: Path) -> None:
    changed = edited(tmp_path, lambda file: file["configs"]["tiny_choice"].update(doc_to_text="{{question}}?"))
    (folder, *_) = import_results(changed, tmp_path / "out")
    with pytest.raises(DataError, match="different tasks"):
        compare(first["tiny_choice"], folder)


def edited(folder: Path, change: Callable[[Any], Any]) -> Path:
    """Write the first golden with a change, its samples beside it."""
    shutil.copytree(FIRST.parent, folder / "edited")
    file = json.loads(FIRST.read_text(encoding="utf-8"))
    change(file)
    path = folder / "edited" / FIRST.name
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def test_a_value_that_the_samples_contradict_is_not_replaced(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda file: file["results"]["tiny_choice"].update({"acc,none": 0.9}))
    score = read_record(import_results(path, tmp_path / "out")[0]).scores["acc"]
    assert (score.value, score.interval) == (0.9, "normal, from the standard error that the file states")


def test_values_of_two_kinds_give_no_score(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda file: None)
    (samples,) = path.parent.glob("samples_tiny_rolling*")
    lines = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    lines[3]["byte_perplexity"] = 5
    samples.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    scores = read_record(import_results(path, tmp_path / "out")[2]).scores
    assert scores["byte_perplexity"].signature.endswith("as stated")
    assert not scores["bits_per_byte"].signature.endswith("as stated")


def test_where_nothing_is_stated_the_reason_is_told(tmp_path: Path) -> None:
    nothing = {"acc,none": "N/A", "acc_norm,none": 0.9, "acc_norm_stderr,none": "N/A"}
    path = edited(tmp_path, lambda file: file["results"]["tiny_choice"].update(nothing))
    scores = read_record(import_results(path, tmp_path / "out")[0]).scores
    assert (scores["acc"].value, scores["acc"].reason) == (None, "the file states no number")
    assert scores["acc_norm"].low is None
    assert str(scores["acc_norm"].reason).startswith("the file states no standard error")


def test_the_scores_of_a_group_of_tasks_are_left_to_its_tasks(tmp_path: Path) -> None:
    def group(file: Any) -> None:
        file["results"]["all"] = {"acc,none": 0.5}
        file["group_subtasks"] = {"all": ["tiny_choice"]}

    assert "all" not in {folder.name for folder in import_results(edited(tmp_path, group), tmp_path / "out")}


NO_RESULTS = "results_x.json is no results file of lm-evaluation-harness: "
WHAT_TO_DO = r"\. Give the results_\*.json that 'lm_eval --output_path DIR' writes\.$"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", NO_RESULTS + r"it is not JSON \(Expecting .*line 1 column 2.*\)" + WHAT_TO_DO),
        ("[" * 100_000, NO_RESULTS + "it is not JSON .*" + WHAT_TO_DO),
        ("[]", NO_RESULTS + "it has no section 'results'" + WHAT_TO_DO),
        ('{"scores": {}}', NO_RESULTS + "it has no section 'results'" + WHAT_TO_DO),
        ('{"results": {"t": 5}}', NO_RESULTS + "what its section 'results' holds of 't' is no mapping" + WHAT_TO_DO),
        ('{"results": {}, "config": 5}', NO_RESULTS + "its section 'config' is no mapping" + WHAT_TO_DO),
        (
            '{"results": {"t": {"acc,none": 1}}, "n-samples": {"t": {"effective": []}}}',
            NO_RESULTS + "what it says of the task 't' is not as that harness writes it" + WHAT_TO_DO,
        ),
        ('{"results": {"t": {"acc": 0.5}}}', "states no score under the keys 'metric,filter'"),
        ('{"results": {"a/b": {"acc,none": 1}, "a b": {"acc,none": 1}}}', "the tasks 'a/b' and 'a b' would share one folder"),
    ],
)
def test_what_is_no_results_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "results_x.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as raised:
        import_results(tmp_path / "results_x.json", tmp_path / "out")
    assert "Error" not in str(raised.value)


def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "nothing.json", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(DataError, match=f"^{path} cannot be read: {reason}{WHAT_TO_DO}"):
            import_results(path, tmp_path / "out")


def test_numbers_that_are_none_are_not_stated(tmp_path: Path) -> None:
    def spoil(file: Any) -> None:
        file["results"]["tiny_choice"]["acc,none"] = math.nan
        file["configs"]["tiny_choice"]["num_fewshot"] = file["config"]["limit"] = math.inf

    score = read_record(import_results(edited(tmp_path, spoil), tmp_path / "out")[0]).scores["acc"]
    assert (score.value, score.reason) == (None, "the file states no number")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("kept", "named"), [(("task.yaml",), "task.yaml"), (("log.jsonl",), "log.jsonl"), ((), "record.json")])
def test_a_folder_that_holds_a_run_is_left_alone(runs: Runs, tmp_path: Path, kept: tuple[str, ...], named: str) -> None:
    out = tmp_path / "out"
    shutil.copytree(runs.loud, out / "tiny_rolling")
    for name in {"task.yaml", "log.jsonl"} - set(kept):
        (out / "tiny_rolling" / name).unlink()
    before = files(out / "tiny_rolling")
    with pytest.raises(DataError, match=rf"tiny_rolling holds a run that is no import \({named} is of it\).*: --out DIR$"):
        import_results(FIRST, out)
    assert files(out / "tiny_rolling") == before
    assert [folder.name for folder in out.iterdir()] == ["tiny_rolling"]


def test_an_import_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    import_results(FIRST, tmp_path)
    (generated, *_) = (folder for folder in import_results(SECOND, tmp_path) if folder.name == "tiny_generate")
    assert read_record(generated).scores["exact_match"].value == 0.25
    assert not (generated / "samples.parquet").exists()
    (generated / "record.json").unlink()
    assert generated in import_results(FIRST, tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r":21 cannot be read: it is not JSON \(.*\)\. Move that file away to import .* without samples\.$"),
        ("5", ":21 is no sample of lm-evaluation-harness: it has no 'doc_id'. Move that file away"),
        ('{"doc_id": 1}', ":21 is no sample .* no 'metrics'. Move that file away"),
        ('{"doc_id": 1, "metrics": ["acc"], "arguments": [["a", "b"]]}', ":21 cannot be read: .* not as lm-evaluation-harness"),
    ],
)
def test_a_broken_sample_is_named_by_its_line(tmp_path: Path, line: str, message: str) -> None:
    path = edited(tmp_path, lambda file: None)
    with next(path.parent.glob("samples_tiny_choice*")).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=message):
        import_results(path, tmp_path / "out")


def test_no_name_of_a_task_leads_out_of_the_folder(tmp_path: Path) -> None:
    file = {"results": {"../../x": {"acc,none": 0.5}}, "versions": {}}
    (tmp_path / "results_1.json").write_text(json.dumps(file), encoding="utf-8")
    assert import_results(tmp_path / "results_1.json", tmp_path / "out") == [tmp_path / "out" / "x"]


def test_an_export_has_the_sections_of_lm_eval_and_its_keys(runs: Runs) -> None:
    ours, theirs = lm_eval.results(read_record(runs.loud)), json.loads(FIRST.read_text(encoding="utf-8"))
    environment = {name for name in theirs if "version" in name or "info" in name or "system_" in name or "chat" in name}
    optional = {*environment, "upper_git_hash", "fewshot_as_multiturn", "versions"}
    assert set(theirs) - set(ours) <= optional
    assert set(theirs["results"]["tiny_choice"]) - {
        "acc,none",
        "acc_stderr,none",
        "acc_norm,none",
        "acc_norm_stderr,none",
    } <= set(ours["results"]["shouting"])
    score = read_record(runs.loud).scores["token_f1"]
    assert ours["results"]["shouting"]["token_f1,none"] == score.value
    assert ours["results"]["shouting"]["token_f1_stderr,none"] == score.se
    assert ours["higher_is_better"] == {"shouting": {"exact_match": True, "token_f1": True, "bleu": True}}
    assert (ours["n-shot"], ours["versions"]) == ({"shouting": 0}, {"shouting": "3"})
    assert ours["n-samples"] == {"shouting": {"original": 40, "effective": 40}}


def test_exported_samples_have_the_keys_of_lm_eval(runs: Runs, tmp_path: Path) -> None:
    _, samples = lm_eval.write(runs.loud, tmp_path)
    ours = [json.loads(line) for line in samples.read_text(encoding="utf-8").splitlines()]
    theirs = json.loads(next(FIRST.parent.glob("samples_tiny_generate*")).read_text(encoding="utf-8").splitlines()[0])
    metrics = {"exact_match", "bleu"}
    assert all(set(theirs) - metrics <= set(line) for line in ours)
    assert ours[0]["metrics"] == ["exact_match", "token_f1", "bleu"]
    assert ours[5]["metrics"] == []


def test_a_run_comes_back_from_lm_eval_with_its_groups_values_and_gaps(runs: Runs, tmp_path: Path) -> None:
    results, _ = lm_eval.write(runs.loud, tmp_path)
    (folder,) = import_results(results, tmp_path / "back")
    before, after = read_record(runs.loud), read_record(folder)
    for name in ("exact_match", "token_f1"):
        same(before, after, name)
    bleu = after.scores["bleu"]  # no mean of its samples: the value and the standard error are as stated
    assert (bleu.value, bleu.se) == (before.scores["bleu"].value, before.scores["bleu"].se)
    was, now = (parquet.read_table(each / "samples.parquet") for each in (runs.loud, folder))
    for column in ("id", "group", "repeat", "response"):
        assert was.column(column).to_pylist() == now.column(column).to_pylist()
    shared = [[row[name] for name in ("exact_match", "token_f1")] for row in was.column("scores").to_pylist()]
    assert shared == [[row[name] for name in ("exact_match", "token_f1")] for row in now.column("scores").to_pylist()]


def same(before: Record, after: Record, name: str) -> None:
    was, now = before.scores[name], after.scores[name]
    for part in ("value", "low", "high", "se", "df", "interval", "samples", "groups", "clustered", "unmeasured", "range", "unit"):
        assert getattr(was, part) == getattr(now, part), (name, part)
    assert was.fingerprint == now.fingerprint


@pytest.mark.parametrize("task", ["tiny_choice", "tiny_generate", "tiny_rolling"])
def test_what_lm_eval_wrote_comes_back_after_an_import_and_an_export(first: Imported, tmp_path: Path, task: str) -> None:
    results, _ = lm_eval.write(first[task], tmp_path)
    (again,) = import_results(results, tmp_path / "back")
    was, now = read_record(first[task]), read_record(again)
    assert {name: score.value for name, score in was.scores.items()} == {name: score.value for name, score in now.scores.items()}
    means = {name for name, score in was.scores.items() if score.signature.endswith("|mean")}
    assert set(read_replicates(again / "replicates.npz")) == means
    for name in means:
        same(was, now, name)


def test_model_and_data_are_known_by_their_names_on_the_hub(tmp_path: Path) -> None:
    def name(file: Any) -> None:
        file["config"].update(model="hf", model_args="pretrained=acme/llm-1b,dtype=float32")
        file["configs"]["tiny_choice"].update(dataset_path="acme/questions", dataset_name="en")

    record = read_record(import_results(edited(tmp_path, name), tmp_path / "out")[0])
    assert record.system["spec"]["model"] == {"hf": {"pretrained": "acme/llm-1b", "dtype": "float32"}}
    plain = every_eval_ever.aggregate(record)
    assert plain["model_info"]["id"] == "acme/llm-1b"
    assert plain["eval_library"] == {"name": "lm-eval", "version": "0.4.13"}
    source = plain["evaluation_results"][0]["source_data"]
    assert (source["hf_repo"], source["hf_split"]) == ("acme/questions", "test")


def test_replicates_of_imports_are_a_function_of_task_and_samples(first: Imported, tmp_path: Path) -> None:
    again = import_results(FIRST, tmp_path)[0]
    for name, values in read_replicates(first["tiny_choice"] / "replicates.npz").items():
        numpy.testing.assert_array_equal(values, read_replicates(again / "replicates.npz")[name])
