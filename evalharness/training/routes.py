"""Which experts a trained mixture chooses for each sample of the test part."""

from __future__ import annotations

from typing import Any

from evalharness.contract import Loss
from evalharness.data import SampleReader
from evalharness.task import TrainingTask
from evalharness.training.collating import Example, TokenCollator
from evalharness.training.preparing import Texts
from evalharness.training.routing import Routing

EXAMPLES_AT_ONCE = 8


def router_counts(
    module: Any, task: TrainingTask, loss: Loss, tokenizer: Any, samples: SampleReader, name: str
) -> dict[str, dict[str, Any]]:
    """Return by sample, under this name, how often each expert of each layer was chosen for its tokens: layers of experts."""
    import torch

    reader = Texts(task, loss, tokenizer)
    examples: list[Example] = [one for sample in samples for one in reader.examples(sample)]
    totals: dict[str, Any] = {}
    module.eval()
    for start in range(0, len(examples), EXAMPLES_AT_ONCE):
        chunk = examples[start : start + EXAMPLES_AT_ONCE]
        batch = TokenCollator(reader.pad)(chunk)
        with torch.no_grad(), Routing(module) as routing:
            module(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        for one, counts in zip(chunk, routing.counts(), strict=True):
            totals[one.sample] = totals.get(one.sample, 0) + counts
    return {sample: {name: counts.tolist()} for sample, counts in totals.items()}
