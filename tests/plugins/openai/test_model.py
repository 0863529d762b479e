"""The model's options, identity, and where it may connect."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from evalharness_openai.model import OpenAI

import evalharness as eh
from evalharness.testing import check_model
from tests.plugins.openai.serving import Asked, Reply, Server, completion

URL = "http://localhost:8000/v1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": ""}, "'model' is empty"),
        ({"base_url": "localhost:8000/v1"}, "must begin with http"),
        ({"base_url": "http://host:port/v1"}, "no URL"),
        ({"base_url": "https://user:hunter2@host/v1"}, "no user, password or query"),
        ({"base_url": "https://host/v1?key=hunter2"}, "no user, password or query"),
        ({"key": "sk-hunter2"}, "the name of an environment variable"),
        ({"parameters": eh.Arguments({"stream": True})}, "'stream' is set by evalharness"),
        ({"parameters": eh.Arguments({"api_key": "hunter2"})}, "taken from the environment"),
        ({"parameters": eh.Arguments({"temperature": 0.5})}, "stands under 'generate'"),
        ({"retries": -1}, "'retries' must be at least 0"),
        ({"timeout": 0.0}, "'timeout' must be above 0"),
    ],
)
def test_options_that_cannot_be_are_refused_without_showing_a_secret(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        OpenAI(**{"model": "m", "base_url": URL, **options})
    assert "hunter2" not in str(raised.value)


def test_identity_is_of_all_that_can_change_an_answer_and_of_nothing_else() -> None:
    plain = OpenAI(model="m", base_url=URL).identity()
    same = [
        {"key": "OTHER_KEY"},
        {"concurrency": 1},
        {"timeout": 1.0},
        {"retries": 0},
        {"patience": 1.0},
        {"base_url": f"{URL}/"},
    ]
    other: list[dict[str, Any]] = [
        {"model": "n"}, {"base_url": "http://localhost:8001/v1"}, {"api": "completions"}, {"logprobs": True},
        {"parameters": eh.Arguments({"top_k": 1})},
    ]  # fmt: skip
    assert {OpenAI(**{"model": "m", "base_url": URL, **options}).identity() for options in same} == {plain}
    assert len({plain, *(OpenAI(**{"model": "m", "base_url": URL, **options}).identity() for options in other)}) == 6


@pytest.mark.parametrize(
    ("parameters", "most"),
    [({}, 20), ({"top_k": 1}, 20), ({"max_completion_tokens": 500}, 1_000), ({"max_tokens": None}, 2_000_000)],
)
def test_what_may_be_written_at_most_is_what_is_sent(parameters: dict[str, Any], most: int) -> None:
    requests = [eh.Generate(prompt="a", max_tokens=10), eh.Generate(prompt="b", max_tokens=10), eh.Embed(text="c")]
    model = OpenAI(model="m", base_url=URL, parameters=eh.Arguments(parameters))
    assert model.forecast(requests).most_output_tokens == most


def test_a_model_is_sold_under_its_name_and_says_how_it_asks() -> None:
    assert OpenAI(model="gpt").sold_as == "gpt"
    assert OpenAI(model="m").chat
    assert OpenAI(model="m").conventions() != OpenAI(model="m", api="completions").conventions()
    assert not OpenAI(model="m", api="completions").chat


def test_offline_forbids_other_hosts_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    far = OpenAI(model="m", base_url="https://service.invalid/v1")
    with pytest.raises(eh.ServiceError, match=r"`--offline` is set, and the host is not this machine: service\.invalid"):
        list(far.answer([eh.Embed(text="x")]))


def test_offline_allows_a_server_on_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALHARNESS_OFFLINE", "1")
    ((_, response),) = OpenAI(model="m", base_url=server.url).answer([eh.Generate(prompt=(eh.Message("user", "Hi"),))])
    assert response.text == "answer to Hi"


def test_without_aiohttp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(eh.ServiceError, match=r"pip install 'evalharness\[openai\]'"):
        list(OpenAI(model="m", base_url=URL).answer([eh.Embed(text="x")]))


def test_a_proxy_of_the_environment_is_for_other_hosts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalharness_openai.connection import proxy_for

    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy_for("https://api.example/v1") == "http://proxy.example:3128"
    assert proxy_for("https://inside.example/v1") is None
    assert proxy_for("http://127.0.0.1:8000/v1") is None


def test_the_conformance_kit_passes(server: Server) -> None:
    def script(asked: Asked) -> Reply:
        if asked.path.endswith("embeddings"):
            return Reply({"data": [{"embedding": [float(len(asked.question)), 1.0]}], "usage": {}})
        if not asked.body.get("echo"):
            return completion("fine")
        tokens = [*asked.question, "!"]
        return completion(
            asked.question + "!", logprobs={"tokens": tokens, "token_logprobs": [None, *[-1.0] * (len(tokens) - 1)]}
        )

    server.script = script
    check_model(OpenAI(model="m", base_url=server.url, api="completions"))
