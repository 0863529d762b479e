"""The engine: each question once, failures never stored, a model's misbehaviour never fatal."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh
from evalharness.systems.checking import sound
from evalharness.systems.engine import Engine, Usage, Work, from_stored, to_stored
from evalharness.systems.store import COMMIT_SECONDS, Store

ASKED: list[str] = []


class Shouter(eh.Model):
    """Answers in capitals; its options say how it misbehaves."""

    name = "shouter"
    supports = (eh.Generate,)
    fault: str = ""

    def identity(self) -> str:
        return "shouter"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            assert isinstance(request, eh.Generate)
            assert isinstance(request.prompt, str)
            ASKED.append(request.prompt)
            if self.fault == "raises" and request.prompt == "b":
                raise RuntimeError("boom")
            if LONE in self.fault:
                raise RuntimeError(self.fault)
            if self.fault == "refused" and request.prompt == "b":
                yield request, eh.Response(error=eh.Failure("connection", "refused"))
            elif self.fault != "forgets" or request.prompt != "b":
                yield request, eh.Response(text=request.prompt.upper(), input_tokens=1, output_tokens=2)
                if self.fault == "repeats":
                    yield request, eh.Response(text="again")


class Odd(eh.Model):
    """Gives `ODD` to the request 'b' and a sound answer to all others."""

    name = "odd"
    supports = (eh.Generate,)
    stored = True

    def identity(self) -> str:
        return "odd"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            assert isinstance(request, eh.Generate)
            yield request, ODD[0] if request.prompt == "b" else eh.Response(text="fine")


class OddUnstored(Odd):
    """The same, played back."""

    name = "odd unstored"
    stored = False


ODD: list[Any] = [None]
TWICE = (eh.Passage("p", "one"), eh.Passage("q", "two"), eh.Passage("p", "three"))
LONE = "t\ud800wo"
UNSOUND = [
    ("a text", "'a text' in place of a Response"),
    (None, "None in place of a Response"),
    (eh.Response(text=LONE), r"text='t\ud800wo', which is not text that can be written as UTF-8"),
    ({"text": 7}, "text=7, which is not text"),
    ({"text": ["a"]}, "text=<list>, which is not text"),
    ({"finish": "cut"}, "finish='cut', which is not 'stop' or 'length'"),
    ({"logprobs": ("a",)}, "logprobs=<tuple>, which is not a tuple of numbers below infinity"),
    ({"logprobs": [-1.0]}, "logprobs=<list>, which is not a tuple"),
    ({"logprobs": (math.nan,)}, "logprobs=<tuple>, which is not a tuple of numbers below infinity"),
    ({"logprobs": (math.inf,)}, "logprobs=<tuple>, which is not a tuple of numbers below infinity"),
    ({"logprobs": (-(10**400),)}, "logprobs=<tuple>, which is not a tuple of numbers below infinity"),
    ({"tokens": (1.5,)}, "tokens=<tuple>, which is not a tuple of whole numbers from 0"),
    ({"embedding": (0.5, math.nan)}, "embedding=<tuple>, which is not a tuple of finite numbers"),
    ({"latency": math.nan}, "latency=nan, which is not a number of seconds from 0"),
    ({"latency": "1"}, "latency='1', which is not a number of seconds from 0"),
    ({"input_tokens": None}, "input_tokens=None, which is not a whole number from 0"),
    ({"output_tokens": -1}, "output_tokens=-1, which is not a whole number from 0"),
    ({"merged": 0.5}, "merged=0.5, which is not a whole number from 0"),
    ({"error": "refused"}, "error='refused', which is not a Failure"),
    ({"error": eh.Failure("server", LONE)}, "error=<Failure>, which is not a Failure whose kind and message can be written"),
    ({"contexts": ("p",)}, "a ranking that holds 'p' in place of a Passage"),
    ({"contexts": "p"}, "'p' in place of a ranking of passages"),
    ({"contexts": (eh.Passage("p", LONE),)}, "the passage 'p', whose id and text are not both text"),
    ({"contexts": (eh.Passage("p", "", math.nan),)}, "the passage 'p', whose id"),
    ({"contexts": TWICE}, "one ranking with the passage id 'p' twice"),
]


def requests(texts: str, repeat: int = 0) -> list[eh.Request]:
    return [eh.Generate(prompt=text, sample=f"s{number}", repeat=repeat) for number, text in enumerate(texts)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    ASKED.clear()
    with Store(tmp_path / "s.sqlite") as opened:
        yield opened


def texts(engine: Engine, model: eh.Model, asked: list[eh.Request]) -> list[str | None]:
    engine.fill(model, asked)
    return [response.text for response in engine.read(model, asked)]


def test_equal_requests_are_asked_once_and_each_sample_has_the_answer(store: Store) -> None:
    assert texts(Engine(store), Shouter(), requests("aba")) == ["A", "B", "A"]
    assert sorted(ASKED) == ["a", "b"]


def test_a_stored_answer_is_never_asked_for_again(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("ab"))
    ASKED.clear()
    engine = Engine(store)
    assert texts(engine, Shouter(), requests("abc")) == ["A", "B", "C"]
    assert ASKED == ["c"]
    assert (engine.usage.requests, engine.usage.from_store) == (1, 2)


def test_what_this_run_asked_for_does_not_come_from_the_store(store: Store) -> None:
    engine = Engine(store)
    texts(engine, Shouter(), requests("ab"))
    texts(engine, Shouter(), requests("bc"))
    assert (engine.usage.requests, engine.usage.from_store) == (3, 0)


def test_a_repeat_is_another_question(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("a") + requests("a", repeat=1))
    assert ASKED == ["a", "a"]


def test_models_with_other_identities_do_not_share_answers(store: Store) -> None:
    class Whisperer(Shouter):
        name = "whisperer"

        def identity(self) -> str:
            return "whisperer"

    texts(Engine(store), Shouter(), requests("a"))
    texts(Engine(store), Whisperer(), requests("a"))
    assert ASKED == ["a", "a"]


@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        ("refused", ["A", None, "C"], "refused"),
        ("forgets", ["A", None, "C"], "gave no answer"),
        ("raises", ["A", None, None], "failed: RuntimeError: boom"),
    ],
)
def test_a_failure_is_a_response_that_is_asked_again_next_time(
    store: Store, fault: str, expected: list[str], message: str
) -> None:
    engine = Engine(store)
    assert texts(engine, Shouter(fault=fault), requests("abc")) == expected
    error = engine.read(Shouter(fault=fault), requests("b"))[0].error
    assert error is not None
    assert error.infrastructure
    assert message in error.message
    assert texts(Engine(store), Shouter(), requests("abc")) == ["A", "B", "C"]


@pytest.mark.parametrize("model", [Odd(), OddUnstored()])
@pytest.mark.parametrize(("given", "message"), UNSOUND)
def test_an_unsound_response_fails_its_own_sample(store: Store, model: Odd, given: Any, message: str) -> None:
    ODD[0] = eh.Response(**given) if isinstance(given, dict) else given
    engine = Engine(store)
    engine.fill(model, requests("abc"))
    first, failed, last = engine.read(model, requests("abc"))
    assert (first.text, failed.text, last.text) == ("fine", None, "fine")
    assert failed.error is not None
    assert failed.error.kind == "plugin"
    assert failed.error.message.startswith(f"model '{model.name}' gave ")
    assert message in failed.error.message
    failed.error.message.encode()


def test_the_edges_of_what_a_response_may_hold_are_sound() -> None:
    passages = (eh.Passage("", "", -0.0), eh.Passage("p", "\x00é🙂", 3))
    edges = eh.Response(text="", logprobs=(-math.inf, 0.0, -1), tokens=(0,), embedding=(), contexts=passages, latency=0.0)
    assert sound(edges) is None
    assert sound(eh.Response(error=eh.Failure("server", "down"))) is None


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_a_text_is_sound_exactly_if_it_can_be_written(text: str) -> None:
    written = text.encode("utf-8", "replace").decode() == text
    assert (sound(eh.Response(text=text)) is None) == written


def test_an_exception_that_cannot_be_written_is_told_in_escapes(store: Store) -> None:
    engine = Engine(store)
    model = Shouter(fault=f"raises {LONE}")
    assert texts(engine, model, requests("b")) == [None]
    error = engine.read(model, requests("b"))[0].error
    assert error == eh.Failure("plugin", r"model 'shouter' failed: RuntimeError: raises t\ud800wo")


class Unplanned(Shouter):
    """Fails before it is asked anything, with what `FAULTS` holds for its step."""

    name = "unplanned"
    step: str = ""

    def identity(self) -> str:
        return FAULTS["identity"](self.step)

    def plan(self, requests: Sequence[eh.Request]) -> Iterator[Sequence[eh.Request]]:
        yield requests[:1]
        yield FAULTS["plan"](self.step) or requests[1:]


def raising(name: str, error: Exception) -> Callable[[str], Any]:
    def fault(step: str) -> str:
        if step == name:
            raise error
        return ""

    return fault


FAULTS: dict[str, Callable[[str], Any]] = {}


@pytest.mark.parametrize("step", ["identity", "plan"])
def test_a_model_that_fails_before_it_is_asked_is_named(store: Store, step: str) -> None:
    FAULTS.update({name: raising(name, KeyError("weights")) for name in ("identity", "plan")})
    with pytest.raises(eh.PluginError, match=rf"^model 'unplanned' failed in {step}\(\): KeyError: 'weights'$"):
        Engine(store).fill(Unplanned(step=step), requests("ab"))


@pytest.mark.parametrize("step", ["identity", "plan"])
def test_an_error_that_explains_itself_passes_unchanged(store: Store, step: str) -> None:
    FAULTS.update({name: raising(name, eh.WeightsError("fetch them first")) for name in ("identity", "plan")})
    with pytest.raises(eh.WeightsError, match=r"^fetch them first$"):
        Engine(store).fill(Unplanned(step=step), requests("ab"))


@pytest.mark.parametrize(("step", "given"), [("identity", 7), ("plan", ["abc"])])
def test_an_identity_or_a_plan_of_the_wrong_type_is_the_plugins_fault(store: Store, step: str, given: Any) -> None:
    FAULTS.update(identity=lambda _: "unplanned", plan=lambda _: None)
    FAULTS[step] = lambda _: given
    with pytest.raises(eh.PluginError, match=rf"model 'unplanned' failed in {step}\(\): "):
        Engine(store).fill(Unplanned(), requests("ab"))


class Service(Shouter):
    """Is interrupted when it is asked for 'c'."""

    name = "service"

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request, response in super().answer(requests):
            if response.text == "C":
                raise KeyboardInterrupt
            yield request, response


class Chunked(Service):
    """The same on this machine."""

    name = "chunked"
    local = True


@pytest.mark.parametrize(("model", "kept"), [(Service(), ["a", "b"]), (Chunked(), [])])
def test_an_interrupted_service_keeps_its_answers_and_local_work_whole_chunks(
    store: Store, model: eh.Model, kept: list[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        Engine(store).fill(model, requests("abcd"))
    assert ASKED == ["a", "b", "c"]
    found = store.read([request.key("shouter") for request in requests("abcd")])
    assert {response.text for response in from_stored(found.values())} == {text.upper() for text in kept}


class Local(Shouter):
    """Works on this machine and has no plan of its own."""

    name = "local"
    local = True


@pytest.mark.parametrize(("model", "sizes"), [(Local(), [64, 64, 2]), (Shouter(), [130])])
def test_local_work_is_cut_into_chunks_and_a_service_is_given_everything(model: eh.Model, sizes: list[int]) -> None:
    asked = requests("x" * 130)
    chunks = list(model.plan(asked))
    assert [len(chunk) for chunk in chunks] == sizes
    assert [request for chunk in chunks for request in chunk] == asked
    assert list(model.plan([])) == []


def test_each_chunk_of_local_work_is_one_transaction(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(store, "write", lambda rows: written.append(len(rows)))
    asked: list[eh.Request] = [eh.Generate(prompt=str(number)) for number in range(130)]
    Engine(store).fill(Local(), asked)
    assert written == [64, 64, 2]


class Slow(Shouter):
    """A service that gives one answer at once, and looks into the store until that is there before it gives the next."""

    name = "slow"
    path: str = ""

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for number, pair in enumerate(super().answer(requests)):
            until = time.monotonic() + 10 * COMMIT_SECONDS
            while stored(Path(self.path)) < number:
                assert time.monotonic() < until, "an answer was kept back until the next one came"
                time.sleep(0.02)
            yield pair


def stored(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        count: int = connection.execute("SELECT count(*) FROM answers").fetchone()[0]
    return count


def test_a_service_answer_is_stored_within_half_a_second_whether_another_comes_or_not(store: Store) -> None:
    Engine(store).fill(Slow(path=str(store.path)), requests("abc"))
    assert stored(store.path) == 3


def test_requests_are_made_twice_only_where_something_is_asked(store: Store) -> None:
    class Made(list[eh.Request]):
        times = 0

        def __iter__(self) -> Iterator[eh.Request]:
            self.times += 1
            return super().__iter__()

    asked, again = Made(requests("aba")), Made(requests("ba"))
    keys = Engine(store).fill(Shouter(), asked)
    assert keys == bytes.fromhex("".join(request.key("shouter") for request in requests("aba")))
    Engine(store).fill(Shouter(), again)
    assert (asked.times, again.times) == (2, 1)


def test_a_second_answer_to_one_request_is_ignored(store: Store) -> None:
    assert texts(Engine(store), Shouter(fault="repeats"), requests("ab")) == ["A", "B"]


def test_progress_counts_what_was_stored(store: Store) -> None:
    texts(Engine(store), Shouter(), requests("ab"))
    seen: list[tuple[int, int, int]] = []

    def watch(work: Work) -> None:
        seen.append((work.total, work.stored, work.done))

    texts(Engine(store, watch), Shouter(), requests("abc"))
    assert seen[0] == (3, 2, 2)
    assert seen[-1] == (3, 2, 3)


def test_a_failure_of_this_run_does_not_count_as_stored_when_it_is_wanted_again(store: Store) -> None:
    engine = Engine(store)
    for _ in range(2):
        engine.fill(Shouter(fault="refused"), requests("ab"))
    assert ASKED == ["a", "b"]
    assert (engine.usage.requests, engine.usage.from_store, engine.usage.failures) == (2, 0, 1)


def test_what_is_stored_is_not_read_to_know_that_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    texts(Engine(store), Shouter(), requests("ab"))
    monkeypatch.setattr(store, "read", lambda keys: pytest.fail("a value was read"))
    engine = Engine(store)
    engine.fill(Shouter(), requests("ab"))
    assert engine.usage.from_store == 2


def test_an_unstored_model_costs_nothing(store: Store) -> None:
    ODD[0] = eh.Response(error=eh.Failure("not recorded"), input_tokens=3)
    engine = Engine(store)
    engine.fill(OddUnstored(), requests("ab"))
    assert [response.text for response in engine.read(OddUnstored(), requests("ab"))] == ["fine", None]
    assert engine.usage == Usage()
    assert store.holdings() == []


def test_every_part_of_a_response_survives_the_store() -> None:
    response = eh.Response(
        text="", finish="length", logprobs=(-0.1, float("-inf")), tokens=(1, 2), merged=1, embedding=(0.25, 1.5),
        contexts=(eh.Passage("p", "日本 \u0301", 0.5), eh.Passage("q", "", None)), input_tokens=3, output_tokens=4, latency=0.5,
    )  # fmt: skip
    assert from_stored([to_stored("k", "generate", "m", response)]) == [response]


class Seeing(Shouter):
    """Takes images."""

    name = "seeing"

    @property
    def heeds(self) -> frozenset[str]:
        return frozenset(["images"])

    def answer(self, requests: Sequence[eh.Request]) -> Iterator[tuple[eh.Request, eh.Response]]:
        for request in requests:
            yield request, eh.Response(text="seen")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Shouter(), {"plain": None, "images": "takes no images", "schema": "cannot be held to a JSON schema"}),
        (Seeing(), {"plain": None, "images": None, "schema": "cannot be held to a JSON schema"}),
    ],
)
def test_a_model_is_not_asked_what_it_would_ignore(model: eh.Model, expected: dict[str, str | None], tmp_path: Path) -> None:
    turn = eh.Message("user", "what?", ("https://example.org/a.png",))
    asked = [
        eh.Generate(sample="plain", prompt="a"),
        eh.Generate(sample="images", prompt=(turn,)),
        eh.Generate(sample="schema", prompt="a", json_schema="{}"),
    ]
    with closing(Store(tmp_path / "store.sqlite")) as store:
        engine = Engine(store)
        engine.fill(model, asked)
        responses = engine.read(model, asked)
    for request, response in zip(asked, responses, strict=True):
        said = expected[request.sample]
        if said is None:
            assert response.error is None
        else:
            assert response.error is not None
            assert response.error.kind == "not supported"
            assert said in response.error.message
