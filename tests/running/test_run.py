"""A run from task file to folder: what it writes, what it repeats, what it survives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness.errors import BusyError, DataError, FaultsFound
from evalharness.registry import Registry, Source
from evalharness.results import read_record
from evalharness.results.folder import locked
from evalharness.results.replicates import read_replicates
from evalharness.task.template import Template
from tests.running.conftest import QUESTIONS, TASK, Adder, module

Write = Callable[..., Path]


def content(folder: Path) -> dict[str, Any]:
    """Return everything of a run folder that must be the same for the same inputs."""
    record = json.loads((folder / "record.json").read_text())
    del record["usage"], record["provenance"]
    files = {name: (folder / name).read_bytes() for name in ("replicates.npz", "samples.parquet", "task.yaml")}
    return {"record": record, **files}


def test_the_folder_holds_everything(task: Write) -> None:
    record = eh.run(task(), out="out")
    score = record.scores["exact_match"]
    right = sum((2 * number) % 3 != 0 for number in range(40))
    assert (score.value, score.samples, score.groups, score.clustered) == (right / 40, 40, 8, True)
    assert score.low is not None
    assert score.high is not None
    assert score.low < right / 40 < score.high
    assert read_record("out").plain() == record.plain()
    assert {name: values.shape for name, values in read_replicates(Path("out/replicates.npz")).items()} == {
        "exact_match": (1000,), "token_f1": (1000,),
    }  # fmt: skip
    table = parquet.read_table("out/samples.parquet")
    assert table.column("id").to_pylist() == [row["id"] for row in QUESTIONS]
    assert table.column("response").to_pylist()[1] == "2"
    assert table.column("scores").to_pylist()[1] == {"exact_match": 1.0, "token_f1": 1.0}
    assert [json.loads(line)["event"] for line in Path("out/log.jsonl").read_text().splitlines()] == [
        "run started",
        "run finished",
    ]


def test_the_default_folder_is_named_by_task_system_and_digest(task: Write) -> None:
    eh.run(task())
    eh.run(task(), limit=5)
    names = sorted(path.name for path in Path("runs/sums").iterdir())
    assert len(names) == 2
    assert all(name.startswith("adder-") for name in names)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_batch_size_changes_no_byte(task: Write, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    eh.run(task(), out="whole")
    monkeypatch.setattr("evalharness.running.pipeline.ROWS_A_BATCH", size)
    eh.run(task(), out="split", store="other.sqlite")
    assert content(Path("whole")) == content(Path("split"))


def test_running_again_asks_nothing_and_ends_in_the_same_bytes(task: Write) -> None:
    first = eh.run(task(), out="first")
    again = eh.run(task(), out="again")
    assert (first.usage["requests"], again.usage["requests"], again.usage["from_store"]) == (40, 0, 40)
    assert content(Path("first")) == content(Path("again"))


def test_one_more_metric_and_a_larger_limit_ask_only_for_what_is_new(task: Write) -> None:
    eh.run(task(), limit=10)
    longer = eh.run(task(), limit=15)
    assert longer.usage["requests"] == 5
    richer = eh.run(task(TASK.replace("token_f1]", "token_f1, bleu]")), limit=15)
    assert richer.usage["requests"] == 0
    assert "bleu" in richer.scores


def test_fresh_asks_everything_anew(task: Write) -> None:
    eh.run(task())
    assert eh.run(task(), fresh=True).usage["requests"] == 40


KILLED = """
import sys
sys.path.insert(0, {root!r})
import evalharness as eh
from evalharness import registry
from evalharness.registry import Source
from tests.running.conftest import models, module
hook = eh.hookimpl(specname="evalharness_models")(models)
registry.installed().add(module("t", evalharness_models=hook), Source("t", "t", "1"))
print("ready", flush=True)
eh.run("task.yaml", out="out", store="store.sqlite")
"""


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_a_killed_run_goes_on_where_it_was(task: Write, chunks: int, tmp_path: Path) -> None:
    from evalharness.systems.store import Store

    path = task(TASK.replace("model: adder", "model: {adder: {pause: 0.15}}"))
    eh.run(path, out="undisturbed", store="other.sqlite")
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", KILLED.format(root=root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) as process, Store(Path("store.sqlite")) as store:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None and sum(holding.answers for holding in store.holdings()) < 5 * chunks:
            pass
        process.kill()
        process.wait()
        stored = sum(holding.answers for holding in store.holdings())
    assert stored % 5 == 0
    Adder.asked.clear()
    record = eh.run(path, out="out", store="store.sqlite")
    assert (record.usage["requests"], record.usage["from_store"]) == (40 - stored, stored)
    assert len(Adder.asked) == 40 - stored
    assert content(Path("out")) == content(Path("undisturbed"))


def test_a_failed_request_is_excluded_shown_and_asked_again(task: Write) -> None:
    broken = eh.run(task(TASK.replace("model: adder", "model: {adder: {broken: true}}")), out="out")
    score = broken.scores["exact_match"]
    assert (score.samples, score.errors, broken.errors) == (36, 4, 4)
    assert score.bounds is not None
    assert score.bounds[0] < score.value < score.bounds[1]  # type: ignore[operator]
    assert broken.troubles == [{"kind": "connection", "message": "refused", "count": 4, "samples": ["q07", "q17", "q27", "q37"]}]
    assert '"event": "trouble", "kind": "connection", "message": "refused", "count": 4' in Path("out/log.jsonl").read_text()
    table = parquet.read_table("out/samples.parquet")
    assert table.column("statuses").to_pylist()[7] == {"exact_match": "error: connection", "token_f1": "error: connection"}
    mended = eh.run(task(), out="out")
    assert (mended.usage["requests"], mended.errors) == (4, 0)


def test_broken_lines_lose_nothing_else_and_are_told(task: Write) -> None:
    rows = [*QUESTIONS[:10], '{"id": "broken", ', {**QUESTIONS[10], "answers": None}, QUESTIONS[9], *QUESTIONS[20:]]
    record = eh.run(task(rows=rows), out="out")
    assert (record.dataset["samples"], record.dataset["faults"], record.errors) == (30, 3, 3)
    told = [json.loads(line) for line in Path("out/log.jsonl").read_text().splitlines()]
    places = [Path(event["where"]).name for event in told if event["event"] == "data fault"]
    assert places == ["questions.jsonl:11", "questions.jsonl:12", "questions.jsonl:13"]
    with pytest.raises(DataError, match=r"questions.jsonl:11: broken JSON.*strict"):
        eh.run(task(rows=rows), strict=True)


def test_a_folder_that_is_being_written_names_its_holder(task: Write) -> None:
    path = task()
    with locked(Path("out")), pytest.raises(BusyError, match=r"out is being written by process \d+ on .*--out DIR"):
        eh.run(path, out="out")


def test_a_full_disk_is_explained_and_the_answers_are_kept(task: Write) -> None:
    Path("out").mkdir()
    Path("out/.samples.parquet.tmp").symlink_to("/dev/full")
    told = r"cannot write to out/samples\.parquet: .*No space left on device.*in the response store.*run again"
    with pytest.raises(DataError, match=told):
        eh.run(task(), out="out")
    assert not Path("out/record.json").exists()
    assert eh.run(task(), out="out").usage["requests"] == 0


def test_a_folder_that_cannot_be_made_is_explained(task: Write) -> None:
    Path("file").write_text("")
    with pytest.raises(DataError, match=r"^file is a file; give a folder$"):
        eh.run(task(), out="file/out")


def test_a_folder_with_other_files_is_refused_before_anything_is_asked(task: Write) -> None:
    Path("docs").mkdir()
    eh.run(task(), out="docs")
    eh.run(task(), out="docs")
    Adder.asked.clear()
    Path("notes").mkdir()
    Path("notes/task.yaml").write_text("mine")
    with pytest.raises(DataError, match=r"^notes holds other files \(task\.yaml\) and no run\. .*--out notes/run$"):
        eh.run(task(), out="notes", fresh=True)
    assert Adder.asked == []
    assert [(path.name, path.read_text()) for path in Path("notes").iterdir()] == [("task.yaml", "mine")]


def test_inputs_that_cannot_be_read_leave_no_folder(task: Write) -> None:
    for out in (None, "out/mine"):
        with pytest.raises(DataError, match=r"absent\.jsonl"):
            eh.run(task(), responses="absent.jsonl", out=out)
        assert not Path("runs").exists()
        assert not Path("out").exists()
    eh.run(task(), out="out/mine")
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        eh.run(task(), responses="absent.jsonl", out="out/other")
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        eh.run(task(), responses="absent.jsonl", out="out/mine")
    assert [path.name for path in Path("out").iterdir()] == ["mine"]
    assert Path("out/mine/samples.parquet").exists()


def test_metrics_that_ask_go_through_the_same_store(task: Write) -> None:
    asking = TASK.replace("metrics: [", "metrics: [{perplexity: {of: references}}, ")
    record = eh.run(task(asking), out="out")
    assert record.usage["requests"] == 80
    assert record.scores["perplexity"].value == pytest.approx(2.718281828)
    assert record.scores["perplexity"].signature.endswith("|asked:adder")
    assert eh.run(task(asking), out="again").usage["requests"] == 0
    assert content(Path("out")) == content(Path("again"))


def test_repeats_are_rows_of_one_group(task: Write) -> None:
    record = eh.run(task(TASK.replace("group: topic", "repeats: 3")), out="out")
    score = record.scores["exact_match"]
    assert (score.samples, score.groups, record.usage["requests"]) == (120, 40, 120)
    assert parquet.read_table("out/samples.parquet").column("repeat").to_pylist()[:4] == [0, 1, 2, 0]


def test_a_system_asked_three_times_is_over_the_same_samples_as_one_asked_once(task: Write) -> None:
    records = [eh.run(task(TASK.replace("group: topic", f"repeats: {repeats}")), out=f"out{repeats}") for repeats in (1, 3)]
    once, thrice = (record.scores["exact_match"] for record in records)
    fewer = eh.run(task(TASK.replace("group: topic", "repeats: 3")), out="fewer", limit=39).scores["exact_match"]
    assert records[0].task["digest"] == records[1].task["digest"]
    assert (once.samples, thrice.samples) == (40, 120)
    assert once.aligned(thrice)
    assert once.same_samples(thrice)
    assert thrice.same_samples(once)
    assert not once.same_samples(fewer)


def test_what_responses_cost_is_told_whenever_they_were_asked_for(task: Write) -> None:
    path = task()
    first, again = (eh.run(path, out=out).usage for out in ("one", "two"))
    assert (first["requests"], again["requests"], again["input_tokens"]) == (40, 0, 0)
    spent = {"input_tokens": 200, "output_tokens": 40, "latency": 0.0, "timed": 0, "cost": None, "costs": {}}
    assert first["responses"] == again["responses"] == spent


def test_recorded_responses_need_no_model(task: Write) -> None:
    lines = [{"id": row["id"], "response": row["answers"][0]} for row in QUESTIONS if row["id"] != "q05"]
    Path("outputs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in reversed(lines)))
    record = eh.run(task(), responses="outputs.jsonl")
    assert record.system["name"] == "outputs"
    assert (record.scores["exact_match"].value, record.scores["exact_match"].errors) == (1.0, 1)
    assert Adder.asked == []


def test_few_shot_examples_do_not_depend_on_limit(task: Write) -> None:
    shots = TASK.replace("group: topic", "group: topic\nfewshot: {samples: 2, sampler: seeded}")
    eh.run(task(shots))
    everything = set(Adder.asked)
    assert all(prompt.count("What is") == 3 for prompt in everything)
    Adder.asked.clear()
    assert eh.run(task(shots), limit=7, fresh=True).usage["requests"] == 7
    assert set(Adder.asked) < everything


def test_a_prompt_that_fits_not_every_sample_costs_only_those(task: Write) -> None:
    rows = [{**row, "hint": "add"} if number % 2 else row for number, row in enumerate(QUESTIONS)]
    record = eh.run(task(TASK.replace("{{ input }}", "{{ hint }}: {{ input }}"), rows), out="out")
    assert (record.scores["exact_match"].samples, record.scores["exact_match"].errors) == (20, 20)


def test_a_system_that_does_not_fit_the_task_is_refused_before_anything_is_asked(task: Write) -> None:
    with pytest.raises(FaultsFound, match=r"model 'adder' does not answer 'choose' requests, which the output type"):
        eh.run(task(TASK.replace("group: topic", "output_type: multiple_choice")))
    with pytest.raises(FaultsFound, match="system needs 'model', a plugin such as"):
        eh.run(task(TASK.replace("  model: adder\n", "")))
    assert not Path("runs").exists()


def watching(seen: list[tuple[str, Any]], fail: bool) -> list[Callable[..., None]]:
    @eh.hookimpl
    def evalharness_run_started(run: Any) -> None:
        seen.append(("started", run.task.name))
        if fail:
            raise RuntimeError("listener broke")

    @eh.hookimpl
    def evalharness_batch_scored(batch: eh.Batch) -> None:
        seen.append(("batch", len(batch)))

    @eh.hookimpl
    def evalharness_run_finished(run: Any, record: Any) -> None:
        seen.append(("finished", (run.folder / "record.json").exists() and record.scores["exact_match"].samples))

    return [evalharness_run_started, evalharness_batch_scored, evalharness_run_finished]


def test_who_fails_when_the_run_has_finished_is_told_of(task: Write, plugins: Registry) -> None:
    @eh.hookimpl
    def evalharness_run_finished(record: Any) -> None:
        raise RuntimeError("no server")

    plugins.add(module("late", evalharness_run_finished=evalharness_run_finished), Source("late", "acme", "1"))
    told: list[str] = []
    eh.run(task(), out="out", tell=told.append)
    assert told == ["evalharness_run_finished of plugin 'acme:late' failed: RuntimeError: no server"]
    assert Path("out/record.json").is_file()


@pytest.mark.parametrize("fail", [False, True])
def test_listeners_hear_of_the_run_and_cannot_stop_it(task: Write, plugins: Registry, fail: bool) -> None:
    seen: list[tuple[str, Any]] = []
    plugins.add(module("listener", **{hook.__name__: hook for hook in watching(seen, fail)}), Source("listener", "acme", "1"))
    eh.run(task(), out="out")
    assert seen == [("started", "sums"), ("batch", 40), ("finished", 40)]
    assert ("RuntimeError: listener broke" in Path("out/log.jsonl").read_text()) is fail


class Half(eh.Transform):
    """Keeps the first half of even texts and fails on odd ones."""

    name = "half"

    def apply(self, text: str) -> str:
        if len(text) % 2:
            raise ValueError("odd")
        return text[: len(text) // 2]


class Curious(eh.Metric):
    """Asks about each response, but one of them makes it raise; 0 to 1."""

    name, better, range = "curious", "higher", (0, 1)

    def ask(self, *_: Any, answers: Any, **columns: Any) -> Any:
        if any(text == "10" for text in columns["response"]):
            raise LookupError("ten")
        return [[] if given else [eh.Likelihood(text=text)] for text, given in zip(columns["response"], answers, strict=True)]

    def measure(self, response: list[str], answers: Any) -> Any:
        return {"value": [float(bool(given)) for given in answers]}


def test_a_transform_that_fails_costs_only_its_sample(task: Write, plugins: Registry) -> None:
    hook = eh.hookimpl(specname="evalharness_transforms")(lambda: [Half])
    plugins.add(module("half", evalharness_transforms=hook), Source("half", "acme", "1"))
    record = eh.run(task(TASK.replace("group: topic", "transforms: [half]")), out="out")
    (trouble,) = record.troubles
    assert trouble["message"] == "transform 'half' failed: ValueError: odd"
    assert record.scores["exact_match"].samples == 40 - trouble["count"] > 0


def test_a_metric_that_fails_to_ask_for_one_sample_loses_only_that_one(task: Write, plugins: Registry) -> None:
    hook = eh.hookimpl(specname="evalharness_metrics")(lambda: [Curious])
    plugins.add(module("curious", evalharness_metrics=hook), Source("curious", "acme", "1"))
    record = eh.run(task(TASK.replace("token_f1]", "curious]")), out="out")
    tens = parquet.read_table("out/samples.parquet").column("response").to_pylist().count("10")
    assert tens > 0
    assert (record.scores["curious"].value, record.scores["curious"].samples) == (1.0, 40 - tens)
    assert record.troubles[0]["message"] == "metric 'curious' failed to ask: LookupError: ten"


def test_the_record_identifies_what_made_it(task: Write) -> None:
    Path("corpus.jsonl").write_text('{"id": "p", "text": "one and one is two"}\n')
    system = "system:\n  name: found\n  retriever: {bm25: {corpus: corpus.jsonl}}\n  model: extractive\n"
    text = TASK[: TASK.index("system:")] + system + "metrics: [exact_match]\n"
    before = eh.run(task(text), out="before").system
    Path("corpus.jsonl").write_text('{"id": "p", "text": "one and one is three"}\n')
    after = eh.run(task(text), out="after").system
    assert before["digest"] == after["digest"]
    assert before["identity"]["model"] == after["identity"]["model"]
    assert before["identity"]["retriever"] != after["identity"]["retriever"]


def test_a_metric_over_a_field_that_no_sample_has_says_what_they_have(task: Write) -> None:
    record = eh.run(task(TASK.replace("token_f1", "{mae: {target: topci}}")), out="out")
    assert record.usage["remarks"] == [
        "'mae' reads the field 'prediction', which no sample has. The samples have: topic, input, references.",
        "'mae' reads the field 'topci', which no sample has. Did you mean 'topic'? The samples have: topic, input, references.",
    ]


def test_data_that_changes_during_a_run_is_refused_and_the_answers_stay(task: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = task()
    whole = (path.parent / "questions.jsonl").read_bytes()
    for changed in (whole.replace(b"q07", b"q77"), whole.replace(b"What is 9 plus", b"What is 8 plus")):
        answer = Adder.answer

        def spoil(self: Adder, requests: Any, answer: Any = answer, changed: bytes = changed) -> Any:
            (path.parent / "questions.jsonl").write_bytes(changed)
            return answer(self, requests)

        monkeypatch.setattr(Adder, "answer", spoil)
        (path.parent / "questions.jsonl").write_bytes(whole)
        with pytest.raises(DataError, match=r"data was changed while it was being evaluated\. Run again"):
            eh.run(path, out="out", fresh=True)
        assert not Path("out/record.json").exists()
        monkeypatch.setattr(Adder, "answer", answer)
    (path.parent / "questions.jsonl").write_bytes(whole)
    assert eh.run(path, out="out").usage["from_store"] == 40


def test_the_usage_tells_the_seconds_of_each_phase(task: Write) -> None:
    path = task(TASK.replace("adder\n  prompt", "adder\n  retriever: {bm25: {corpus: corpus.jsonl}}\n  prompt"))
    (path.parent / "corpus.jsonl").write_text('{"id": "p", "text": "What is what."}\n')
    usage = eh.run(path).usage
    assert list(usage["phases"]) == ["retrieval", "model", "scoring", "intervals"]
    assert sum(usage["phases"].values()) <= usage["seconds"]


def test_from_the_store_each_prompt_is_rendered_once(task: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = task()
    eh.run(path, out="first")
    rendered: list[str] = []
    render = Template.render

    def noted(self: Template, fields: Any) -> str:
        rendered.append(fields["id"])
        return render(self, fields)

    monkeypatch.setattr(Template, "render", noted)
    assert eh.run(path, out="again").usage["from_store"] == 40
    assert sorted(rendered) == [row["id"] for row in QUESTIONS]
    assert content(Path("again")) == content(Path("first"))
