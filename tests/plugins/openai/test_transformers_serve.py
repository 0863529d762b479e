"""The model `openai` against a real server: `transformers serve` with real weights, on this machine, killed and started again.

A start takes many seconds, and tests of one module may be run by several processes: so all checks are of one test, and that
which kills the server stands last.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from evalharness_openai.model import OpenAI

import evalharness as eh

SECONDS_TO_START = 120
PROMPTS = ("The capital of France is", "one, two, three, four,")
QUESTIONS = ("What is the capital of France?",)


@dataclass
class Served:
    """A server process; `log` is what it writes."""

    weights: str
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """Start the process, without waiting for it to answer."""
        program = [str(Path(sys.executable).with_name("transformers")), "serve", self.weights, "--device", "cpu"]
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*program, *where], stdout=log, stderr=log, env=dict(os.environ, OMP_NUM_THREADS="1"))

    def wait(self) -> None:
        """Wait until it answers."""
        limit = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < limit:
            assert self.process is not None
            assert self.process.poll() is None, self.log.read_text("utf-8")
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5):
                return
            time.sleep(0.2)
        raise TimeoutError(self.log.read_text("utf-8"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Served(str(eh.resolve_weights("smollm2-135m-instruct")), port, tmp_path / "log")
    made.start()
    try:
        made.wait()
        yield made
    finally:
        made.kill()


def model(served: Served, **options: Any) -> OpenAI:
    return OpenAI(**{"model": served.weights, "base_url": served.url, **options})


def generate(prompt: Any, **options: Any) -> eh.Generate:
    turns = prompt if isinstance(prompt, str) else (eh.Message("user", prompt[0]),)
    return eh.Generate(prompt=turns, **{"max_tokens": 8, **options})


def answers(asked: eh.Model, requests: list[eh.Generate]) -> list[eh.Response]:
    by_request = {id(request): response for request, response in asked.answer(requests)}
    return [by_request[id(request)] for request in requests]


def greedy_text_is_that_of_the_same_weights_in_this_process(served: Served, causal_model: eh.Model) -> None:
    plain = [generate(prompt) for prompt in PROMPTS]
    # Not 8 tokens, at which the first answer has ended by itself: the server counts the end as a token, and says `length`.
    turns = [generate([question], max_tokens=9) for question in QUESTIONS]
    ours = answers(causal_model, [*plain, *turns])
    theirs = [*answers(model(served, api="completions"), plain), *answers(model(served), turns)]
    assert [response.text for response in theirs] == [response.text for response in ours]
    assert [response.finish for response in theirs] == [response.finish for response in ours]
    assert [response.input_tokens for response in theirs] == [response.input_tokens for response in ours]
    assert all(0 < response.output_tokens <= 9 for response in theirs)


def a_stop_string_ends_the_answer_before_it(served: Served, api: str) -> None:
    prompt: Any = "The days of the week are Monday," if api == "completions" else ["List the days of the week."]
    ((_, whole),) = model(served, api=api).answer([generate(prompt, max_tokens=6)])
    assert whole.text is not None
    stop = whole.text.strip()[4:6]  # in the middle of a token: the server's own stop leaves it in
    ((_, cut),) = model(served, api=api).answer([generate(prompt, max_tokens=6, stop=("never", stop))])
    assert (cut.text, cut.finish) == (whole.text[: whole.text.index(stop)], "stop")


def many_at_once_are_answered_as_one_by_one(served: Served) -> None:
    requests = [generate(f"{number} plus one is", max_tokens=2) for number in range(3)]
    together = answers(model(served, api="completions", concurrency=3), requests)
    alone = answers(model(served, api="completions", concurrency=1), requests)
    assert [response.text for response in together] == [response.text for response in alone]


def a_server_without_log_probabilities_of_the_prompt_is_told_at_once(served: Served) -> None:
    requests = [eh.Choose(prompt=prompt, choices=("Paris", "Rome")) for prompt in PROMPTS]
    with pytest.raises(eh.ServiceError, match=r"no log-probabilities of the prompt.*vLLM"):
        list(model(served, api="completions").answer(requests))


def a_wrong_model_name_is_told(served: Served) -> None:
    with pytest.raises(eh.ServiceError, match="mend `model`, 'nobody'"):
        list(model(served, model="nobody").answer([generate(["Hi"])]))


def a_server_killed_in_mid_run_and_started_again_loses_nothing(
    served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EVALHARNESS_CACHE", str(folder / "cache"))
    rows = [{"id": f"s{number:02}", "input": f"{number} plus one is", "references": [str(number + 1)]} for number in range(6)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    options = f'model: "{served.weights}", base_url: "{served.url}", api: completions, concurrency: 2, patience: 100, timeout: 30'
    Path("task.yaml").write_text(
        "name: sums\ndataset: {path: data.jsonl}\nmetrics: [exact_match]\n"
        f"system: {{name: served, model: {{openai: {{{options}}}}}, generate: {{max_tokens: 1}}}}\n",
        "utf-8",
    )
    killed = []

    def watch(work: Any) -> None:
        if work.done == 2 and not killed:
            killed.append(served.process)
            served.kill()
            served.start()

    record = eh.run("task.yaml", out="first", watch=watch)
    assert len(killed) == 1
    assert (record.errors, record.usage["requests"]) == (0, 6)
    assert record.usage["retries"] >= 1
    again = eh.run("task.yaml", out="second")
    assert (again.usage["requests"], again.usage["from_store"]) == (0, 6)
    assert again.scores["exact_match"].value == record.scores["exact_match"].value


def test_a_real_server_is_asked_killed_and_asked_again(
    served: Served, causal_model: eh.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy_text_is_that_of_the_same_weights_in_this_process(served, causal_model)
    a_stop_string_ends_the_answer_before_it(served, "chat")
    a_stop_string_ends_the_answer_before_it(served, "completions")
    many_at_once_are_answered_as_one_by_one(served)
    a_server_without_log_probabilities_of_the_prompt_is_told_at_once(served)
    a_wrong_model_name_is_told(served)
    a_server_killed_in_mid_run_and_started_again_loses_nothing(served, tmp_path, monkeypatch)
