"""Questions with four choices, scored by the model `hf` and by lm-evaluation-harness 0.4.13 on the same weights, SmolLM2-135M.

    python -m benchmarks.choices                                  # 200 questions a case; the other side takes most of an hour
    python -m benchmarks.choices --questions 20 --threads 1       # a short run
    python -m benchmarks.choices --case few-shot

Three cases: five solved examples before each question, the same ones; no examples; five questions on each passage of about
600 tokens. Both sides are given the same prompts and choices in one process, weights loaded and one question answered before,
tokenisation included. The other side runs batches of 8, with which it took 0.7 of the time that it took with batches of 1.

Measured on two quiet cores, 200 questions: few-shot 39.8 times as fast (15.9 s against 632.7 s), zero-shot 4.3 times (12.4 s
against 53.8 s); passages, 25 questions, 6.9 times (17.7 s against 121.7 s, 8.8 in processor time). On one core beside other
work, 20 questions a case, in processor time: 29.9, 4.1 and 13.6 times.

Fails where a log-likelihood differs by more than 1e-4, where another choice is the likeliest, or where a case is not as many
times faster as is claimed of it.
"""

from __future__ import annotations

import random
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

import evalharness as eh

WEIGHTS = "smollm2-135m-instruct"
CLAIMS = {"few-shot": 12.0, "zero-shot": 2.0, "passages": 6.0}
TOLERANCE = 1e-4
PEER_BATCH = 8

PLACES = (
    "harbour",
    "mill",
    "observatory",
    "market hall",
    "lighthouse",
    "quarry",
    "orchard",
    "ferry dock",
    "town library",
    "old bridge",
)
PEOPLE = ("a cartographer", "the night porter", "two botanists", "the mayor's sister", "an apprentice baker", "a retired pilot")
THINGS = (
    "a brass compass",
    "seven letters",
    "a cracked bell",
    "the tide tables",
    "a crate of oranges",
    "the spare key",
    "an unsigned map",
)
DEEDS = ("hid", "sold", "repaired", "painted", "photographed", "returned", "lost", "weighed", "carried off", "described")
TIMES = (
    "before dawn",
    "on the first day of the thaw",
    "during the regatta",
    "after the second storm",
    "in the year of the comet",
)
REASONS = (
    "because the road was closed",
    "to settle an old debt",
    "although nobody had asked",
    "while the others were asleep",
    "for a wager",
)


@dataclass(frozen=True)
class Question:
    """A prompt and the choices that may follow it."""

    prompt: str
    choices: tuple[str, ...]


def sentence(draw: random.Random) -> str:
    """Return one made-up event."""
    who, what, deed = draw.choice(PEOPLE), draw.choice(THINGS), draw.choice(DEEDS)
    text = f"{draw.choice(TIMES)}, {who} {deed} {what} near the {draw.choice(PLACES)} {draw.choice(REASONS)}."
    return text[0].upper() + text[1:]


def asked(draw: random.Random) -> tuple[str, tuple[str, ...]]:
    """Return a question about an event and four choices of two to eight tokens."""
    match draw.randrange(3):
        case 0:
            return f"{sentence(draw)} Where did this happen?", tuple(f"near the {place}" for place in draw.sample(PLACES, 4))
        case 1:
            return f"{sentence(draw)} What was it about?", tuple(draw.sample(THINGS, 4))
        case _:
            return f"{sentence(draw)} Why was that?", tuple(draw.sample(REASONS, 4))


def shown(question: str, answer: str = "") -> str:
    """Return a question as it stands in a prompt, with its answer where it is an example."""
    return f"Question: {question}\nAnswer:" + (f" {answer}" if answer else "")


def few_shot(count: int, draw: random.Random) -> list[Question]:
    """Return questions after the same five examples of about a hundred tokens."""
    shots = []
    for _ in range(5):
        question, choices = asked(draw)
        shots.append(shown(" ".join([*(sentence(draw) for _ in range(2)), question]), draw.choice(choices)))
    found = []
    for _ in range(count):
        question, choices = asked(draw)
        found.append(Question("\n\n".join([*shots, shown(question)]), choices))
    return found


def zero_shot(count: int, draw: random.Random) -> list[Question]:
    """Return questions by themselves."""
    return [Question(shown(question), choices) for question, choices in (asked(draw) for _ in range(count))]


def passages(count: int, draw: random.Random) -> list[Question]:
    """Return questions of which five each follow the same passage."""
    found: list[Question] = []
    while len(found) < count:
        passage = " ".join(sentence(draw) for _ in range(26))
        for _ in range(min(5, count - len(found))):
            question, choices = asked(draw)
            found.append(Question(f"Passage: {passage}\n\n{shown(question)}", choices))
    return found


CASES: dict[str, Callable[[int, random.Random], list[Question]]] = {
    "few-shot": few_shot, "zero-shot": zero_shot, "passages": passages,
}  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """The log-likelihoods of each question's choices, and the seconds that they took: by the clock, and of processors."""

    logprobs: list[tuple[float, ...]]
    seconds: float
    processor: float


def timed(answer: Callable[[Sequence[Question]], list[tuple[float, ...]]], questions: Sequence[Question]) -> Timed:
    """Answer one question to warm up, then all of them."""
    answer([Question("Question: Is it warm?\nAnswer:", ("yes", "no, not at all"))])
    seconds, processor = time.perf_counter(), time.process_time()
    logprobs = answer(questions)
    return Timed(logprobs, time.perf_counter() - seconds, time.process_time() - processor)


def ours(model: eh.Model, questions: Sequence[Question]) -> list[tuple[float, ...]]:
    """Score the choices as a run does, chunk after chunk of the plan."""
    requests = [eh.Choose(prompt=question.prompt, choices=question.choices) for question in questions]
    found = {id(request): response for chunk in model.plan(requests) for request, response in model.answer(chunk)}
    return [found[id(request)].logprobs or () for request in requests]


def peers(model: Any, questions: Sequence[Question]) -> list[tuple[float, ...]]:
    """Score the choices with lm-evaluation-harness."""
    from lm_eval.api.instance import Instance

    asked = [
        Instance(request_type="loglikelihood", doc={}, arguments=(question.prompt, f" {choice}"), idx=0)
        for question in questions
        for choice in question.choices
    ]
    found = iter(model.loglikelihood(asked, disable_tqdm=True))
    return [tuple(next(found)[0] for _ in question.choices) for question in questions]


def peer_model() -> Any:
    """Return the other side's model, with the same weights in float32."""
    from lm_eval.models.huggingface import HFLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return HFLM(pretrained=str(eh.resolve_weights(WEIGHTS)), device="cpu", dtype="float32", batch_size=PEER_BATCH)


def compare(case: str, first: Timed, second: Timed) -> bool:
    """Print what the two sides took and where they differ; return whether the claim holds."""
    pairs = list(zip(first.logprobs, second.logprobs, strict=True))
    apart = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    flipped = sum(one.index(max(one)) != other.index(max(other)) for one, other in pairs)
    ratio = second.seconds / first.seconds
    click.echo(
        f"{case}, {len(pairs)} questions: {first.seconds:.1f} s, lm-eval {second.seconds:.1f} s, {ratio:.1f} times "
        f"({second.processor / first.processor:.1f} times in processor time; at least {CLAIMS[case]:g} claimed); "
        f"log-likelihoods at most {apart:.1e} apart, {flipped} choices flipped"
    )
    return apart <= TOLERANCE and not flipped and ratio >= CLAIMS[case]


@click.command(help=__doc__)
@click.option("--questions", default=200, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--case", "cases", type=click.Choice(list(CASES)), multiple=True, default=list(CASES))
def main(questions: int, threads: int, cases: Sequence[str]) -> None:
    import torch

    torch.set_num_threads(threads)
    model, peer = eh.load_model("hf", weights=WEIGHTS, template="none"), peer_model()
    held = []
    for case in cases:
        asked_here = CASES[case](questions, random.Random(11))
        first = timed(lambda some: ours(model, some), asked_here)
        held.append(compare(case, first, timed(lambda some: peers(peer, some), asked_here)))
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
