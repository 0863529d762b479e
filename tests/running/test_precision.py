"""`--compare-dtype`: what a number format changed, counted, with an interval, in table and record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from click.testing import CliRunner, Result

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.registry import Registry, Source
from evalharness.results import read_record
from tests.running.conftest import module

CHOOSING = """
name: choosing
version: 1
dataset: {path: questions.jsonl, fields: {id: id, input: question, choices: choices, target: answer}}
output_type: multiple_choice
system: {name: rounding, prompt: "{{ input }}", model: {rounding: {dtype: bfloat16}}}
metrics: [choice_accuracy]
"""
WRITING = CHOOSING.replace("output_type: multiple_choice", "repeats: 2").replace("[choice_accuracy]", "[exact_match]")
WRITING = WRITING.replace("choices: choices, target: answer", "references: answers")
READING = CHOOSING.replace("multiple_choice", "likelihood").replace("[choice_accuracy]", "[{perplexity: {of: text}}]")
READING = READING.replace("input: question, choices: choices, target: answer", "text: text").replace("input }}", "text }}")
ROWS = [
    {"id": f"q{n:02}", "question": f"number {n}", "choices": ["a", "b"], "answer": 0, "answers": ["a"], "text": f"text {n}"}
    for n in range(40)
]


class Rounding(eh.Model):
    """Prefers the second choice, and writes another text, for every tenth question unless it computes in float32."""

    name, local, supports = "rounding", True, (eh.Generate, eh.Choose, eh.Likelihood)
    asked: ClassVar[list[str]] = []
    dtype: Literal["float32", "bfloat16"] = "float32"
    infinite: bool = False
    broken: bool = False

    def identity(self) -> str:
        return f"rounding {self.dtype}"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            self.asked.append(self.dtype)
            text = getattr(request, "prompt", None) or getattr(request, "text", "")
            rounded = self.dtype != "float32" and text.endswith("0")
            if self.broken and rounded:
                yield request, eh.Response(error=eh.Failure("out of memory", "no room"))
            elif isinstance(request, eh.Generate):
                yield request, eh.Response(text=f"{'b' if rounded else 'a'}{request.repeat * rounded}")
            elif isinstance(request, eh.Choose):
                low = float("-inf") if self.infinite else -1.5
                yield request, eh.Response(logprobs=(low, -1.25) if rounded else (-1.0, -1.25), tokens=(1, 1))
            else:
                yield request, eh.Response(logprobs=(-2.0, -2.5 if rounded else -2.25))


@pytest.fixture
def run(task: Callable[..., Path], plugins: Registry) -> Callable[..., Result]:
    def models() -> list[type[eh.Model]]:
        return [Rounding]

    hook = eh.hookimpl(specname="evalharness_models")(models)
    plugins.add(module("tests_rounding", evalharness_models=hook), Source("rounding", "tests", "1"))
    Rounding.asked.clear()

    def started(text: str, *options: str) -> Result:
        task(text, ROWS)
        return CliRunner().invoke(cli, ["run", "task.yaml", "--out", "out", *options])

    return started


def section() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("out/record.json").read_text())["precision"]
    return found


def test_flipped_choices_are_counted_with_an_interval_and_the_first_samples(run: Callable[..., Result]) -> None:
    done = run(CHOOSING, "--compare-dtype")
    assert done.exit_code == 0, done.output
    found = section()
    choices = found["choices"]
    assert (choices["compared"], choices["different"], choices["value"]) == (40, 4, 0.1)
    assert 0 < choices["low"] < 0.1 < choices["high"] < 0.3
    assert choices["first"] == ["q00", "q10", "q20", "q30"]
    assert found["logprobs"] == {"largest_difference": 0.5, "sample": "q00"}
    assert (found["dtype"], found["against"], found["not_compared"]) == ("bfloat16", "float32", 0)
    text = " ".join(done.stdout.split())
    assert "bfloat16 against float32: 4 of 40 choices flipped (0.100, " in text
    assert "log-probabilities at most 0.500 apart (q00)" in text
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_both_formats_are_stored_and_asked_once_and_the_scores_are_the_systems_own(run: Callable[..., Result]) -> None:
    plain = json.loads(run(CHOOSING, "--json").stdout)
    assert Rounding.asked == ["bfloat16"] * 40
    assert "precision" not in plain
    compared = json.loads(run(CHOOSING, "--compare-dtype", "--json").stdout)
    assert Rounding.asked == ["bfloat16"] * 40 + ["float32"] * 40
    again = json.loads(run(CHOOSING, "--compare-dtype", "--json").stdout)
    assert len(Rounding.asked) == 80
    assert compared["scores"] == plain["scores"]
    assert {name: part for name, part in compared.items() if name not in ("usage", "provenance")} == {
        name: part for name, part in again.items() if name not in ("usage", "provenance")
    }


def test_texts_that_differ_are_counted_over_all_repeats(run: Callable[..., Result]) -> None:
    assert run(WRITING, "--compare-dtype").exit_code == 0
    texts = section()["texts"]
    assert (texts["compared"], texts["different"], texts["value"]) == (80, 8, 0.1)
    assert "choices" not in section()
    assert "logprobs" not in section()


def test_of_texts_that_are_read_the_largest_difference_is_told(run: Callable[..., Result]) -> None:
    assert run(READING, "--compare-dtype").exit_code == 0
    assert section()["logprobs"] == {"largest_difference": 0.25, "sample": "q00"}
    assert "choices" not in section()


def test_what_could_not_be_asked_is_not_compared(run: Callable[..., Result]) -> None:
    done = run(CHOOSING.replace("bfloat16}", "bfloat16, broken: true}"), "--compare-dtype")
    assert done.exit_code == 3
    assert (section()["not_compared"], section()["choices"]["compared"], section()["choices"]["different"]) == (4, 36, 0)
    assert "4 answers not compared" in " ".join(done.stdout.split())


def test_an_infinite_difference_is_said_in_words(run: Callable[..., Result]) -> None:
    done = run(CHOOSING.replace("bfloat16}", "bfloat16, infinite: true}"), "--compare-dtype")
    assert section()["logprobs"] == {"largest_difference": None, "sample": "q00"}
    assert "log-probabilities infinitely apart (q00)" in done.stdout


def test_a_stopped_run_compares_what_it_took(run: Callable[..., Result]) -> None:
    assert run(CHOOSING, "--compare-dtype", "--until", "choice_accuracy ±0.4").exit_code == 0
    record = json.loads(Path("out/record.json").read_text())
    assert record["precision"]["choices"]["compared"] == record["dataset"]["samples"] == 32


@pytest.mark.parametrize(
    ("model", "message"),
    [("{rounding: {dtype: float32}}", "the model computes in float32"), ("echo", "model 'echo' has no option 'dtype'")],
)
def test_a_model_of_which_nothing_can_be_compared_is_refused_before_anything_is_asked(
    run: Callable[..., Result], model: str, message: str
) -> None:
    done = run(CHOOSING, "--compare-dtype", "--model", model)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert Rounding.asked == []
    assert not Path("out").exists()


def test_a_record_with_the_section_is_read_and_scored_again(run: Callable[..., Result]) -> None:
    run(CHOOSING, "--compare-dtype")
    record = read_record("out")
    assert record.precision == section()
    done = CliRunner().invoke(cli, ["run", "--rescore", "out"])
    assert done.exit_code == 0, done.output
    damaged = json.loads(Path("out/record.json").read_text())
    damaged["precision"]["choices"]["different"] = "four"
    Path("out/record.json").write_text(json.dumps(damaged))
    with pytest.raises(eh.DataError, match=r"precision\.choices\.different is 'four'"):
        read_record("out")
