"""Whether the arms of a training task can be trained: a loss must be given every tensor that it cannot do without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalharness import registry
from evalharness.contract import Loss, Network, Sample, canonical
from evalharness.data import read_samples
from evalharness.errors import EvalharnessError, Fault, FaultsFound
from evalharness.task import Arm, Finding, TrainingTask, check_task
from evalharness.task.check import missing_packages
from evalharness.task.training import PREDICT
from evalharness.training.preparing import loss_reads, table_data, training_samples

FAULTS_SHOWN = 5
ROUTED = ("router_logits", "router_indices", "router_weights")
EITHER = ("logits", "sample_weight", "progress")
OF_TABLES = (*EITHER, "prediction", "target")
OF_TEXTS = (
    *EITHER, "labels", "token_weight", "hidden", "head_weight", "attention_mask", "document_ids",
    "chosen_logps", "rejected_logps", "ref_chosen_logps", "ref_rejected_logps", "chosen_tokens", "rejected_tokens",
    "chosen_score", "rejected_score", "logps", "ref_logps", "kl_logps", "ref_kl_logps", "desirable",
)  # fmt: skip


def refuse_unsuited(tasks: tuple[TrainingTask, ...]) -> None:
    """Raise FaultsFound with every arm that cannot be trained, before anything is."""
    faults = list(dict.fromkeys(fault for task in tasks for fault in (*_errors(task), *unsuited(task))))
    if faults:
        raise FaultsFound(faults)


def _errors(task: TrainingTask) -> list[Fault]:
    return [Fault(finding.message, finding.where) for finding in check_task(task) if finding.level == "error"]


def unsuited(task: TrainingTask) -> Iterator[Fault]:
    """Yield why arms of a task cannot be trained."""
    for arm in task.arms:
        try:
            loss, network = registry.build("loss", arm.loss), registry.build("network", arm.network)
            yield from (Fault(message, arm.where) for message in _messages(arm, loss, network))
            network.check()
        except EvalharnessError as error:
            yield Fault(str(error), arm.where)


def _messages(arm: Arm, loss: Loss, network: Network) -> Iterator[str]:
    yield from _packages("network", network)
    given = OF_TABLES if network.reads == "table" else OF_TEXTS
    own = {*loss.learned(), *loss.carried(), *(ROUTED if network.reads == "text" and network.routed else ())}
    lacking = [name for name, needed in loss_reads(loss).items() if needed and name not in given and name not in own]
    for name in lacking[:1]:
        start = f"arm '{arm.name}': loss '{loss.name}' needs the tensor '{name}', which "
        if name in ROUTED and network.reads == "text":
            yield f"{start}only the routers of a mixture of experts give; the network '{network.name}' has none"
        else:
            kinds = {"table": "rows of numbers, a prediction and a target", "text": "tokens, and answers in pairs"}
            yield f"{start}a network over {network.reads}s such as '{network.name}' does not give: it has {kinds[network.reads]}"


def check_parts(task: TrainingTask) -> Iterator[Finding]:
    """Yield what is wrong with the training part: broken items, rows or faults that cannot be, samples of the test part."""
    where = task.where("dataset.train", "dataset")
    reader = training_samples(task)
    try:
        samples = list(reader)
    except EvalharnessError as error:
        yield Finding("error", str(error), where)
        return
    if task.output_type == PREDICT:
        yield from _rows_that_cannot_be(task, samples)
    inputs = {_shown_to_the_model(sample) for sample in samples}
    for fault in reader.faults[:FAULTS_SHOWN]:
        yield Finding("error", fault.message, fault.where)
    both = [sample.id for sample in read_samples(task) if _shown_to_the_model(sample) in inputs]
    if both and task.output_type != PREDICT:
        shown = ", ".join(both[:FAULTS_SHOWN])
        yield Finding("warning", f"{len(both)} samples of the test part stand in the training part too: {shown}", where)


def _rows_that_cannot_be(task: TrainingTask, samples: Sequence[Sample]) -> Iterator[Finding]:
    try:
        table_data(task, samples, task.seeds[0])
    except EvalharnessError as error:
        where = task.where("plant", "dataset") if str(error).startswith("plant.") else task.where("dataset")
        yield Finding("error", str(error), where)


def _shown_to_the_model(sample: Sample) -> str:
    """Return what tells whether two samples are one: their input, or else their text or features."""
    return canonical(next((sample.fields[name] for name in ("input", "text", "features") if name in sample.fields), sample.id))


def _packages(kind: registry.Kind, plugin: Network) -> Iterator[str]:
    distribution = registry.installed().find(kind, plugin.name).source.distribution
    missing = missing_packages(distribution, plugin.needs) if plugin.needs else []
    if missing:
        yield f"{kind} '{plugin.name}' needs {', '.join(missing)}; install with: pip install '{distribution}[{plugin.needs}]'"
