"""Budgets: never overspent, whatever a model does with what it is given; what does not fit is asked by the next run."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness as eh
from evalharness.errors import PluginError, UsageError
from evalharness.systems.budget import Budget, Limits, Taken, money, most_read, refuse_unpriced
from evalharness.systems.engine import Engine
from evalharness.systems.store import Store
from evalharness.task import Price

PRICE = Price(input=1.0, output=10.0)


class Meter(eh.Model):
    """Answers with as many tokens as the prompt says ("3 read 2 written"), and notes what it was asked."""

    name = "meter"
    supports = (eh.Generate,)
    asked: ClassVar[list[str]] = []

    @property
    def sold_as(self) -> str:
        return "meter-1"

    def identity(self) -> str:
        return "meter"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in list(requests):
            yield request, response(request)


class Local(Meter):
    """The same, four at a time on this machine, at no cost."""

    name, local = "local meter", True

    @property
    def sold_as(self) -> str:
        return ""

    def plan(self, requests: Sequence[eh.Request]) -> Iterator[Sequence[eh.Request]]:
        yield from (requests[start : start + 4] for start in range(0, len(requests), 4))


class Remote(eh.Service):
    """The same behind a network; `fault` is what befalls prompts with an 'x', `retries` is 0 as a rule."""

    name = "remote meter"
    supports = (eh.Generate,)
    fault: str = ""
    retries: int = 0

    @property
    def sold_as(self) -> str:
        return "meter-1"

    def identity(self) -> str:
        return "remote"

    async def ask_one(self, request: eh.Request) -> eh.Response:
        assert isinstance(request, eh.Generate)
        if self.fault and "x" in str(request.prompt):
            Meter.asked.append(str(request.prompt))
            raise eh.Unanswered(eh.Failure(self.fault, "no answer"))
        return response(request)


class Falling(Meter):
    """Raises at the second request that it takes."""

    name = "falling"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for number, request in enumerate(requests):
            if number == 1:
                raise RuntimeError("boom")
            yield request, response(request)


class Unreachable(Meter):
    """Reaches nobody."""

    name = "unreachable"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            Meter.asked.append(str(request))
            yield request, eh.Response(error=eh.Failure("connection", "refused"))


class FallingService(Remote):
    """The same as a service, which takes its requests one by one."""

    name = "falling service"

    def answer(self, requests: Iterable[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        yield from Falling.answer(self, requests)  # type: ignore[arg-type]


def response(request: eh.Request) -> eh.Response:
    assert isinstance(request, eh.Generate)
    Meter.asked.append(str(request.prompt))
    words = str(request.prompt).split()
    return eh.Response(text="fine", input_tokens=int(words[0]), output_tokens=int(words[2]))


def requests(*prompts: str, most: int = 10) -> list[eh.Generate]:
    return [eh.Generate(prompt=f"{prompt} #{number}", max_tokens=most) for number, prompt in enumerate(prompts)]


def outcome(engine: Engine, model: eh.Model, asked: Sequence[eh.Request]) -> list[str]:
    """Return for each request "fine" or why it has no answer."""
    engine.fill(model, asked)
    return [found.text or str(found.error and found.error.message) for found in engine.read(model, asked)]


def spent(budget: Budget) -> Taken:
    return sum((count.charged for kinds in budget.counts.values() for count in kinds.values()), Taken())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    Meter.asked.clear()
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("model", [Meter(), Remote()], ids=lambda model: model.name)
def test_no_more_requests_than_allowed_and_the_next_run_asks_for_the_rest(store: Store, model: eh.Model) -> None:
    asked = requests(*["3 read 2 written"] * 10)
    found = Counter(outcome(Engine(store, budget=Budget(Limits(requests=4))), model, asked))
    why = "not asked: the limit --max-requests 4 was reached after 4 requests; run the same command again to go on"
    assert found == {"fine": 4, why: 6}
    assert len(Meter.asked) == 4
    again = Engine(store, budget=Budget(Limits(requests=6)))
    assert set(outcome(again, model, asked)) == {"fine"}
    assert (again.usage.requests, again.usage.from_store, again.usage.failures) == (6, 4, 0)
    assert sorted(Meter.asked) == sorted(str(request.prompt) for request in asked)


def test_what_was_not_asked_is_no_request_and_no_failure_of_one(store: Store) -> None:
    engine = Engine(store, budget=Budget(Limits(requests=4)))
    outcome(engine, Remote(), requests(*["3 read 2 written"] * 10))
    assert (engine.usage.requests, engine.usage.failures, engine.usage.input_tokens) == (4, 0, 12)


@pytest.mark.parametrize("model", [Meter(), Remote()], ids=lambda model: model.name)
def test_what_a_request_leaves_of_its_worst_case_is_free_for_others(store: Store, model: eh.Model) -> None:
    """One request may take some hundred tokens and takes five: a limit for two at a time is one for nearly all."""
    asked = requests(*["3 read 2 written"] * 20)
    worst = Budget().worst(model, asked[:1]).tokens
    engine = Engine(store, budget=Budget(Limits(tokens=2 * worst + 50)))
    assert set(outcome(engine, model, asked)) == {"fine"}
    assert 100 == spent(engine.budget).tokens < 2 * worst


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cost=st.floats(0.0005, 0.02), service=st.booleans())
def test_money_is_never_overspent_and_no_more_is_left_than_one_request_may_cost(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cost: float, service: bool
) -> None:
    draw = Random(seed)
    asked = requests(*(f"{draw.randint(1, 100)} read {draw.randint(0, 40)} written" for _ in range(25)), most=40)
    model: eh.Model = Remote() if service else Meter()
    budget = Budget(Limits(cost=cost), {"meter-1": PRICE})
    with Store(tmp_path_factory.mktemp("budget") / "s.sqlite") as store:
        found = outcome(Engine(store, budget=budget), model, asked)
    took = spent(budget)
    assert took.cost <= cost
    assert took.cost == pytest.approx((took.input_tokens + 10 * took.output_tokens) / 1e6)
    left = [request for request, told in zip(asked, found, strict=True) if told != "fine"]
    assert all(took.cost + budget.worst(model, [request]).cost > cost for request in left[:1])


def test_local_work_is_asked_chunk_by_chunk_whole_or_not_at_all(store: Store) -> None:
    asked = requests(*["3 read 2 written"] * 10)
    found = outcome(Engine(store, budget=Budget(Limits(requests=9))), Local(), asked[:9])
    assert found == ["fine"] * 9
    Meter.asked.clear()
    engine = Engine(store, budget=Budget(Limits(requests=6)))
    found = outcome(engine, Local(), requests(*["4 read 2 written"] * 8))
    together = "was reached after 4 requests, and the next 4 are asked together; run the same command again to go on"
    assert found == ["fine"] * 4 + [f"not asked: the limit --max-requests 6 {together}"] * 4
    assert len(Meter.asked) == 4


def test_a_limit_that_allows_nothing_at_all_asks_for_a_higher_one(store: Store) -> None:
    found = outcome(Engine(store, budget=Budget(Limits(requests=3))), Local(), requests(*["3 read 2 written"] * 4))
    chunk = "the limit --max-requests 3 does not allow the 4 requests of a chunk of local work"
    assert set(found) == {f"not asked: {chunk}; run the same command with a higher limit to go on"}
    (why,) = {*outcome(Engine(store, budget=Budget(Limits(tokens=20))), Remote(), requests("3 read 2 written"))}
    assert why.startswith("not asked: the limit --max-tokens 20 does not allow a request, which may take up to ")
    assert why.endswith(" tokens; run the same command with a higher limit to go on")
    priced = Budget(Limits(cost=1e-6), {"meter-1": PRICE})
    (why,) = {*outcome(Engine(store, budget=priced), Remote(), requests("3 read 2 written"))}
    assert "--max-cost 0.000001 does not allow a request, which may take up to 0.000" in why
    assert not Meter.asked


def test_the_reached_limit_says_what_was_spent(store: Store) -> None:
    asked = requests(*["100 read 0 written"] * 9, most=1)
    priced = Budget(Limits(cost=0.0005), {"meter-1": PRICE})
    found = outcome(Engine(store, budget=priced), Meter(), asked)
    (why,) = {*found} - {"fine"}
    assert re.fullmatch(
        r"not asked: the limit --max-cost 0\.0005 was reached after [34] requests and 0\.000[34] US dollars; run .*", why
    )
    tokens = Engine(store, budget=Budget(Limits(tokens=500)))
    (why,) = {*outcome(tokens, Remote(), asked)} - {"fine"}
    assert re.fullmatch(r"not asked: the limit --max-tokens 500 was reached after [34] requests and [34]00 tokens; run .*", why)


def test_an_answer_that_tells_no_tokens_counts_with_all_that_it_may_have_taken(store: Store) -> None:
    asked = requests("0 read 0 written", "3 read 2 written")
    budget = Budget(Limits(tokens=10_000))
    outcome(Engine(store, budget=budget), Remote(), asked)
    assert spent(budget).tokens == Budget().worst(Remote(), asked[:1]).tokens + 5
    assert [count.untold for count in budget.counts[Remote()].values()] == [1]


@pytest.mark.parametrize(("kind", "charged"), [("timeout", True), ("filtered", True), ("rejected", False)])
def test_a_request_that_timed_out_or_was_filtered_may_have_been_paid_for(store: Store, kind: str, charged: bool) -> None:
    asked = requests("0 read 0 x", "3 read 2 written")
    budget = Budget(Limits(tokens=10_000))
    model = Remote(fault=kind)
    outcome(Engine(store, budget=budget), model, asked)
    assert spent(budget).tokens == 5 + charged * budget.worst(model, asked[:1]).tokens


def test_where_nobody_is_there_to_ask_the_rest_is_not_tried_in_rounds(store: Store) -> None:
    asked = requests(*["3 read 2 x"] * 12)
    worst = Budget().worst(Unreachable(), asked[:1]).tokens
    found = outcome(Engine(store, budget=Budget(Limits(tokens=4 * worst + 20))), Unreachable(), asked)
    assert set(found) == {"refused"}
    assert len(Meter.asked) == 4


def test_what_was_rejected_keeps_nobody_from_asking_the_rest(store: Store) -> None:
    asked = requests("3 read 2 x", *["3 read 2 written"] * 5)
    model = Remote(fault="rejected")
    worst = Budget().worst(model, asked[:1]).tokens
    found = outcome(Engine(store, budget=Budget(Limits(tokens=worst + 30))), model, asked)
    assert found == ["no answer", *["fine"] * 5]


@pytest.mark.parametrize("model", [Falling(), FallingService()], ids=lambda model: model.name)
def test_a_model_that_falls_costs_each_request_its_answer_once(store: Store, model: eh.Model) -> None:
    asked = requests(*["3 read 2 written"] * 5)
    engine = Engine(store, budget=Budget(Limits(tokens=10_000)))
    found = outcome(engine, model, asked)
    assert found == ["fine", *[f"model '{model.name}' failed: RuntimeError: boom"] * 4]
    assert engine.usage.requests == 5


def test_a_forecast_that_counts_is_believed_and_one_that_fails_is_blamed(store: Store) -> None:
    class Counting(Meter):
        name = "counting"

        def forecast(self, requests: Sequence[eh.Request]) -> eh.Forecast:
            return eh.Forecast(len(requests), 3 * len(requests), 2 * len(requests), counted=True)

    class Wrong(Meter):
        name = "wrong"

        def forecast(self, requests: Sequence[eh.Request]) -> eh.Forecast:
            raise ValueError("no tokenizer")

    asked = requests(*["3 read 2 written"] * 3, most=2)
    assert Budget().worst(Counting(), asked).tokens == 15
    with pytest.raises(PluginError, match=r"model 'wrong' failed in forecast\(\): ValueError: no tokenizer"):
        outcome(Engine(store, budget=Budget(Limits(tokens=5))), Wrong(), asked)


def test_only_what_is_limited_is_forecast(store: Store) -> None:
    """Counting the tokens of local work takes time, which a limit on requests or on money does not need."""

    class Slow(Local):
        name = "slow"

        def forecast(self, requests: Sequence[eh.Request]) -> eh.Forecast:
            raise AssertionError("not needed")

    asked = requests(*["3 read 2 written"] * 4)
    engine = Engine(store, budget=Budget(Limits(requests=9, cost=1.0), {"meter-1": PRICE}))
    assert outcome(engine, Slow(), asked) == ["fine"] * 4


@pytest.mark.parametrize("limits", [{"requests": 0}, {"tokens": -5}, {"cost": 0.0}, {"cost": math.nan}, {"cost": math.inf}])
def test_what_is_no_limit_is_refused(limits: dict[str, Any]) -> None:
    ((name, value),) = limits.items()
    with pytest.raises(UsageError, match=f"--max-{name} {value} is no limit: give a number above 0, or leave it out"):
        Limits(**limits)


def test_a_limit_on_the_cost_needs_the_price_of_every_model_that_is_sold() -> None:
    models = [Meter(), Local(), Remote()]
    refuse_unpriced(Limits(cost=1.0), models, {"meter-1": PRICE})
    refuse_unpriced(Limits(tokens=1), models, {})
    with pytest.raises(UsageError) as told:
        refuse_unpriced(Limits(cost=1.0), models, {"meter-2": PRICE})
    assert str(told.value) == (
        "--max-cost needs a price of the model 'meter-1', which the system's prices do not have. Did you mean 'meter-2'? "
        "Write into the task file (into a system's own file without the first line):\n\n"
        "system:\n"
        "  prices:  # US dollars per million tokens; put in what yours are\n"
        '    "meter-1": {input: 0.15, output: 0.60}'
    )


def test_costs_are_by_model_and_unknown_without_a_price(store: Store) -> None:
    for prices, costs in [
        ({}, {}),
        ({"meter-1": PRICE}, {"meter-1": pytest.approx(46e-6), "local meter": 0.0}),
        ({"other": PRICE}, {"meter-1": None, "local meter": 0.0}),
    ]:
        budget = Budget(prices=prices)
        for model in (Meter(), Remote(), Local()):
            with Store(store.path, fresh=True) as fresh:
                Engine(fresh, budget=budget).fill(model, requests("3 read 2 written"))
        assert budget.costs() == costs


def test_what_a_service_had_cached_is_cheaper_where_the_price_says_so(store: Store) -> None:
    class Caching(Meter):
        name = "caching"

        def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
            for request in requests:
                yield request, eh.Response(text="fine", input_tokens=100, run_tokens=40, output_tokens=1)

    for cached, cost in ((None, 110e-6), (0.5, 80e-6)):
        budget = Budget(prices={"meter-1": Price(input=1.0, output=10.0, cached_input=cached)})
        with Store(store.path, fresh=True) as fresh:
            Engine(fresh, budget=budget).fill(Caching(), requests("a"))
        assert budget.costs() == {"meter-1": pytest.approx(cost)}


def test_images_count_for_themselves_not_for_their_bytes() -> None:
    url = "data:image/png;base64," + "A" * 1_000_000
    seen = eh.Generate(prompt=(eh.Message("user", "What is this?", images=(url,)),))
    assert 50_000 < most_read(seen) < 51_000


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_no_text_has_more_tokens_than_are_held_back_for_it(text: str) -> None:
    from tokenizers import Tokenizer

    tokenizer = (
        TOKENIZER[0] if TOKENIZER else Tokenizer.from_file(str(eh.resolve_weights("smollm2-135m-instruct") / "tokenizer.json"))
    )
    TOKENIZER[:] = [tokenizer]
    turns = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    assert len(tokenizer.encode(turns).ids) <= most_read(eh.Generate(prompt=(eh.Message("user", text),)))
    choices = eh.Choose(prompt=text, choices=("a", text))
    assert sum(len(tokenizer.encode(f"{text} {choice}").ids) for choice in choices.choices) <= most_read(choices)


TOKENIZER: list[Any] = []


def test_amounts_are_shown_with_what_they_have() -> None:
    assert [money(dollars) for dollars in (0, 0.004, 0.5, 1, 12_345.678)] == ["0.00", "0.004", "0.50", "1.00", "12,345.68"]
