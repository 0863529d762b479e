"""The key comes out of the environment and goes nowhere but into the header: searched for in everything that a run leaves."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from evalharness_openai.model import OpenAI
from evalharness_openai.secrets import Secret

import evalharness as eh
from evalharness.cli.main import cli
from tests.plugins.openai.serving import Asked, Reply, Server, chat, failed

KEY = "sk-proj-Zq4/7+hunter2==x"
TASK = """
name: letters
dataset: {path: data.jsonl, fields: {id: id, input: question, references: answers}}
system:
  name: served
  model: {openai: {model: m, base_url: "URL", key: SERVICE_KEY, retries: 1, timeout: 5.0}}
metrics: [exact_match]
"""


def echoed(asked: Asked) -> str:
    """Return what a careless server says of a request: its headers, in several ways."""
    header = asked.headers["Authorization"]
    key = header.removeprefix("Bearer ")
    return f"headers: {header}; key {key}; {key.replace('/', '%2F').replace('+', '%2B').replace('=', '%3D')}; " + (
        f"{base64.b64encode(key.encode()).decode()}; starts with {key[:12]}********"
    )


def every_sign_escaped(text: str) -> str:
    """Return a text as .NET writes it into JSON."""
    return text.translate({ord(sign): f"\\u{ord(sign):04X}" for sign in "/+=<>&"})


SCRIPTS: dict[str, Callable[[Asked], Reply]] = {
    "in an answer": lambda asked: chat(f"{asked.question}: {echoed(asked)}"),
    "in an error of a sample": lambda asked: failed(400, echoed(asked)) if asked.question == "b" else chat(asked.question),
    "in an error that ends the run": lambda asked: failed(401, f"Incorrect API key provided: {echoed(asked)}"),
    "in an error with status 200": lambda asked: failed(200, echoed(asked)) if asked.question == "b" else chat(asked.question),
    "in a page": lambda asked: Reply(f"<html>{echoed(asked)}</html>") if asked.question == "b" else chat(asked.question),
    "in JSON with escapes": lambda asked: Reply(json.dumps({"error": echoed(asked)}).replace("/", "\\/"), 500),
    "in JSON with every sign escaped": lambda asked: Reply(every_sign_escaped(json.dumps({"error": echoed(asked)})), 400),
    "in an answer with every sign escaped": lambda asked: Reply(
        '{"choices": [{"message": {"content": "' + every_sign_escaped(echoed(asked)) + '"}}]}'
    ),
    "in nonsense": lambda asked: Reply(echoed(asked)),
}


def traces(text: str) -> list[str]:
    """Return the ways in which the key stands in a text."""
    ways = {KEY, json.dumps(KEY)[1:-1], KEY.replace("/", "\\/"), "hunter2", base64.b64encode(KEY.encode()).decode(), KEY[:12]}
    return [way for way in ways if way in text]


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_no_file_and_no_message_of_a_run_holds_the_key(
    name: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SERVICE_KEY", KEY)
    rows = [{"id": letter, "question": letter, "answers": [letter]} for letter in "abc"]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    Path("task.yaml").write_text(TASK.replace("URL", server.url), "utf-8")
    server.script = SCRIPTS[name]
    result = CliRunner().invoke(cli, ["run", "task.yaml", "--out", "out"])
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    assert result.exit_code in (0, 2, 3)
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit)
    assert traces(result.output + result.stderr + caplog.text) == []
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert traces(path.read_bytes().decode("utf-8", "replace")) == [], path
            if path.suffix in (".sqlite", ".db"):
                with sqlite3.connect(path) as database:
                    assert traces("\n".join(database.iterdump())) == [], path
    samples = tmp_path / "out" / "samples.parquet"
    if samples.exists():
        import pyarrow.parquet

        assert traces(str(pyarrow.parquet.read_table(samples).to_pylist())) == []


def test_what_was_taken_out_shows_where_it_stood(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = SCRIPTS["in an answer"]
    ((_, response),) = OpenAI(model="m", base_url=server.url).answer([eh.Generate(prompt="a")])
    assert response.text is not None
    assert response.text.startswith("a: headers: Bearer [key]; key [key]; [key]; [key]")


def test_a_placeholder_is_no_secret_and_stays_in_answers(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    server.script = lambda asked: chat("EMPTY words")
    ((_, response),) = OpenAI(model="m", base_url=server.url).answer([eh.Generate(prompt="a")])
    assert response.text == "EMPTY words"


@pytest.mark.parametrize("value", [f"{KEY}\nX-Other: 1", "schlüssel-schlüssel"])
def test_a_key_that_no_header_can_hold_is_told_without_showing_it(
    value: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(eh.ServiceError, match="the key in OPENAI_API_KEY holds characters") as raised:
        list(OpenAI(model="m", base_url=server.url).answer([eh.Generate(prompt="a")]))
    assert traces(str(raised.value)) == []
    assert value not in str(raised.value)
    assert server.asked == []


def test_a_missing_key_is_told_when_a_server_asks_for_one(server: Server) -> None:
    server.script = lambda asked: failed(401, "no key")
    with pytest.raises(eh.ServiceError, match=r"environment variable OPENAI_API_KEY.*\(OPENAI_API_KEY is not set\)"):
        list(OpenAI(model="m", base_url=server.url).answer([eh.Generate(prompt="a")]))


def test_a_secret_shows_in_no_repr() -> None:
    assert KEY not in repr(Secret("NAME", KEY))
    assert Secret("NAME", KEY).hide_alike("via http://me:pass@proxy:1") == "via http://[key]@proxy:1"
