"""A packed training step beside a padded one, on the same documents.

    python -m benchmarks.packing

Documents of random tokens, lengths log-uniform from 32 to 512, in batches of 8 as they come, not sorted; the language model of
the embedded default, all of its layers trained (`--layers`: so many of the last), loss over all tokens from hidden states.
Printed for each batch: tokens, places computed on, seconds of processor of one step (forward and backward) padded and packed;
then tokens a second of both and their ratio, in seconds of processor and on the clock, and the relative difference of the
gradients of the first batch. One thread, since two that wait for each other beside other work count as busy. Exit code 1
where packing is less than 1.5 times as fast, in seconds of processor, which other work on the machine changes less, or where
the gradients differ by more than 1e-4.
"""

from __future__ import annotations

import math
import random
import sys
import tempfile
import time
from typing import Any

import click

import evalharness as eh
from evalharness.training.checkpoints import quietly
from evalharness.training.collating import Example, TokenCollator

SHORTEST, LONGEST, BATCH = 32, 512, 8
AT_LEAST, NEAR = 1.5, 1e-4


def documents(number: int, vocabulary: int) -> list[Example]:
    """Return documents of random tokens, the same every time."""
    chance = random.Random(0)
    sizes = [round(SHORTEST * math.exp(chance.random() * math.log(LONGEST / SHORTEST))) for _ in range(number)]
    ids = [tuple(chance.randrange(vocabulary) for _ in range(size)) for size in sizes]
    return [Example(one, (0.0, *[1.0] * (len(one) - 1)), str(place)) for place, one in enumerate(ids)]


def trainer(model: Any, data: list[Example], folder: str) -> Any:
    """Return a trainer whose steps are taken by hand."""
    from transformers import TrainingArguments

    from evalharness.training import LossTrainer

    args = TrainingArguments(folder, use_cpu=True, max_steps=1, report_to=[])
    return LossTrainer(model=model, args=args, loss=eh.load_loss("supervised"), train_dataset=data)


def step(trainer: Any, batch: dict[str, Any]) -> tuple[float, float, dict[str, Any]]:
    """Return the seconds of processor and of the clock that one step takes, and the gradients that it gives."""
    trainer.model.zero_grad()
    trainer.get_batch_samples(iter([batch]), 1, trainer.args.device)
    processor, clock = time.process_time(), time.perf_counter()
    trainer.training_step(trainer.model, batch)
    spent = time.process_time() - processor, time.perf_counter() - clock
    return *spent, {name: value.grad for name, value in trainer.model.named_parameters() if value.grad is not None}


def difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Return how far two gradients are apart, relative to the length of the first."""
    apart = sum(float((value.double() - other[name].double()).square().sum()) for name, value in one.items())
    return math.sqrt(apart / sum(float(value.double().square().sum()) for value in one.values()))


def model_with(layers: int) -> Any:
    """Return the language model, of which so many of the last layers are trained."""
    from transformers import AutoModelForCausalLM

    with quietly():
        model = AutoModelForCausalLM.from_pretrained(eh.resolve_weights("smollm2-135m-instruct"), local_files_only=True)
    model.requires_grad_(False)
    for layer in model.model.layers[-layers:]:
        layer.requires_grad_(True)
    return model


@click.command(help=__doc__)
@click.option("--batches", default=2, show_default=True, help="How many batches of 8 documents.")
@click.option("--layers", default=30, show_default=True, help="How many of the last layers are trained.")
def main(batches: int, layers: int) -> None:
    import torch

    torch.set_num_threads(1)
    model = model_with(layers)
    data = documents(batches * BATCH, model.config.vocab_size)
    spent, tokens, apart = {False: [0.0, 0.0], True: [0.0, 0.0]}, 0, 0.0
    click.echo(f"{'tokens':>8}{'padded':>8}{'packed':>8}{'s padded':>10}{'s packed':>10}")
    with tempfile.TemporaryDirectory() as folder:
        made = trainer(model, data, folder)
        step(made, TokenCollator(pad=0)(documents(2, 100)))  # threads and kernels are ready
        for start in range(0, len(data), BATCH):
            some = data[start : start + BATCH]
            both = {packing: TokenCollator(pad=0, packing=packing)(some) for packing in (False, True)}
            taken = {packing: step(made, batch) for packing, batch in both.items()}
            if not start:
                apart = difference(taken[False][2], taken[True][2])
            for packing, (processor, clock, _) in taken.items():
                spent[packing] = [spent[packing][0] + processor, spent[packing][1] + clock]
            own, places = sum(len(example.ids) for example in some), [batch["input_ids"].numel() for batch in both.values()]
            tokens += own
            click.echo(f"{own:8}{places[0]:8}{places[1]:8}{taken[False][0]:10.2f}{taken[True][0]:10.2f}")
    ratios = [padded / packed for padded, packed in zip(spent[False], spent[True], strict=True)]
    for place, unit in enumerate(("of processor", "on the clock")):
        rates = [tokens / spent[packing][place] for packing in (False, True)]
        click.echo(f"tokens a second {unit}: padded {rates[0]:.1f}, packed {rates[1]:.1f}: {ratios[place]:.2f} times")
    click.echo(f"gradients differ by {apart:.1e} of their length")
    sys.exit(0 if ratios[0] >= AT_LEAST and apart <= NEAR else 1)


if __name__ == "__main__":
    main()
