"""Runs with a goal: they stop when it is reached, ask only for what they took, and say so; looking often costs no truth."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

import evalharness as eh
from evalharness.errors import DataError, UsageError
from evalharness.registry import Registry, Source
from evalharness.results import Record, read_record
from evalharness.results.wording import stopped as stopped_text
from evalharness.running import rescore
from evalharness.systems.store import Store
from tests.running.conftest import TASK, Adder, module
from tests.running.test_run import KILLED, content

Write = Callable[..., Path]

SINGLE = TASK.replace("group: topic\n", "")
GOAL = "exact_match ±0.1"


def question(number: int, **changed: Any) -> dict[str, Any]:
    made = {"id": f"q{number:03}", "question": f"What is {number} plus {number}?", "answers": [str(2 * number)]}
    return {**made, "topic": f"t{number // 4}", **changed}


QUESTIONS = [question(number) for number in range(400)]


def taken(folder: str) -> list[str]:
    ids: list[str] = parquet.read_table(f"{folder}/samples.parquet").column("id").to_pylist()
    return ids


def stopping(record: Record) -> Mapping[str, Any]:
    assert record.stopping is not None
    return record.stopping


def half(record: Record, name: str = "exact_match") -> float:
    score = record.scores[name]
    assert score.low is not None
    assert score.high is not None
    return (score.high - score.low) / 2


def test_a_run_stops_when_the_score_is_known_well_enough(task: Write) -> None:
    record = eh.run(task(SINGLE, QUESTIONS), until=GOAL, out="out")
    said = stopping(record)
    count = said["samples"]
    assert 64 <= count <= 250
    assert said == {
        "goal": GOAL, "score": "exact_match", "half_width": 0.1, "alpha": 0.05, "planned": 400, "largest_group": 1,
        "interval": [record.scores["exact_match"].low, record.scores["exact_match"].high], "lost": 0, "reached": True,
        "looks": len([size for size in (32, 64, 96, 128, 160, 200, 250) if size <= count]), "samples": count,
        "of_samples": 400, "groups": count, "of_groups": 400, "requests_saved": 400 - count,
    }  # fmt: skip
    assert (record.dataset["samples"], record.usage["requests"], len(Adder.asked), len(taken("out"))) == (count,) * 4
    assert record.scores["exact_match"].interval == "confidence sequence"
    assert record.scores["token_f1"].interval == "bounded mean"
    assert half(record) <= 0.1
    assert half(record, "token_f1") < half(record)
    assert read_record("out").plain() == record.plain()


def test_what_is_taken_depends_on_the_task_and_not_on_the_order_of_the_file(task: Write) -> None:
    first = eh.run(task(SINGLE, QUESTIONS), until=GOAL, out="first")
    again = eh.run(task(SINGLE, QUESTIONS[::-1]), until=GOAL, out="again")
    other = eh.run(task(SINGLE.replace("version: 1", "version: 2"), QUESTIONS), until=GOAL, out="other")
    assert taken("first") == sorted(taken("first")[:32]) + taken("first")[32:]
    assert sorted(taken("first")) == sorted(taken("again")) != sorted(taken("other"))
    assert (first.stopping, first.scores) == (again.stopping, again.scores)
    assert stopping(other)["reached"]


def test_a_later_run_finds_all_answers_and_asks_for_the_rest(task: Write) -> None:
    early = eh.run(task(SINGLE, QUESTIONS), until=GOAL, out="early")
    again = eh.run(task(SINGLE, QUESTIONS), until=GOAL, out="again")
    assert again.usage["requests"] == 0
    assert content(Path("early")) == content(Path("again"))
    whole = eh.run(task(SINGLE, QUESTIONS), out="whole")
    assert whole.stopping is None
    assert "stopping" not in whole.plain()
    assert whole.usage["requests"] == stopping(early)["requests_saved"]
    assert eh.run(task(SINGLE, QUESTIONS), until=GOAL, out="after", fresh=False).usage["requests"] == 0
    assert content(Path("early")) == content(Path("after"))


@pytest.mark.parametrize("wanted", [5, 37])
def test_a_run_that_was_killed_within_a_stage_ends_in_the_same_record(task: Write, wanted: int, tmp_path: Path) -> None:
    goal = "exact_match ±0.15"
    path = task(SINGLE.replace("model: adder", "model: {adder: {pause: 0.03}}"), QUESTIONS)
    undisturbed = eh.run(path, until=goal, out="undisturbed", store="other.sqlite")
    script = KILLED.format(root=str(Path(__file__).parents[2])).replace('out="out"', f'out="out", until="{goal}"')
    with (
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=tmp_path) as process,
        Store(Path("store.sqlite")) as store,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while process.poll() is None and sum(holding.answers for holding in store.holdings()) < wanted:
            pass
        process.kill()
        process.wait()
        stored = sum(holding.answers for holding in store.holdings())
    assert wanted <= stored < stopping(undisturbed)["samples"]
    assert not Path("out/record.json").exists()
    Adder.asked.clear()
    record = eh.run(path, until=goal, out="out", store="store.sqlite")
    assert record.usage["requests"] == len(Adder.asked) == stopping(undisturbed)["samples"] - stored
    assert content(Path("out")) == content(Path("undisturbed"))


@pytest.mark.parametrize("size", [1, 7])
def test_the_batch_size_changes_no_byte(task: Write, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    eh.run(task(TASK, QUESTIONS), until="exact_match ±0.15", out="whole")
    for name in ("pipeline", "staging"):
        monkeypatch.setattr(f"evalharness.running.{name}.ROWS_A_BATCH", size)
    eh.run(task(TASK, QUESTIONS), until="exact_match ±0.15", out="split", store="other.sqlite")
    assert content(Path("whole")) == content(Path("split"))


def test_groups_are_taken_whole(task: Write) -> None:
    record = eh.run(task(TASK, QUESTIONS), until="exact_match ±0.12", out="out")
    said = stopping(record)
    topics = parquet.read_table("out/samples.parquet").column("group").to_pylist()
    assert said["groups"] == len(set(topics)) < said["of_groups"] == 100
    assert {topics.count(topic) for topic in topics} == {4}
    assert (said["largest_group"], said["samples"], said["of_samples"]) == (4, 4 * said["groups"], 400)
    assert rescore("out").agrees


def test_repeats_belong_to_their_sample(task: Write) -> None:
    record = eh.run(task(SINGLE.replace("version: 1", "version: 1\nrepeats: 3"), QUESTIONS), until=GOAL, out="out")
    said = stopping(record)
    assert (said["largest_group"], said["requests_saved"]) == (3, 3 * (400 - said["samples"]))
    assert record.usage["requests"] == record.scores["exact_match"].samples == 3 * said["samples"]
    assert rescore("out", statistics_only=True).agrees


def test_data_that_end_before_the_goal_are_all_taken(task: Write) -> None:
    record = eh.run(task(SINGLE, QUESTIONS), until="exact_match ±0.02", out="out")
    said = stopping(record)
    assert (said["reached"], said["samples"], said["requests_saved"]) == (False, 400, 0)
    assert record.scores["exact_match"].interval == "confidence sequence"
    assert half(record, "token_f1") < half(record) < 1.7 * half(record, "token_f1")
    assert sorted(taken("out")) == [row["id"] for row in QUESTIONS]


def test_the_limit_caps_the_data_first(task: Write) -> None:
    record = eh.run(task(SINGLE, QUESTIONS), until="exact_match ±0.02", limit=50, out="out")
    assert (stopping(record)["of_samples"], record.dataset["limit"]) == (50, 50)
    assert sorted(taken("out")) == [row["id"] for row in QUESTIONS[:50]]


@pytest.mark.parametrize(("right", "value"), [(True, 1.0), (False, 0.0)])
def test_all_right_and_all_wrong_stop_soon_with_an_interval_that_is_not_nothing(task: Write, right: bool, value: float) -> None:
    rows = [question(number, answers=[str(2 * number + (number % 3 == 0)) if right else "no"]) for number in range(400)]
    record = eh.run(task(SINGLE, rows), until="exact_match ±0.04")
    score = record.scores["exact_match"]
    assert score.value == value
    assert 0.02 < 2 * half(record) <= 0.08
    assert stopping(record)["samples"] <= 200


def test_samples_without_a_value_are_taken_and_tell_nothing(task: Write) -> None:
    rows = [question(number, **({"answers": []} if number % 2 else {})) for number in range(400)]
    record = eh.run(task(SINGLE, rows), until="exact_match ±0.12", out="out")
    score = record.scores["exact_match"]
    assert score.samples + sum(score.unmeasured.values()) == stopping(record)["samples"] < 400
    assert score.samples < 0.6 * stopping(record)["samples"]
    assert stopping(record)["lost"] == 0
    assert rescore("out").agrees
    nothing = eh.run(task(SINGLE, [question(number, answers=[]) for number in range(40)]), until=GOAL, out="nothing")
    assert stopping(nothing)["interval"] == [0.0, 1.0]
    assert nothing.scores["exact_match"].reason == "nothing was measured"
    assert rescore("nothing").agrees


@pytest.fixture
def right() -> list[dict[str, Any]]:
    """Give questions that the adder answers rightly; with `broken` it loses those with a 7 in them, more than one in four."""
    return [question(number, answers=[str(2 * number + (number % 3 == 0))]) for number in range(400)]


BROKEN = SINGLE.replace("model: adder", "model: {adder: {broken: true}}")


def test_a_goal_is_not_reached_on_what_errors_left(task: Write, right: list[dict[str, Any]]) -> None:
    assert stopping(eh.run(task(SINGLE, right), until=GOAL, out="whole"))["reached"]
    record = eh.run(task(BROKEN, right), until=GOAL, out="out", store="broken.sqlite")
    said, score = stopping(record), record.scores["exact_match"]
    assert (score.value, said["reached"], said["samples"]) == (1.0, False, 400)
    assert said["lost"] == score.errors == sum("7" in row["question"] for row in right)
    assert score.bounds is not None
    assert said["interval"] == [score.low, score.high]
    assert said["interval"][0] < score.bounds[0] < said["interval"][0] + 0.06
    assert score.high == pytest.approx(1.0)
    assert f"to 1.000, widened by what was lost ({said['lost']})" in stopped_text(said)
    assert rescore("out").agrees
    assert rescore("out", statistics_only=True).agrees
    Adder.asked.clear()
    mended = eh.run(task(SINGLE, right), until=GOAL, out="out", store="broken.sqlite")
    assert stopping(mended)["reached"]
    assert mended.usage["requests"] == len(Adder.asked) > 0
    assert all("7" in prompt for prompt in Adder.asked)


def test_a_wider_goal_takes_as_many_more_as_the_lost_ones_cost(task: Write, right: list[dict[str, Any]]) -> None:
    said = stopping(eh.run(task(BROKEN, right), until="exact_match ±0.2", out="out"))
    assert said["reached"]
    assert 0 < said["lost"] < said["samples"] < 400
    assert said["interval"][1] - said["interval"][0] <= 0.4
    change(Path("out"), lambda record: record["stopping"].update(lost=0))
    assert ("stopping", "lost") in [difference[:2] for difference in rescore("out").differences]


class Careful(Adder):
    """Adds, but for what a filter blocks."""

    name = "careful"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request, response in super().answer(requests):
            blocked = "7" in str(request.content())
            yield request, eh.Response(error=eh.Failure("filtered", "not this")) if blocked else response


@pytest.mark.parametrize(("failures", "reached"), [("worst", True), ("exclude", False)])
def test_failures_of_the_system_that_are_left_out_are_lost_too(
    task: Write, right: list[dict[str, Any]], plugins: Registry, failures: str, reached: bool
) -> None:
    hook = eh.hookimpl(specname="evalharness_models")(lambda: [Careful])
    plugins.add(module("careful", evalharness_models=hook), Source("careful", "acme", "1"))
    text = SINGLE.replace("model: adder", "model: careful").replace("version: 1", f"version: 1\nfailures: {failures}")
    record = eh.run(task(text, right), until=GOAL, out="out")
    score, said = record.scores["exact_match"], stopping(record)
    assert (said["reached"], said["lost"], score.as_worst > 0) == (reached, sum(score.unmeasured.values()), reached)
    assert rescore("out").agrees


def test_nothing_is_decided_on_what_errors_left(task: Write, right: list[dict[str, Any]]) -> None:
    path = task(SINGLE, right)
    wrong = responses(right, lambda number: number % 5 == 0, "wrong")
    eh.run(path, responses=wrong, out="wrong")
    assert stopping(eh.run(path, until_decided="wrong", out="b"))["reached"]
    lossy = eh.run(task(BROKEN, right), until_decided="wrong", out="c", store="broken.sqlite")
    difference = stopping(lossy)["difference"]
    assert (stopping(lossy)["reached"], difference["lost"]) == (False, stopping(lossy)["lost"])
    assert difference["interval"][0] < 0 < difference["value"] < difference["interval"][1]
    eh.run(task(BROKEN, right), out="broken", store="broken.sqlite")
    against = stopping(eh.run(path, responses=wrong, until_decided="broken", out="d"))
    assert (against["reached"], against["lost"]) == (False, 0)
    assert against["difference"]["lost"] == difference["lost"]
    assert "the difference is" in stopped_text(against)
    assert f"widened by what was lost ({difference['lost']})" in stopped_text(against)


def test_shots_and_metrics_that_ask_work_stage_by_stage(task: Write) -> None:
    text = SINGLE.replace("version: 1", "version: 1\nfewshot: {samples: 2, sampler: seeded}")
    text = text.replace("metrics: [", "metrics: [{perplexity: {of: references}}, ")
    record = eh.run(task(text, QUESTIONS), until=GOAL, out="out")
    asked = sum(prompt.count("What is") == 3 for prompt in Adder.asked)
    assert asked == stopping(record)["samples"] == record.scores["perplexity"].samples < 400
    assert record.usage["requests"] == 2 * asked
    assert rescore("out").agrees


def test_recorded_responses_save_no_requests(task: Write) -> None:
    Path("outputs.jsonl").write_text("".join(json.dumps({"id": row["id"], "response": "1"}) + "\n" for row in QUESTIONS))
    said = stopping(eh.run(task(SINGLE, QUESTIONS), responses="outputs.jsonl", until=GOAL))
    assert said["samples"] < 400
    assert said["requests_saved"] == 0


def test_each_goal_has_a_folder_of_its_own(task: Write) -> None:
    for goal in (None, GOAL, "exact_match ±0.2", "exact_match+-.2"):
        eh.run(task(SINGLE, QUESTIONS), until=goal)
    assert len(list(Path("runs/sums").iterdir())) == 3


class Beyond(eh.Metric):
    """Breaks its word: up to 2, where it states 0 to 1."""

    name, better, range = "beyond", "higher", (0, 1)

    def measure(self, response: list[str]) -> Any:
        return {"value": [0.5 + 1.5 * (text == "4") for text in response]}


def test_a_value_outside_its_range_ends_the_watch_and_is_told(task: Write, plugins: Registry) -> None:
    hook = eh.hookimpl(specname="evalharness_metrics")(lambda: [Beyond])
    plugins.add(module("beyond", evalharness_metrics=hook), Source("beyond", "acme", "1"))
    record = eh.run(task(SINGLE.replace("token_f1]", "beyond]"), QUESTIONS), until="beyond ±0.01", out="out")
    score = record.scores["beyond"]
    assert (score.low, score.interval, score.reason) == (None, None, "a value lies outside the range that the metric states")
    assert stopping(record)["interval"] is None
    assert rescore("out").agrees


@pytest.fixture
def stopped(task: Write) -> Path:
    eh.run(task(TASK, QUESTIONS), until="exact_match ±0.12", out="out")
    Adder.asked.clear()
    return Path("out")


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    record = json.loads((folder / "record.json").read_text())
    edit(record)
    (folder / "record.json").write_text(json.dumps(record))


def test_a_stopped_run_scored_again_agrees_and_asks_nothing(stopped: Path) -> None:
    assert rescore(stopped).agrees
    assert rescore(stopped, statistics_only=True).agrees
    assert Adder.asked == []


@pytest.mark.parametrize(
    ("part", "value", "named"),
    [
        ("samples", 96, ("stopping", "samples")),
        ("groups", 31, ("stopping", "groups")),
        ("reached", False, ("stopping", "reached")),
        ("interval", [0.6, 0.7], ("stopping", "interval")),
        ("planned", 9, ("stopping", "interval")),
        ("largest_group", 3, ("stopping", "interval")),
    ],
)
def test_a_forged_stop_is_named(stopped: Path, part: str, value: Any, named: tuple[str, str]) -> None:
    change(stopped, lambda record: record["stopping"].update({part: value}))
    assert named in [difference[:2] for difference in rescore(stopped).differences]


def test_a_stop_that_is_kept_quiet_is_found_out(stopped: Path) -> None:
    change(stopped, lambda record: record.pop("stopping"))
    assert ("exact_match", "interval") in [difference[:2] for difference in rescore(stopped).differences]


@pytest.mark.parametrize("edit", [{"score": "bleu"}, {"alpha": 0}, {"half_width": "x"}, {"planned": []}])
def test_a_damaged_section_is_told(stopped: Path, edit: dict[str, Any]) -> None:
    change(stopped, lambda record: record["stopping"].update(edit))
    with pytest.raises(DataError, match="section 'stopping' is damaged"):
        rescore(stopped)


def responses(rows: list[dict[str, Any]], wrong: Callable[[int], bool], name: str = "a") -> str:
    lines = [{"id": row["id"], "response": "no" if wrong(number) else row["answers"][0]} for number, row in enumerate(rows)]
    Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return f"{name}.jsonl"


def test_a_run_stops_when_it_is_decided_against_another(task: Write) -> None:
    path = task(SINGLE, QUESTIONS)
    a = eh.run(path, responses=responses(QUESTIONS, lambda number: number % 3 > 0), out="a")
    record = eh.run(path, until_decided="a on token_f1", out="b")
    said = stopping(record)
    against = {"run": "a", "system": "a", "shared_samples": 400, "shared_groups": 400}
    assert (said["goal"], said["against"]) == ("token_f1 decided against a", against)
    low, high = said["difference"]["interval"]
    ids = set(taken("b"))
    right = [row["id"] in ids and number % 3 == 0 for number, row in enumerate(QUESTIONS)]
    value = record.scores["token_f1"].value
    assert value is not None
    assert said["difference"]["value"] == pytest.approx(value - sum(right) / len(ids))
    assert said["difference"]["samples"] == said["samples"]
    assert 0 < low < said["difference"]["value"] < high
    assert (said["reached"], record.usage["requests"]) == (True, said["samples"])
    assert said["samples"] < 200
    assert said["interval"][0] < value < said["interval"][1]
    assert a.scores["token_f1"].value == 134 / 400
    assert rescore("b").agrees
    first = eh.run(path, until_decided="a", out="first")
    assert stopping(first)["score"] == "exact_match"
    assert stopping(eh.run(path, until_decided="a/record.json", out="second")) == stopping(first)


def test_systems_that_answer_alike_are_never_decided(task: Write) -> None:
    path = task(TASK, QUESTIONS)
    eh.run(path, out="a")
    record = eh.run(path, until_decided="a", out="b")
    said = stopping(record)
    assert (said["reached"], said["samples"], said["difference"]["value"]) == (False, 400, 0.0)
    assert said["difference"]["interval"][0] < 0 < said["difference"]["interval"][1]


def test_only_what_the_other_run_holds_is_taken(task: Write) -> None:
    path = task(SINGLE, QUESTIONS)
    eh.run(path, responses=responses(QUESTIONS, lambda number: number % 3 > 1), limit=60, out="a")
    record = eh.run(path, until_decided="a", out="b")
    said = stopping(record)
    assert (said["against"]["shared_samples"], said["against"]["shared_groups"]) == (60, 60)
    assert (said["samples"], said["of_samples"], said["groups"], said["of_groups"]) == (60, 400, 60, 400)
    assert (said["requests_saved"], record.dataset["samples"]) == (0, 60)
    assert sorted(taken("b")) == [row["id"] for row in QUESTIONS[:60]]
    assert stopped_text(said).startswith("took all 60 samples that a holds (of 400): exact_match is not decided against a,")
    eh.run(path, responses=responses(QUESTIONS, lambda number: True), limit=60, out="wrong")
    soon = stopping(eh.run(path, until_decided="wrong", out="c"))
    assert stopped_text(soon).startswith("stopped after 32 of the 60 samples that wrong holds (of 400): exact_match is higher")
    assert soon["requests_saved"] == 28


def test_of_a_group_that_the_other_run_holds_in_part_no_more_is_taken(task: Write) -> None:
    path = task(TASK, QUESTIONS)
    eh.run(path, responses=responses(QUESTIONS, lambda number: number % 3 > 1), limit=58, out="a")
    said = stopping(eh.run(path, until_decided="a", out="b"))
    assert sorted(taken("b")) == [row["id"] for row in QUESTIONS[:58]]
    assert (said["groups"], said["of_groups"], said["largest_group"], said["difference"]["samples"]) == (15, 100, 4, 58)
    assert rescore("b").agrees


def test_runs_without_a_common_sample_are_refused(task: Write) -> None:
    path = task(SINGLE, QUESTIONS)
    eh.run(path, until="exact_match ±0.2", out="a")
    assert "q000" not in taken("a")
    with pytest.raises(UsageError, match="cannot be reached: the two runs have no sample in common"):
        eh.run(path, until_decided="a", limit=1)
    task(SINGLE, [""])
    for goal in ({"until": GOAL}, {"until_decided": "a"}):
        with pytest.raises((DataError, UsageError)) as raised:
            eh.run(path, **goal)  # type: ignore[arg-type]
        assert "no sample in common" not in str(raised.value)


def test_a_stopped_run_can_be_decided_against(task: Write) -> None:
    path = task(SINGLE, QUESTIONS)
    first = eh.run(path, responses=responses(QUESTIONS, lambda number: number % 5 > 0), until=GOAL, out="a")
    record = eh.run(path, until_decided="a", out="b")
    assert set(taken("b")) <= set(taken("a"))
    assert stopping(record)["against"]["shared_samples"] == stopping(first)["samples"]
    assert stopping(record)["reached"]


def test_repeats_are_compared_with_the_mean_of_the_others(task: Write) -> None:
    path = task(SINGLE, QUESTIONS[:60])
    eh.run(path, responses=responses(QUESTIONS[:60], lambda number: number % 2 > 0), out="a")
    often = task(SINGLE.replace("version: 1", "version: 1\nrepeats: 2"), QUESTIONS[:60])
    said = stopping(eh.run(often, until_decided="a", out="b"))
    assert (said["samples"], said["largest_group"]) == (60, 2)
    assert said["difference"]["value"] == pytest.approx(40 / 60 - 0.5)
    assert said["difference"]["samples"] == 120


def test_a_run_that_does_not_fit_is_refused_before_anything_is_asked(task: Write) -> None:
    path = task(SINGLE, QUESTIONS[:40])
    eh.run(path, responses=responses(QUESTIONS[:40], lambda number: False), out="a")
    with pytest.raises(DataError, match=r"^nowhere is no run with samples: it has no samples.parquet"):
        eh.run(path, until_decided="nowhere")
    with pytest.raises(UsageError, match=r"a is a run of another task, 'sums' version 1 with the digest .* version 2"):
        eh.run(task(SINGLE.replace("version: 1", "version: 2"), QUESTIONS[:40]), until_decided="a")
    with pytest.raises(UsageError, match="a was run on other data"):
        eh.run(task(SINGLE, QUESTIONS[:39]), until_decided="a")
    assert Adder.asked == []
