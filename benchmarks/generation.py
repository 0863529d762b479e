"""Generation of up to 64 tokens after five shots, beside lm-evaluation-harness: the same model, prompts and stop strings.

    python -m benchmarks.generation [--questions 100] [--batch 16 --batch 32 ...]

Questions of the task rag_qa are answered in whole sentences, as the five before them are: 730 tokens a prompt, 700 of them the
shots, and 64 tokens a text, or fewer where it stops. The peer's time is that of its best batch size. Both have read the model
before, and run in one process, in turn. A text that differs must differ first at a near-tie: two tokens whose logits are
less than 1e-3 apart.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import evalharness as eh

WEIGHTS = "smollm2-135m-instruct"
DATA = Path(__file__).parent.parent / "tasks" / "data" / "rag_qa"
STOP, MOST, SHOTS = ("\n\n", "Question:"), 64, 5
NEAR_TIE, RATIO = 1e-3, 1.5


def prompts(count: int) -> list[str]:
    """Return so many questions after five that are answered with the passage that holds the answer."""
    passages = {each["id"]: each["text"] for each in _lines(DATA / "corpus.jsonl")}
    asked = [each for each in _lines(DATA / "questions.jsonl") if each["gold"]]
    shots = "".join(
        f"Question: {each['question']}\nAnswer: {passages[next(iter(each['gold']))]}\n\n" for each in asked[:SHOTS]
    )  # fmt: skip
    return [f"{shots}Question: {each['question']}\nAnswer:" for each in asked[SHOTS : SHOTS + count]]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def ours(texts: list[str]) -> list[str]:
    """Return what model `hf` answers."""
    model = eh.load_model("hf", weights=WEIGHTS, template="none")
    requests = [eh.Generate(prompt=text, max_tokens=MOST, stop=STOP) for text in texts]
    answers = dict(model.answer(requests))
    click.echo(f"tokens of prompts: {sum(each.input_tokens for each in answers.values())}, ", nl=False)
    click.echo(f"of which ran: {sum(each.run_tokens or 0 for each in answers.values())}; ", nl=False)
    click.echo(f"generated: {sum(each.output_tokens for each in answers.values())}")
    return [answers[request].text or "" for request in requests]


def peer(batch: int) -> Callable[[list[str]], list[str]]:
    """Return what asks the peer in batches of that size; its model is read before."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model = HFLM(pretrained=str(eh.resolve_weights(WEIGHTS)), device="cpu", dtype="float32", batch_size=batch, max_length=8192)
    options = {"until": list(STOP), "max_gen_toks": MOST, "do_sample": False, "temperature": 0.0}

    def answered(texts: list[str]) -> list[str]:
        asked = [Instance("generate_until", {}, (text, dict(options)), number) for number, text in enumerate(texts)]
        found: list[str] = model.generate_until(asked, disable_tqdm=True)
        return found

    return answered


def near_tie(prompt: str, one: str, other: str) -> bool:
    """Whether two texts differ first where the two likeliest tokens are as likely but for rounding."""
    import torch
    from evalharness_hf.network import language_model
    from evalharness_hf.tokens import tokens

    reader = tokens(WEIGHTS)
    first, second = reader.encode(one), reader.encode(other)
    common = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    ids = torch.tensor([reader.encode(prompt, special=True) + first[:common]])
    with torch.inference_mode():
        best = language_model(WEIGHTS, None, "float32", "auto")(input_ids=ids, logits_to_keep=1).logits[0, -1].topk(2).values
    return float(best[0] - best[1]) < NEAR_TIE


def timed(what: str, ask: Callable[[list[str]], list[str]], texts: list[str]) -> tuple[float, list[str]]:
    """Return the processor seconds that it took to answer, and the answers; print them with the clock's."""
    clock, processor = time.perf_counter(), time.process_time()
    found = ask(texts)
    took = time.process_time() - processor
    click.echo(f"{what}: {time.perf_counter() - clock:.1f} s, {took:.1f} s of the processor")
    return took, found


@click.command(help=__doc__)
@click.option("--questions", default=100, show_default=True)
@click.option("--batch", "batches", multiple=True, type=int, default=(16, 32), show_default=True, help="of the peer")
def main(questions: int, batches: tuple[int, ...]) -> None:
    texts = prompts(questions)
    ours(["Once"])
    took, found = timed("evalharness", ours, texts)
    runs = [timed(f"lm-evaluation-harness, batches of {size}", peer(size), texts) for size in batches]
    best = min(runs, key=lambda run: run[0])
    different = [number for number, (one, other) in enumerate(zip(found, best[1], strict=True)) if one != other]
    wrong = [number for number in different if not near_tie(texts[number], found[number], best[1][number])]
    for number in wrong:
        click.echo(f"question {number}: {found[number]!r} is not {best[1][number]!r}")
    click.echo(f"equal texts: {len(texts) - len(different)} of {len(texts)}, near-ties: {len(different) - len(wrong)}")
    click.echo(f"ratio: {best[0] / took:.1f}, at least {RATIO}")
    sys.exit(bool(wrong) or best[0] / took < RATIO)


if __name__ == "__main__":
    main()
