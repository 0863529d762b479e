"""What can go wrong with a service: each row of the table, from the first request to the second run."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from time import monotonic, time
from typing import Any

import pytest
from click.testing import CliRunner, Result
from evalharness_openai.faults import FAULTS, table
from evalharness_openai.model import OpenAI

import evalharness as eh
from evalharness.cli.main import cli
from evalharness.contract.sample import INFRASTRUCTURE_FAILURES, SYSTEM_FAILURES
from tests.plugins.openai.scenes import ELSEWHERE, SCENES
from tests.plugins.openai.serving import Asked, Reply, Server, chat, failed

pytestmark = pytest.mark.usefixtures("_short_waits")
DOCS = Path(__file__).parents[3] / "docs" / "models.md"
ALL = [(key, number) for key, replies in SCENES.items() for number in range(len(replies))]
NAMES = ("a", "b", "c")
TASK = """
name: letters
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
system:
  name: served
  model: {openai: {model: nobody, base_url: "URL", concurrency: 2, retries: 1, timeout: 10.0, patience: 5}}
metrics: [exact_match]
"""


def model(server: Server, **options: Any) -> OpenAI:
    return OpenAI(**{"model": "nobody", "base_url": server.url, "retries": 1, "timeout": 10.0, **options})


def ask(asked: OpenAI, prompt: str = "b") -> eh.Response:
    ((_, response),) = asked.answer([eh.Generate(prompt=(eh.Message("user", prompt),))])
    return response


def patience_with(key: str) -> float:
    """Return the seconds that an answer may take: few only where that is what a scene is about."""
    return 0.6 if key == "timeout" else 10.0


def wrong_for_b(reply: Reply, times: int = 99) -> Callable[[Asked], Reply]:
    """Return a script that gives `reply` to the question b as often, and an answer to everything else."""
    return lambda asked: reply if asked.question == "b" and asked.times < times else chat(asked.question)


def test_every_fault_of_the_table_has_a_scene_or_a_test_of_its_own() -> None:
    assert FAULTS.keys() == SCENES.keys() | ELSEWHERE


def test_the_documentation_shows_the_table() -> None:
    assert table() in DOCS.read_text("utf-8")


def test_a_fault_has_a_kind_of_failure_unless_it_ends_the_run() -> None:
    for fault in FAULTS.values():
        assert (fault.outcome == "stop") == (not fault.kind)
        assert fault.kind in {"", *INFRASTRUCTURE_FAILURES, *SYSTEM_FAILURES}
        assert fault.todo or fault.outcome != "stop"


@pytest.mark.parametrize(("key", "number"), ALL)
def test_a_fault_that_stays_has_its_outcome(key: str, number: int, server: Server) -> None:
    fault = FAULTS[key]
    server.script = wrong_for_b(SCENES[key][number])
    if fault.outcome == "stop":
        with pytest.raises(eh.ServiceError, match=re.escape(fault.brief or fault.happens)):
            ask(model(server))
        assert server.questions == ["b"]
        return
    response = ask(model(server, timeout=patience_with(key)))
    assert response.error is not None
    assert response.text is None
    assert response.error.kind == fault.kind
    assert len(server.asked) == (2 if fault.outcome == "retry" else 1)


@pytest.mark.parametrize(("key", "number"), [pair for pair in ALL if FAULTS[pair[0]].outcome == "retry"])
def test_a_fault_that_passes_leaves_no_trace_but_a_retry(key: str, number: int, server: Server) -> None:
    server.script = wrong_for_b(SCENES[key][number], times=1)
    response = ask(model(server, timeout=patience_with(key)))
    assert (response.error, response.text, response.retries) == (None, "b", 1)


@pytest.fixture
def folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    rows = [{"id": name, "question": name, "answers": [name]} for name in NAMES]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Path("task.yaml").write_text(TASK.replace("URL", server.url), "utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["run", "task.yaml", "--out", "out", *arguments])


def score() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("out/record.json").read_text("utf-8"))["scores"]["exact_match"]
    return found


@pytest.mark.parametrize("key", [key for key in SCENES if FAULTS[key].outcome == "stop"])
def test_a_run_that_stops_says_what_to_do_and_the_next_one_asks_for_everything(key: str, folder: Path, server: Server) -> None:
    server.script = lambda asked: SCENES[key][0]
    result = run()
    assert result.exit_code == 2, result.output
    todo = FAULTS[key].todo
    words = todo.split("KEY")[0].split("MODEL")[0].split("URL")[0].split("FIELD")[0].strip(" ,;`")
    assert words in " ".join(result.output.split())
    assert max(Counter(server.questions).values()) == 1
    assert not Path("out/record.json").exists()
    server.asked.clear()
    server.script = lambda asked: chat(asked.question)
    assert run().exit_code == 0
    assert (score()["samples"], score()["errors"], score()["value"]) == (3, 0, 1.0)
    assert sorted(server.questions) == list(NAMES)


def test_a_run_that_stops_keeps_what_was_answered(folder: Path, server: Server) -> None:
    server.script = lambda asked: failed(401) if len(server.asked) > 2 else chat(asked.question)
    assert run("--set", "system.model.openai.concurrency=1").exit_code == 2
    kept = server.questions[:2]
    server.asked.clear()
    server.script = lambda asked: chat(asked.question)
    assert run().exit_code == 0
    assert server.questions == [name for name in NAMES if name not in kept]


@pytest.mark.parametrize("key", ["403", "parameter"])
def test_what_would_end_a_run_fails_alone_where_others_were_answered(key: str, server: Server) -> None:
    server.script = wrong_for_b(SCENES[key][0])
    requests = [eh.Generate(prompt=(eh.Message("user", prompt),)) for prompt in "abc"]
    answers = [response for _, response in model(server, concurrency=1).answer(requests)]
    assert [response.text for response in answers] == ["a", None, "c"]
    assert answers[1].error is not None
    assert answers[1].error.kind == "rejected"


@pytest.mark.parametrize("key", [key for key in SCENES if FAULTS[key].outcome != "stop"])
def test_a_run_never_scores_a_fault_and_the_next_one_asks_for_nothing_else(key: str, folder: Path, server: Server) -> None:
    fault = FAULTS[key]
    server.script = wrong_for_b(SCENES[key][0])
    result = run("--set", f"system.model.openai.timeout={patience_with(key)}")
    first = Counter(server.questions)
    if fault.kind in SYSTEM_FAILURES:  # the system's own: what it did to the sample is its score
        assert result.exit_code == 0, result.output
        assert (score()["samples"], score()["errors"], score()["value"]) == (3, 0, pytest.approx(2 / 3))
    else:
        assert result.exit_code == 3, result.output
        assert (score()["samples"], score()["errors"], score()["value"]) == (2, 1, 1.0)
        assert "(1 time; first: b)" in " ".join(result.output.split())
    server.script = lambda asked: chat(asked.question)
    again = run()
    assert again.exit_code == 0, again.output
    assert (score()["samples"], score()["errors"], score()["value"]) == (3, 0, 1.0)
    asked_again = Counter(server.questions) - first
    assert asked_again == {"b": 1}
    assert (first["a"], first["c"]) == (1, 1)
    # What is busy while it answers others is no fault of the request: it may be asked more often.
    assert first["b"] > 1 if fault.busy else first["b"] == (2 if fault.outcome == "retry" else 1)


def test_a_server_that_is_not_there_is_waited_for_and_then_told(server: Server) -> None:
    server.stop()
    response = ask(model(server, patience=0.3))
    assert response.error is not None
    assert response.error.kind == "connection"
    assert "run the same command again" in response.error.message


def test_a_run_without_a_server_measures_nothing_and_the_next_one_everything(folder: Path, server: Server) -> None:
    server.stop()
    result = run("--set", "system.model.openai.patience=0.3")
    assert result.exit_code == 3, result.output
    assert (score()["value"], score()["samples"], score()["errors"]) == (None, 0, 3)
    assert "connection" in result.output
    server.start()
    server.script = lambda asked: chat(asked.question)
    again = run()
    assert again.exit_code == 0, again.output
    assert (score()["samples"], score()["errors"], score()["value"]) == (3, 0, 1.0)


def test_a_connection_that_breaks_before_the_answer_is_made_anew(server: Server) -> None:
    server.script = wrong_for_b(Reply(drop=True), times=2)
    response = ask(model(server))
    assert (response.text, response.retries) == ("b", 2)
    server.script = wrong_for_b(Reply(drop=True))
    lost = ask(model(server, patience=0.3))
    assert lost.error is not None
    assert lost.error.kind == "connection"


def test_a_server_that_dies_and_returns_loses_nothing(server: Server) -> None:
    prompts = [f"q{number}" for number in range(40)]
    answered = []
    asked = model(server, retries=8, patience=20, concurrency=4)
    for request, response in asked.answer([eh.Generate(prompt=(eh.Message("user", prompt),)) for prompt in prompts]):
        answered.append((eh.text_of(request.prompt), response.text))  # type: ignore[attr-defined]
        if len(answered) == 10:
            server.stop()
            threading.Timer(0.3, server.start).start()
    assert sorted(answered) == sorted((f"user: {prompt}", f"answer to {prompt}") for prompt in prompts)


def test_a_server_that_speaks_no_tls_is_told_at_once(server: Server) -> None:
    with pytest.raises(eh.ServiceError, match="TLS"):
        ask(model(server, base_url=server.url.replace("http:", "https:")))


def test_without_room_for_the_answer_the_message_says_what_to_lower(server: Server) -> None:
    server.script = wrong_for_b(SCENES["room"][0])
    response = ask(model(server))
    assert response.error is not None
    assert "lower `generate.max_tokens`" in response.error.message


@pytest.mark.parametrize("number", range(len(SCENES["parameter"])))
def test_a_refused_field_is_named_and_can_be_left_out(number: int, server: Server) -> None:
    server.script = lambda asked: SCENES["parameter"][number] if "temperature" in asked.body else chat("fine")
    with pytest.raises(eh.ServiceError, match=re.escape("leave it out with `parameters: {temperature: null}`")):
        ask(model(server))
    assert ask(model(server, parameters=eh.Arguments({"temperature": None}))).text == "fine"


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"Retry-After": "0.3"}, 0.3, 8.0),
        ({"retry-after-ms": "300"}, 0.3, 8.0),
        ({"Retry-After": "a date in an hour"}, 3590, 3600),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}, 0.3, 8.0),
    ],
)
def test_what_a_server_asks_to_wait_is_waited(headers: dict[str, str], low: float, high: float, server: Server) -> None:
    if low > 10:
        headers = {"Retry-After": formatdate(time() + 3600, usegmt=True)}
    server.script = wrong_for_b(failed(429, "slow down", headers), times=1)
    started = monotonic()
    response = ask(model(server, patience=10))
    waited = monotonic() - started
    if low > 10:  # longer than the patience: given up at once, with what the server said
        assert response.error is not None
        assert re.search(r"3,[56]\d\d s .*patience: 10", response.error.message)
        return
    assert response.text == "b"
    assert low <= waited <= high


def test_an_answer_that_says_that_no_more_is_allowed_holds_the_next(server: Server) -> None:
    spent = {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "400ms"}
    server.script = lambda asked: Reply(chat("x").body, headers=spent if asked.question == "a" else {})
    started = monotonic()
    asked = model(server, concurrency=1, timeout=5)
    requests = [eh.Generate(prompt=(eh.Message("user", prompt),)) for prompt in "ab"]
    assert all(response.text == "x" for _, response in asked.answer(requests))
    assert monotonic() - started >= 0.4
    assert len(server.asked) == 2


def broken(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return JSON with another value at a path."""
    if not path:
        return value
    first, *rest = path
    items = dict(node) if isinstance(node, dict) else list(node)
    items[first] = broken(node[first], tuple(rest), value)
    return items


def paths(node: Any, start: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value of JSON."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [start, *(path for key in keys for path in paths(node[key], (*start, key)))]


GOOD = {
    "generate": chat("b", logprobs=1).body,
    "embed": {"data": [{"embedding": [0.5, 1.0]}], "usage": {"prompt_tokens": 1}},
    "likelihood": {
        "choices": [{"text": "b!", "logprobs": {"tokens": ["<s>", "b", "!"], "token_logprobs": [None, -1.0, -2.0]}}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    },
}


@pytest.mark.parametrize("kind", list(GOOD))
def test_no_shape_of_an_answer_is_more_than_a_fault_of_the_server(kind: str, server: Server) -> None:
    """Each value of a good answer is replaced by each of many others: what comes is an answer, or no fault of ours."""
    asked: dict[str, eh.Request] = {
        "generate": eh.Generate(prompt="b"), "embed": eh.Embed(text="b"), "likelihood": eh.Likelihood(text="b"),
    }  # fmt: skip
    odd = [(path, value) for path in paths(GOOD[kind]) for value in (None, True, -3, "x", [], {}, [None], [{}], "\ud800")]
    for path, value in odd:
        body = broken(GOOD[kind], path, value)
        server.script = lambda asked, body=body: Reply(json.dumps(body))  # type: ignore[misc]
        try:
            ((_, response),) = model(server, retries=0).answer([asked[kind]])
        except eh.ServiceError as error:
            assert "error" in body or "no log-probabilities" in str(error)  # noqa: PT017
            continue
        assert response.error is None or response.error.kind in ("server", "not supported"), (path, value, response.error)
