"""Texts from a service: what is sent, and what is made of what comes back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from evalharness_openai.model import OpenAI

import evalharness as eh
from tests.plugins.openai.serving import Asked, Reply, Server, chat, completion, failed

SCHEMA = '{"type":"object"}'


def model(server: Server, **options: Any) -> OpenAI:
    return OpenAI(**{"model": "m", "base_url": server.url, "retries": 0, "timeout": 5.0, **options})


def ask(asked: OpenAI, request: eh.Request) -> eh.Response:
    ((_, response),) = asked.answer([request])
    assert response.error is None, response.error
    return response


def turns(text: str, *images: str) -> tuple[eh.Message, ...]:
    return (eh.Message("user", text, images),)


def test_a_chat_gets_turns_and_gives_text_tokens_and_time(server: Server) -> None:
    asked = (
        eh.Message("system", "Be brief."),
        eh.Message("user", "Hi"),
        eh.Message("assistant", "Hello"),
        eh.Message("user", "Who?"),
    )
    response = ask(model(server), eh.Generate(prompt=asked, max_tokens=7))
    (sent,) = server.asked
    assert sent.path == "/v1/chat/completions"
    messages = [{"role": turn.role, "content": turn.content} for turn in asked]
    assert sent.body == {"model": "m", "messages": messages, "max_tokens": 7, "temperature": 0.0}
    assert (response.text, response.finish) == ("answer to Who?", "stop")
    assert (response.input_tokens, response.output_tokens) == (5, 2)
    assert response.latency is not None and response.latency > 0  # noqa: PT018
    assert "Authorization" not in sent.headers


def test_plain_text_goes_to_completions(server: Server) -> None:
    server.script = lambda asked: completion(" Paris", "length")
    response = ask(
        model(server, api="completions"), eh.Generate(prompt="The capital is", stop=("\n",), temperature=0.5, top_p=0.9)
    )
    (sent,) = server.asked
    assert sent.path == "/v1/completions"
    expected = {"max_tokens": 256, "temperature": 0.5, "top_p": 0.9, "stop": ["\n"], "seed": 0}
    assert sent.body == {"model": "m", "prompt": "The capital is", **expected}
    assert (response.text, response.finish) == (" Paris", "length")


def test_repeats_are_drawn_with_seeds_of_their_own_and_greedy_ones_with_none(server: Server) -> None:
    for repeat in range(3):
        ask(model(server), eh.Generate(prompt=turns("x"), temperature=1.0, seed=10, repeat=repeat))
    ask(model(server), eh.Generate(prompt=turns("x"), seed=10))
    assert [sent.body.get("seed") for sent in server.asked] == [10, 11, 12, None]


def test_answers_are_cut_at_every_stop_string_whatever_the_server_does(server: Server) -> None:
    stops = ("one", "two", "three", "four", "END")
    server.script = lambda asked: chat("text END more", "length")
    response = ask(model(server), eh.Generate(prompt=turns("x"), stop=stops))
    assert server.asked[0].body["stop"] == list(stops[:4])
    assert (response.text, response.finish) == ("text ", "stop")


def test_a_schema_and_further_parameters_go_along_and_null_leaves_a_field_out(server: Server) -> None:
    parameters = eh.Arguments({"reasoning_effort": "low", "temperature": None})
    ask(model(server, parameters=parameters), eh.Generate(prompt=turns("x"), json_schema=SCHEMA))
    body = server.asked[0].body
    schema = {"name": "answer", "strict": True, "schema": json.loads(SCHEMA)}
    assert body["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert body["reasoning_effort"] == "low"
    assert "temperature" not in body


def test_images_stand_before_the_text_of_their_turn(server: Server) -> None:
    ask(model(server), eh.Generate(prompt=turns("what?", "https://example.org/a.png", "data:image/png;base64,AA==")))
    (message,) = server.asked[0].body["messages"]
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "text", "text": "what?"},
    ]
    assert model(server).heeds == {"images", "json_schema"}
    assert model(server, api="completions").heeds == {"json_schema"}


def test_a_server_that_wants_the_newer_name_for_max_tokens_is_asked_so_from_then_on(server: Server) -> None:
    refusal = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    server.script = lambda asked: (
        failed(400, refusal, code="unsupported_parameter", param="max_tokens") if "max_tokens" in asked.body else chat("x")
    )
    requests = [eh.Generate(prompt=turns(text), max_tokens=9) for text in "abcd"]
    answers = list(model(server, concurrency=1).answer(requests))
    assert all(response.text == "x" and response.retries == 0 for _, response in answers)
    assert ["max_tokens" in sent.body for sent in server.asked] == [True, False, False, False, False]
    assert all(sent.body["max_completion_tokens"] == 9 for sent in server.asked[1:])


def test_parameters_can_name_the_newer_field_at_once(server: Server) -> None:
    ask(model(server, parameters=eh.Arguments({"max_completion_tokens": 900})), eh.Generate(prompt=turns("x")))
    assert "max_tokens" not in server.asked[0].body


@pytest.mark.parametrize(
    ("reply", "text", "finish", "kind"),
    [
        (chat(None, "length"), "", "length", "empty"),  # all of it went into thinking
        (chat(None, "tool_calls"), "", "stop", "empty"),
        (chat("", "stop"), "", "stop", "empty"),
        (chat("x", "eos_token"), "x", "stop", None),
        (chat("x", "length"), "x", "length", None),
        (
            Reply({"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]}),
            "I cannot.",
            "stop",
            None,
        ),
        (
            Reply({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]}),
            "ab",
            "stop",
            None,
        ),
    ],
)
def test_what_an_ending_means(reply: Reply, text: str, finish: str, kind: str | None, server: Server) -> None:
    server.script = lambda asked: reply
    response = ask(model(server), eh.Generate(prompt=turns("x")))
    assert (response.text, response.finish) == (text, finish)
    assert (response.failure and response.failure.kind) == kind


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 40}}, (10, 50, None)),
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 55}, (10, 45, None)),  # thinking told apart
        ({"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}}, (10, 5, 2)),
        ({"prompt_tokens": None}, (0, 0, None)),
        (None, (0, 0, None)),
    ],
)
def test_tokens_are_counted_as_the_service_counts_them(usage: Any, expected: tuple[Any, ...], server: Server) -> None:
    server.script = lambda asked: Reply({**chat("x").body, "usage": usage})  # type: ignore[dict-item]
    response = ask(model(server), eh.Generate(prompt=turns("x")))
    assert (response.input_tokens, response.output_tokens, response.run_tokens) == expected


def test_log_probabilities_of_a_chat_are_those_of_the_tokens_that_are_kept(server: Server) -> None:
    pieces = [{"token": "Par", "logprob": -0.5}, {"token": "is.", "logprob": -0.25}, {"token": " More", "logprob": -1}]
    server.script = lambda asked: Reply({"choices": [{"message": {"content": "Paris. More"}, "logprobs": {"content": pieces}}]})
    response = ask(model(server, logprobs=True), eh.Generate(prompt=turns("x"), stop=(".",)))
    assert server.asked[0].body["logprobs"] is True
    assert response.text == "Paris"
    assert response.logprobs == (-0.5, -0.25)
    ((_, empty),) = model(server, logprobs=True).answer([eh.Generate(prompt=turns("x"), stop=("P",))])
    assert (empty.text, empty.logprobs) == ("", ())


def test_log_probabilities_of_plain_text(server: Server) -> None:
    server.script = lambda asked: completion(" Paris", logprobs={"tokens": [" Paris"], "token_logprobs": [math.log(0.5)]})
    response = ask(model(server, api="completions", logprobs=True), eh.Generate(prompt="x"))
    assert server.asked[0].body["logprobs"] == 1
    assert response.logprobs == (math.log(0.5),)


def test_a_server_that_tells_no_log_probabilities_gives_none(server: Server) -> None:
    assert ask(model(server, logprobs=True), eh.Generate(prompt=turns("x"))).logprobs is None


def test_a_text_is_embedded(server: Server) -> None:
    server.script = lambda asked: Reply(
        {"data": [{"embedding": [0.5, -1, 2.0]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    )
    response = ask(model(server), eh.Embed(text="a text"))
    assert server.asked[0].body == {"model": "m", "input": "a text", "encoding_format": "float"}
    assert response.embedding == (0.5, -1.0, 2.0)
    assert (response.input_tokens, response.output_tokens) == (3, 0)


def test_as_many_are_open_as_are_allowed_and_no_more(server: Server) -> None:
    def slow(asked: Asked) -> Reply:
        return Reply(chat(asked.question).body, pause=0.02)

    server.script = slow
    requests = [eh.Generate(prompt=turns(str(number))) for number in range(60)]
    answers = {eh.text_of(request.prompt): response.text for request, response in model(server, concurrency=8).answer(requests)}  # type: ignore[attr-defined]
    assert answers == {f"user: {number}": str(number) for number in range(60)}
    assert 4 < server.most_open <= 8
    assert len(server.asked) == 60


def test_text_in_many_scripts_and_a_lone_surrogate_get_there(server: Server) -> None:
    text = "東京 é 🙂 \ud800"
    ask(model(server), eh.Generate(prompt=turns(text)))
    assert server.questions == [text]


def test_images_and_a_schema_of_a_task_get_to_the_server(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    Path("dot.png").write_bytes(b"\x89PNG")
    Path("data.jsonl").write_text(
        '{"id": "a", "input": "what?", "images": ["dot.png"], "references": ["answer to what?"]}\n', "utf-8"
    )
    Path("task.yaml").write_text(
        "name: seen\ndataset: {path: data.jsonl}\nmetrics: [exact_match]\nsystem:\n  name: served\n"
        f'  model: {{openai: {{model: m, base_url: "{server.url}"}}}}\n  generate: {{json_schema: {SCHEMA}}}\n',
        "utf-8",
    )
    record = eh.run("task.yaml", out="out")
    assert (record.errors, record.scores["exact_match"].value) == (0, 1.0)
    (sent,) = server.asked
    assert sent.body["messages"][0]["content"][0] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}}
    assert sent.body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    refused = eh.run("task.yaml", model="echo", out="other")
    assert refused.errors == 1  # it takes no images, so it is not asked
