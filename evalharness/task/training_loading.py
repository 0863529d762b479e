"""Reads a training task: its parts of the data, its arms, seeds and trainer, and the variants that `vary` makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import Network, Plugin, Spec
from evalharness.errors import Fault, FaultsFound, UsageError
from evalharness.task.loading import check_template, list_items, read_dataset, read_metrics
from evalharness.task.overrides import set_value
from evalharness.task.sections import known_children, read_fields, read_name, read_section, read_value
from evalharness.task.specs import read_spec
from evalharness.task.strict_yaml import Node, read_file
from evalharness.task.task import DatasetSpec, GenerateOptions, MetricEntry
from evalharness.task.training import PREDICT, Arm, TrainedSystem, TrainerOptions, TrainingTask
from evalharness.task.varying import Variant, variants

KEYS = (
    "name", "version", "description", "kind", "dataset", "group", "output_type", "prompt", "generate", "failures", "transforms",
    "delimiter", "model", "arms", "seeds", "trainer", "vary", "plant", "metrics",
)  # fmt: skip
READ_APART = ("name", "version", "dataset", "fewshot", "transforms", "repeats", "system", "metrics", "seeds", "arms", "trainer")
ARM_KEYS = ("loss", "rules", "model", "trainer")
TABLE, PART = "table", "part"
MADE = frozenset(["response", "logprobs", "prediction", "probabilities", "router_counts"])
BEFORE = "before"


def load_training(path: str | Path, *, overrides: Sequence[str] = ()) -> tuple[TrainingTask, ...]:
    """Return the training tasks of a YAML file: one, or one for each combination of what `vary` replaces.

    Raises FaultsFound with every fault and its `file:line:column`.
    """
    faults: list[Fault] = []
    return read_training(read_file(path, faults), Path(path), overrides, faults)


def read_training(root: Node, path: Path, overrides: Sequence[str], faults: list[Fault]) -> tuple[TrainingTask, ...]:
    """Return the training tasks of a file that has been read; raises FaultsFound with every fault."""
    for override in overrides:
        set_value(root, override, faults)
    known_children(root, "a training task", KEYS, faults)
    found = [_read_variant(variant, path, faults) for variant in variants(root, KEYS, faults)]
    tasks = tuple(task for task in found if task is not None)
    if faults or not tasks:
        raise FaultsFound(list(dict.fromkeys(faults)))
    return tasks


def _read_variant(variant: Variant, path: Path, faults: list[Fault]) -> TrainingTask | None:
    root, before = variant.root, len(faults)
    if not isinstance(root.content, dict):
        return None
    children = {key: node for key, node in root.content.items() if key in KEYS}
    values = read_fields(TrainingTask, children, faults, skip=READ_APART)
    name = read_name(children.get("name"), root, "a training task", faults)
    values |= {"name": ".".join([name, *variant.labels]), "study": name, "labels": variant.labels}
    if "version" in children:
        values["version"] = str(read_value(children["version"], str | int, "version", faults))
    network = _read_network(children.get("model"), root, faults)
    values["output_type"] = output_type = _output_type(children.get("output_type"), values, network, faults)
    values["train"], values["dataset"] = _read_parts(children.get("dataset"), root, faults)
    values["transforms"] = tuple(
        read_spec("transform", node, faults)[0] for node in list_items(children.get("transforms"), "transforms", faults)
    )
    values["seeds"] = _read_seeds(children.get("seeds"), root, faults)
    arms = _Arms(children, root, faults)
    values["arms"] = arms.read(children.get("arms"))
    values["metrics"] = read_metrics(
        _metrics_of(children.get("metrics"), output_type), root, faults, lambda read: _with_before(read, output_type)
    )
    _refuse_of_repeats(values["metrics"], faults)
    if "plant" in children and output_type != PREDICT:
        faults.append(Fault("'plant' puts faults into tables; this network is one over text", str(children["plant"].key)))
    system = _read_system(children, network, faults)
    if len(faults) > before:
        return None
    trained = TrainedSystem(name=values["arms"][0].name, arm=values["arms"][0], seeds=values["seeds"], **system)
    own: dict[str, Any] = {"network": network[0], "trainer": arms.trainer, "repeats": len(values["seeds"])}
    return TrainingTask(**values, **own, system=trained, path=path, places=dict(root.places()))


def _read_network(node: Node | None, root: Node, faults: list[Fault]) -> tuple[Spec, Network | None]:
    if node is None:
        example = "such as {hf: {weights: NAME, lora: {rank: 8}}}, {config: {type: mixtral}}, {mlp: {width: 32}} or linear"
        faults.append(Fault(f"a training task needs 'model', the network to train, {example}", str(root.place)))
        return Spec("?"), None
    spec, plugin = read_spec("network", node, faults)
    return spec, plugin if isinstance(plugin, Network) else None


def _output_type(node: Node | None, values: Mapping[str, Any], network: tuple[Spec, Network | None], faults: list[Fault]) -> str:
    """Return the output type; a network over tables predicts, and nothing else does."""
    table = network[1] is not None and network[1].reads == TABLE
    given = values.get("output_type", PREDICT if table else "generate")
    if node is not None and network[1] is not None and (given == PREDICT) != table:
        what = f"over tables, whose output type is '{PREDICT}'" if table else f"over text, which does not '{PREDICT}'"
        faults.append(Fault(f"'{network[0].name}' is a network {what}", str(node.place)))
    return str(given)


def _read_parts(node: Node | None, root: Node, faults: list[Fault]) -> tuple[DatasetSpec, DatasetSpec]:
    """Return the training part and the test part of the data."""
    nothing = DatasetSpec(source=Spec("?"))
    content = None if node is None else node.content
    if node is not None and isinstance(content, str) and ":" in content:
        return _of_one_source(Node({TABLE: Node({"source": node}, node.place, node.key)}, node.place, node.key), faults)
    if node is not None and isinstance(content, dict) and "source" in content:
        known_children(node, "dataset", ("source",), faults)
        return _of_one_source(content["source"], faults)
    if node is None or not isinstance(content, dict) or not {"train", "test"} <= content.keys():
        place = root.place if node is None else node.place
        example = "{train: train.jsonl, test: test.jsonl, fields: {input: question}}, or a table such as sklearn:diabetes"
        faults.append(Fault(f"a training task needs 'dataset' with a training and a test part: {example}", str(place)))
        return nothing, nothing
    children = known_children(node, "dataset", ("train", "test", "fields"), faults)
    fields = {key: child for key, child in children.items() if key == "fields"}
    train, test = (_read_part(children[part], fields, root, faults) for part in ("train", "test"))
    return train, test


def _of_one_source(source: Node, faults: list[Fault]) -> tuple[DatasetSpec, DatasetSpec]:
    """Return both parts of a data set: those that the plugin `part` takes, which may be named with its options."""
    content = source.content
    named = isinstance(content, dict) and list(content) == [PART] and isinstance(content[PART].content, dict)
    options = content[PART].content if named else {"of": source}
    train, test = (_part(source, options, part, faults) for part in ("train", "test"))
    return train, test


def _part(source: Node, options: Mapping[str, Node], part: str, faults: list[Fault]) -> DatasetSpec:
    chosen = {**options, "part": Node(part, source.place, source.key)}
    node = Node({PART: Node(chosen, source.place, source.key)}, source.place, source.key)
    return DatasetSpec(source=read_spec("dataset", node, faults)[0])


def _read_part(node: Node, fields: dict[str, Node], root: Node, faults: list[Fault]) -> DatasetSpec:
    content = {"path": node} if isinstance(node.content, str) else node.content
    if isinstance(content, dict):
        node = Node({**fields, **content}, node.place, node.key)
    return read_dataset(node, root, faults) or DatasetSpec(source=Spec("?"))


def _read_seeds(node: Node | None, root: Node, faults: list[Fault]) -> tuple[int, ...]:
    if node is None:
        return (0,)
    before = len(faults)
    seeds: tuple[int, ...] = read_value(node, tuple[int, ...], "seeds", faults, (0,))
    if len(faults) == before and (not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0):
        faults.append(Fault("'seeds' must be a list of different whole numbers from 0", str(node.place)))
    return seeds


class _Arms:
    """Reads the arms of a file; each uses the file's network and trainer but for what it says itself."""

    def __init__(self, children: Mapping[str, Node], root: Node, faults: list[Fault]) -> None:
        self.root, self.faults = root, faults
        self.network = Spec("?")
        if "model" in children:
            self.network = read_spec("network", children["model"], [])[0]  # its faults are known by now
        self.common = self._sections(children.get("trainer"))
        self.trainer = self._trainer(self.common)
        if "steps" not in self.common:
            place = children.get("trainer", root).place
            faults.append(Fault("a training task needs 'trainer' with 'steps', such as {steps: 60}", str(place)))

    def read(self, node: Node | None) -> tuple[Arm, ...]:
        """Return the arms in the order of the file."""
        if node is None or not isinstance(node.content, dict) or not node.content:
            place = self.root.place if node is None else node.place
            example = "{completion_only: {supervised: {mask: prompt}}}"
            self.faults.append(Fault(f"a training task needs 'arms', a mapping of names to losses such as {example}", str(place)))
            return ()
        return tuple(self._arm(name, child) for name, child in node.content.items())

    def _arm(self, name: str, node: Node) -> Arm:
        read_name(Node(name, node.key, node.key), node, "an arm", self.faults)
        children = {"loss": node}
        if isinstance(node.content, dict) and "loss" in node.content:
            children = known_children(node, f"the arm '{name}'", ARM_KEYS, self.faults)
        rules = tuple(read_spec("rule", rule, self.faults)[0] for rule in list_items(children.get("rules"), "rules", self.faults))
        network = read_spec("network", children["model"], self.faults)[0] if "model" in children else self.network
        trainer = self.trainer
        if "trainer" in children:
            trainer = self._trainer({**self.common, **self._sections(children["trainer"])})
        loss = read_spec("loss", children["loss"], self.faults)[0]
        return Arm(name=name, loss=loss, rules=rules, network=network, trainer=trainer, where=str(node.key))

    def _sections(self, node: Node | None) -> dict[str, Node]:
        known = [item.name for item in dataclasses.fields(TrainerOptions)]
        return {} if node is None else known_children(node, "trainer", known, self.faults)

    def _trainer(self, children: Mapping[str, Node]) -> TrainerOptions:
        values = read_fields(TrainerOptions, children, self.faults)
        return TrainerOptions(**{"steps": 1, **values})


def _metrics_of(node: Node | None, output_type: str) -> Node | None:
    """Return the metrics; one of likelihoods that does not say of what is over what the test part wants to see.

    That is the references after the prompt or, where texts are all that there is, the text.
    """
    if node is None or not isinstance(node.content, list) or output_type == PREDICT:
        return node
    wanted = {"of": "text"} if output_type == "likelihood" else {"of": "references", "given": "prompt"}
    return Node([_completed(item, wanted) for item in node.content], node.place, node.key)


def _completed(node: Node, wanted: Mapping[str, str]) -> Node:
    content = node.content if isinstance(node.content, dict) else {node.content: Node({}, node.place, node.key)}
    name = next((key for key in content if key != "as"), None)
    entry = registry.installed().entries["metric"].get(str(name))
    options = None if entry is None else content[name].content
    if entry is None or not {"of", "given"} <= {item.name for item in entry.cls.option_fields()} or "of" in (options or {}):
        return node
    added = {key: Node(value, node.place, node.key) for key, value in wanted.items()}
    inner = Node({**added, **(options or {})}, content[name].place, content[name].key)
    return Node({**content, str(name): inner}, node.place, node.key)


def _with_before(entries: Sequence[MetricEntry], output_type: str) -> tuple[MetricEntry, ...]:
    """Return the metrics of text, each of what a system makes followed by the same one of what it made before training."""
    if output_type == PREDICT or BEFORE not in registry.installed().entries["metric"]:
        return tuple(entries)
    taken = {entry.name for entry in entries}
    found: list[MetricEntry] = []
    for entry in entries:
        found.append(entry)
        name = f"{entry.name or entry.spec.name}.{BEFORE}"
        if name not in taken and _of_the_system(entry):
            found.append(MetricEntry(spec=Spec(BEFORE, {"metric": entry.spec}, entry.spec.folder), name=name, where=entry.where))
    return tuple(found)


def _refuse_of_repeats(entries: Sequence[MetricEntry], faults: list[Fault]) -> None:
    """Refuse metrics of all repeats of a sample: a trained system answers each sample once, and its seeds are no repeats."""
    for entry in entries:
        cls = registry.installed().entries["metric"].get(entry.spec.name)
        if cls is not None and "responses" in (cls.cls.reads if isinstance(cls.cls.reads, tuple) else ()):
            message = f"'{entry.spec.name}' is over the repeats of a sample, which a training task does not make"
            faults.append(Fault(message, entry.where))


def _of_the_system(entry: MetricEntry) -> bool:
    """Return whether a metric measures what the system makes, rather than the data or other scores."""
    try:
        metric: Plugin = registry.build("metric", entry.spec)
    except UsageError:  # it is told where the metrics are read
        return False
    return metric.name != BEFORE and not metric.uses and bool(metric.asks or MADE & set(metric.reads))  # type: ignore[attr-defined]


def _read_system(children: Mapping[str, Node], network: tuple[Spec, Network | None], faults: list[Fault]) -> dict[str, Any]:
    """Return what all arms share: the prompt, and the model that answers before training."""
    start = None if network[1] is None else network[1].start()
    # Where nothing answers before training, nothing is asked either; echo takes prompts as texts, as such networks do.
    system: dict[str, Any] = {"model": start or Spec("echo")}
    if "prompt" in children:
        system["prompt"] = read_value(children["prompt"], str | None, "prompt", faults)
        check_template(children["prompt"], system["prompt"], "the prompt", faults)
    if "generate" in children:
        system["generate"] = read_section(GenerateOptions, children["generate"], "generate", faults)
    return system
