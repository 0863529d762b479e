"""Prices of models: read strictly, written back, and of no influence on what a system is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalharness.task import Price, load_task, price_lines, task_yaml
from tests.task.conftest import TASK

Write = Callable[..., str]
EXAMPLE = "{gpt-4o-mini: {input: 0.15, output: 0.60}}"
PRICED = TASK.replace(
    "  model: echo\n",
    "  model: echo\n  prices:\n    gpt-4o-mini: {input: 0.15, output: 0.60, cached_input: 0.075}\n"
    "    org/m-1.5: {input: 1, output: 0}\n",
)


def test_prices_arrive_by_model_and_come_back(write: Write) -> None:
    task = load_task(write(PRICED))
    prices = {"gpt-4o-mini": Price(input=0.15, output=0.6, cached_input=0.075), "org/m-1.5": Price(input=1.0, output=0.0)}
    assert task.system.prices == prices
    again = load_task(write(task_yaml(task), "again.yaml"))
    assert again == task
    assert again.system.prices == prices


def test_prices_change_no_digest(write: Write) -> None:
    priced, plain = load_task(write(PRICED)), load_task(write(TASK, "plain.yaml"))
    assert (priced.digest(), priced.system.digest()) == (plain.digest(), plain.system.digest())
    assert priced.system != plain.system
    assert "prices" not in plain.system.plain()


def test_prices_of_a_system_file_and_of_the_command_line(write: Write) -> None:
    own = write("model: echo\nprices: {a: {input: 2, output: 4}}\n", "own.yaml")
    task = load_task(write(PRICED), system=own, overrides=["system.prices.a.input=3", "system.prices.b={input: 1, output: 1}"])
    own_prices = {"a": Price(input=3.0, output=4.0), "b": Price(input=1.0, output=1.0)}
    assert task.system.prices == {**load_task(write(PRICED)).system.prices, **own_prices}


def test_the_prices_of_a_task_hold_for_another_system_which_may_have_its_own(write: Write) -> None:
    path = write(PRICED)
    prices = load_task(path).system.prices
    write('{"id": "1", "response": "x"}\n', "out.jsonl")
    assert load_task(path, responses="out.jsonl").system.prices == prices
    assert load_task(path, model="echo").system.prices == prices
    assert load_task(path, system=write("model: echo\n", "bare.yaml")).system.prices == prices
    own = write("model: echo\nprices: {gpt-4o-mini: {input: 2, output: 4}}\n", "own.yaml")
    assert load_task(path, system=own).system.prices == {**prices, "gpt-4o-mini": Price(input=2.0, output=4.0)}


@pytest.mark.parametrize(
    ("prices", "faults"),
    [
        (
            "[a]",
            [f"task.yaml:9:11: 'prices' must be a mapping of models to prices, such as {EXAMPLE}"],
        ),
        (
            "{a: {inptu: 1, output: -1}, b: {input: cheap, output: 1}}",
            [
                "task.yaml:9:16: the price of 'a' has no key 'inptu'. Did you mean 'input'? It has: input, output, cached_input.",
                "task.yaml:9:34: 'output' must be at least 0, not -1.0",
                "task.yaml:9:15: the price of 'a' needs the key 'input': US dollars per million tokens",
                "task.yaml:9:50: 'input' must be a number, not 'cheap'.",
            ],
        ),
        ("{a: 3}", ["task.yaml:9:15: the price of 'a' must be a mapping with the keys input, output, cached_input"]),
    ],
)  # fmt: skip
def test_wrong_prices_are_told_at_their_places(
    write: Write, messages: Callable[..., list[str]], prices: str, faults: list[str]
) -> None:
    text = TASK.replace("  model: echo\n", f"  model: echo\n  prices: {prices}\n")
    assert messages(load_task, write(text)) == faults


def test_the_lines_to_write_are_yaml_that_loads(write: Write) -> None:
    lines = price_lines(["org/m-1.5", "b"]).removeprefix("system:\n")
    task = load_task(write(TASK.replace("  model: echo\n", f"  model: echo\n{lines}\n")))
    assert list(task.system.prices) == ["org/m-1.5", "b"]
