"""Choices and texts scored by a service: as the servers that give log-probabilities of a prompt write them, by one rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from evalharness_openai.likelihood import Continuation, Echo, continuation, ends
from evalharness_openai.model import OpenAI
from hypothesis import given
from hypothesis import strategies as st

import evalharness as eh
from tests.plugins.openai.serving import Asked, Reply, Server, chat, completion, failed

CASES = [
    ("The capital of France is", " ", ("Paris", "Rome", "Saint-Denis")),
    ("The capital of France is ", "", ("Paris", "rome")),  # the space belongs to the choice's token: merged
    ("Under Water", "", ("proof", "")),
    ("東京は日本の", "", ("首都", "🙂です")),
    ("A smile 🙂 is", " ", ("🙂", "naïve", "é\u0301")),
    ("Line one\n", "", ("\nline two", "  indented")),
]
TEXTS = ["one two three", "🙂 means 東京", "x y", " leading and trailing "]


class Scoring:
    """A tokenizer of real weights, and log-probabilities that any function of the tokens before would do for."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(eh.resolve_weights("smollm2-135m-instruct") / "tokenizer.json"))

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def logprobs(self, ids: list[int]) -> list[float]:
        return [-((7 * before + token) % 89 + 1) / 8 for before, token in zip([0, *ids], ids, strict=False)]

    def pieces(self, ids: list[int]) -> list[bytes]:
        """Return the bytes of each token, by what the alphabet of byte-level tokenizers stands for."""
        return [bytes(ALPHABET[char] for char in self.tokenizer.id_to_token(token)) for token in ids]

    def expected(self, context: str, whole: str) -> tuple[float, int, bool]:
        """Return by the rule of the design: all after the longest common prefix with the context's tokens, at least one."""
        before, ids = self.ids(context), self.ids(whole)
        common = next(
            (place for place, (a, b) in enumerate(zip(before, ids, strict=False)) if a != b), min(len(before), len(ids))
        )
        start = min(common, len(ids) - 1)
        return sum(self.logprobs(ids)[start:]), len(ids) - start, common < len(before)


def _alphabet() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for (GPT-2's table)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {**{chr(byte): byte for byte in shown}, **{chr(256 + place): byte for place, byte in enumerate(hidden)}}


ALPHABET = _alphabet()


@pytest.fixture(scope="module")
def scoring() -> Scoring:
    return Scoring()


def openai_tokens(pieces: list[bytes]) -> list[str]:
    """Return tokens as OpenAI writes them: `bytes:` where they are no whole characters."""
    written = []
    for piece in pieces:
        try:
            written.append(piece.decode())
        except UnicodeDecodeError:
            written.append("bytes:" + "".join(f"\\x{byte:02x}" for byte in piece))
    return written


def replaced_tokens(pieces: list[bytes]) -> list[str]:
    """Return tokens as each is decoded alone."""
    return [piece.decode("utf-8", "replace") for piece in pieces]


def by_echo(
    scoring: Scoring, written: Callable[[list[bytes]], list[str]], begin: str = "", usage: bool = True
) -> Callable[[Asked], Reply]:
    """Return a script of a server with `echo`; `begin` is a token that it puts before every text."""

    def script(asked: Asked) -> Reply:
        if not (asked.body.get("echo") and asked.body.get("logprobs") and asked.path == "/v1/completions"):
            return failed(400, "the wrong way to ask")
        ids = scoring.ids(asked.question)
        pieces, values = scoring.pieces(ids), scoring.logprobs(ids)
        tokens = [*([begin] if begin else []), *written(pieces), " next"]
        told: list[Any] = [*([None] if begin else []), *values, -9.0]
        if not begin:
            told[0] = None
        reply = completion(asked.question + " next", logprobs={"tokens": tokens, "token_logprobs": told})
        spent = {"prompt_tokens": len(ids), "completion_tokens": 1, "total_tokens": len(ids) + 1}
        return Reply({**reply.body, "usage": spent if usage else None})  # type: ignore[dict-item]

    return script


def by_details(scoring: Scoring) -> Callable[[Asked], Reply]:
    """Return a script of a TGI server, whose /completions gives no log-probabilities."""

    def script(asked: Asked) -> Reply:
        if asked.path == "/v1/completions":
            return failed(422, "unknown field `echo`", type="validation")
        assert asked.path == "/generate"
        assert asked.body["parameters"]["decoder_input_details"] is True
        ids = scoring.ids(asked.question)
        tokens, values = openai_tokens(scoring.pieces(ids)), scoring.logprobs(ids)
        prefill = [{"id": 1, "text": "<s>", "logprob": None}]
        prefill += [{"id": token, "text": text, "logprob": value} for token, text, value in zip(ids, tokens, values, strict=True)]
        return Reply({"generated_text": " next", "details": {"prefill": prefill, "tokens": [{"text": " next", "logprob": -9.0}]}})

    return script


@pytest.fixture(params=["openai", "vllm", "vllm with a first token", "without usage", "tgi"])
def scored(request: pytest.FixtureRequest, server: Server, scoring: Scoring) -> Iterator[Server]:
    scripts = {
        "openai": by_echo(scoring, openai_tokens),
        "vllm": by_echo(scoring, replaced_tokens),
        "vllm with a first token": by_echo(scoring, openai_tokens, begin="<s>"),
        "without usage": by_echo(scoring, openai_tokens, usage=False),
        "tgi": by_details(scoring),
    }
    server.script = scripts[request.param]
    return server


def model(server: Server, **options: Any) -> OpenAI:
    return OpenAI(**{"model": "m", "base_url": server.url, "retries": 0, "timeout": 5.0, "api": "completions", **options})


def ask(asked: OpenAI, request: eh.Request) -> eh.Response:
    ((_, response),) = asked.answer([request])
    assert response.error is None, response.error
    return response


def test_choices_are_scored_by_the_same_rule_everywhere(scored: Server, scoring: Scoring) -> None:
    for context, delimiter, choices in CASES:
        response = ask(model(scored), eh.Choose(prompt=context, choices=choices, delimiter=delimiter))
        expected = [scoring.expected(context, context + delimiter + choice) for choice in choices]
        assert response.logprobs == pytest.approx([total for total, _, _ in expected], abs=1e-12), context
        assert response.tokens == tuple(count for _, count, _ in expected)
        assert response.merged == sum(merged for _, _, merged in expected)


def test_every_token_of_a_text_is_scored_that_the_server_scores(scored: Server, scoring: Scoring) -> None:
    for text in TEXTS:
        response = ask(model(scored), eh.Likelihood(text=text))
        expected = scoring.logprobs(scoring.ids(text))
        assert response.logprobs is not None
        assert response.logprobs in (tuple(expected), tuple(expected[1:]))  # the first one only after a token before it


def test_tokens_are_counted_over_all_choices(server: Server, scoring: Scoring) -> None:
    server.script = by_echo(scoring, openai_tokens)
    response = ask(model(server), eh.Choose(prompt="one two", choices=("a", "b", "c")))
    assert response.input_tokens == 3 * 3
    assert response.output_tokens == 3


def test_how_to_ask_is_found_by_the_first_question(server: Server, scoring: Scoring) -> None:
    server.script = by_details(scoring)
    requests = [eh.Choose(prompt=f"{number} is", choices=("odd", "even")) for number in range(20)]
    assert all(response.error is None for _, response in model(server).answer(requests))
    assert [asked.path for asked in server.asked].count("/v1/completions") == 1
    assert len(server.asked) == 41


@pytest.mark.parametrize(
    "reply",
    [
        completion(" next"),  # knows no logprobs, as transformers serve
        completion(" next", logprobs={"tokens": [" next"], "token_logprobs": [-1.0], "text_offset": [0]}),  # ignores echo
        completion(" next", logprobs={"content": [{"token": " next", "logprob": -1.0}]}),  # llama.cpp
        failed(400, "Only no echo is supported"),  # llama.cpp of before
        failed(500, "logprobs is not supported for models created with logits_all=False"),  # llama-cpp-python
        Reply({"detail": "Not Found"}, 404),
    ],
)
def test_a_server_without_them_ends_the_run_with_what_to_use_instead(reply: Reply, server: Server) -> None:
    server.script = lambda asked: reply if asked.path == "/v1/completions" else Reply({"detail": "Not Found"}, 404)
    requests = [eh.Choose(prompt=f"{number} is", choices=("odd", "even")) for number in range(50)]
    with pytest.raises(eh.ServiceError, match=r"no log-probabilities of the prompt.*serve the model with vLLM.*`hf`"):
        list(model(server).answer(requests))
    assert len(server.asked) <= 2 * 4  # as many as are sent before the first answer


def test_a_busy_server_is_no_server_without_log_probabilities(server: Server, scoring: Scoring) -> None:
    good = by_echo(scoring, openai_tokens)
    server.script = lambda asked: good(asked) if asked.times else failed(503, "loading; no logprobs yet")
    assert ask(model(server, retries=3), eh.Likelihood(text="one two")).retries == 1


def test_choices_after_nothing_need_a_server_that_puts_a_token_first(server: Server, scoring: Scoring) -> None:
    request = eh.Choose(prompt="", choices=("one two",), delimiter="")
    server.script = by_echo(scoring, openai_tokens)
    for unscored in (request, eh.Likelihood(text="x")):
        ((_, response),) = model(server).answer([unscored])
        assert response.error is not None
        assert response.error.kind == "not supported"
    server.script = by_echo(scoring, openai_tokens, begin="<s>")
    assert ask(model(server), eh.Likelihood(text="x")).logprobs == tuple(scoring.logprobs(scoring.ids("x")))
    assert ask(model(server), request).logprobs == (sum(scoring.logprobs(scoring.ids("one two"))),)


def test_turns_cannot_be_scored_and_the_message_says_what_to_set(server: Server) -> None:
    request = eh.Choose(prompt=(eh.Message("user", "odd?"),), choices=("yes", "no"))
    with pytest.raises(eh.ServiceError, match="set `api: completions`"):
        list(model(server, api="chat").answer([request]))
    assert server.asked == []


def test_too_long_a_text_is_cut_off_and_no_other_way_is_tried(server: Server) -> None:
    server.script = lambda asked: failed(400, "maximum context length is 9 tokens", code="context_length_exceeded")
    ((_, response),) = model(server).answer([eh.Likelihood(text="long " * 20)])
    assert response.error is not None
    assert response.error.kind == "cut off"
    assert len(server.asked) == 1


def test_parameters_of_generated_texts_do_not_change_what_is_scored(server: Server, scoring: Scoring) -> None:
    server.script = by_echo(scoring, openai_tokens)
    parameters = eh.Arguments({"max_completion_tokens": 500, "temperature": None, "cache_salt": "x"})
    ask(model(server, parameters=parameters), eh.Likelihood(text="one two"))
    body = server.asked[0].body
    assert (body["max_tokens"], body["temperature"], body["cache_salt"]) == (1, 0.0, "x")
    assert "max_completion_tokens" not in body


def test_tokens_that_do_not_spell_the_prompt_are_no_answer(server: Server) -> None:
    told = {"tokens": ["else", "where", " next"], "token_logprobs": [None, -1.0, -1.0], "text_offset": [0, 4, 9]}
    server.script = lambda asked: completion("elsewhere next", logprobs=told)
    ((_, response),) = model(server).answer([eh.Likelihood(text="one two")])
    assert response.error is not None
    assert "do not spell the prompt" in response.error.message


def test_a_space_that_a_server_drops_belongs_to_the_token_after_it() -> None:
    echo = Echo(("The", "city", "is", "Paris", "."), (None, -1.0, -2.0, -4.0, -8.0), 1, {})
    assert ends(echo, "The city is Paris", 0) == [3, 8, 11, 17]
    assert continuation(echo, "The city is Paris", len("The city is")) == Continuation((-4.0,), False)


@given(st.lists(st.text("ab 🙂é", min_size=1, max_size=3), min_size=1, max_size=6), st.data())
def test_ends_are_those_of_the_pieces_whatever_stands_before(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    boundary = data.draw(st.integers(0, len(text.encode()) - 1))
    starts = data.draw(st.lists(st.sampled_from(["<s>", "<|begin|>"]), max_size=2))
    tokens = [*starts, *pieces, "zzz"]
    found = ends(Echo(tokens, [-1.0] * len(tokens), 1, {}), text, boundary)
    expected = [len("".join(pieces[: count + 1]).encode()) for count in range(len(pieces))]
    assert found is not None
    assert [end for end in found[len(starts) :] if end > boundary] == [end for end in expected if end > boundary]


def test_chat_answers_are_no_scores(server: Server) -> None:
    server.script = lambda asked: chat("yes")
    with pytest.raises(eh.ServiceError, match="no log-probabilities of the prompt"):
        list(model(server).answer([eh.Likelihood(text="one two")]))


def test_multiple_choice_and_likelihood_tasks_run_against_a_server(
    server: Server, scoring: Scoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(tmp_path / "cache"))
    server.script = by_echo(scoring, openai_tokens)
    rows = [
        {"id": f"q{number}", "input": f"{number} is", "choices": ["odd", "even"], "target": 1 - number % 2} for number in range(6)
    ]
    Path("data.jsonl").write_text("".join(eh.canonical(row) + "\n" for row in rows), "utf-8")
    system = f'system: {{name: served, model: {{openai: {{model: m, base_url: "{server.url}", api: completions}}}}}}\n'
    head = "dataset: {path: data.jsonl}\n" + system
    Path("choices.yaml").write_text(f"name: choices\noutput_type: multiple_choice\nmetrics: [choice_accuracy]\n{head}", "utf-8")
    Path("texts.yaml").write_text(
        f"name: texts\noutput_type: likelihood\nmetrics: [{{perplexity: {{of: text, level: token}}}}]\n{head}", "utf-8"
    )
    chosen = []
    for row in rows:
        totals = [scoring.expected(str(row["input"]), f"{row['input']} {choice}")[0] for choice in ("odd", "even")]
        chosen.append(totals.index(max(totals)) == row["target"])
    assert eh.run("choices.yaml", out="a").scores["choice_accuracy"].value == pytest.approx(sum(chosen) / 6)
    values = [value for row in rows for value in scoring.logprobs(scoring.ids(str(row["input"])))[1:]]
    assert eh.run("texts.yaml", out="b").scores["perplexity"].value == pytest.approx(math.exp(-sum(values) / len(values)))
