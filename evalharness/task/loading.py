"""Reads a task file, with what the command line replaces in it, into a Task; reports all faults at once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness import registry
from evalharness.contract import Metric, Spec
from evalharness.errors import Fault, FaultsFound, nearest
from evalharness.task.overrides import set_value
from evalharness.task.prices import read_prices
from evalharness.task.sections import known_children, read_fields, read_name, read_section, read_value
from evalharness.task.specs import read_spec
from evalharness.task.strict_yaml import Node, Place, read_argument, read_file
from evalharness.task.task import DatasetSpec, FewShot, GenerateOptions, MetricEntry, System, Task
from evalharness.task.template import template_fault

TASK_KEYS = (
    "name", "version", "description", "dataset", "group", "output_type", "fewshot", "failures", "transforms", "repeats",
    "delimiter", "system", "metrics",
)  # fmt: skip
SYSTEM_KEYS = ("name", "retriever", "prompt", "model", "generate", "prices")
READ_APART = ("name", "version", "dataset", "fewshot", "transforms", "system", "metrics")
NO_MODEL = "no_model"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
FILE_ENDING = re.compile(r"\.(jsonl|ndjson|json|csv|tsv|parquet|arrow|txt|xml)$", re.IGNORECASE)


def load_task(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    system: str | Path | None = None,
    model: str | Mapping[str, Any] | None = None,
    responses: str | Path | None = None,
) -> Task:
    """Return the task of a YAML file, for `kind: training` a TrainingTask, which nothing can replace the system of.

    `system` is a YAML file that replaces the task's system, `model` a plugin (`echo`, `{hf: {weights: x}}`), as text
    or as a mapping, that replaces its model, `responses` a file of recorded responses that replaces the system altogether, and
    `overrides` (`key.path=value`) replace single values at last. Relative paths start from the file that they stand in,
    those of arguments from the current folder. Raises FaultsFound with every fault and its `file:line:column`.
    """
    faults: list[Fault] = []
    root = read_file(path, faults)
    if is_training(root):
        return only_training_task(root, Path(path), overrides, faults, replaced=(system, model, responses))
    _refuse_system(root, path)
    _refuse_arms(root)
    _replace_system(root, faults, system, model, responses)
    for override in overrides:
        set_value(root, override, faults)
    task = _read_task(root, Path(path), faults)
    if task is None or faults:
        raise FaultsFound(list(dict.fromkeys(faults)))
    return task


def is_training(root: Node) -> bool:
    """Return whether a file holds a training task: it says so."""
    kind = root.content.get("kind") if isinstance(root.content, dict) else None
    return kind is not None and kind.content == "training"


def is_training_file(path: str | Path) -> bool:
    """Return whether a file holds a training task; one that cannot be read is none."""
    try:
        return is_training(read_file(path, []))
    except FaultsFound:
        return False


def only_training_task(root: Node, path: Path, overrides: Sequence[str], faults: list[Fault], replaced: Sequence[Any]) -> Task:
    """Return the training task of a file that holds one."""
    from evalharness.task.training_loading import read_training

    if any(value is not None for value in replaced):
        raise FaultsFound([Fault("a training task makes its systems, its arms; none can be given to it", str(path))])
    tasks = read_training(root, path, overrides, faults)
    if len(tasks) > 1:
        names = f"{tasks[0].name}, {tasks[1].name} and so on"
        message = f"'vary' makes {len(tasks)} tasks of this file ({names}); name the task.yaml in the run folder of one of them"
        raise FaultsFound([Fault(message, str(path))])
    return tasks[0]


def _refuse_system(root: Node, path: str | Path) -> None:
    """Raise FaultsFound for the file of a system, which has nothing of a task."""
    found = root.content if isinstance(root.content, dict) else {}
    if "dataset" not in found and ("model" in found or "retriever" in found):
        way = f"evalharness run TASK --system {path}"
        raise FaultsFound([Fault(f"this is a system, not a task; run a task with it: {way}", str(root.place))])


def _refuse_arms(root: Node) -> None:
    """Raise FaultsFound for a training task that does not say that it is one."""
    found = root.content if isinstance(root.content, dict) else {}
    if "arms" in found and "kind" not in found and "system" not in found:
        message = "'arms' is a key of training tasks; if this is one, add the line 'kind: training'"
        raise FaultsFound([Fault(message, str(found["arms"].key))])


def _replace_system(root: Node, faults: list[Fault], system: Any, model: str | Mapping[str, Any] | None, responses: Any) -> None:
    if not isinstance(root.content, dict):
        return
    prices = _prices(root)
    if system is not None:
        root.content["system"] = _named(read_file(system, faults), Path(system))
    if model is not None:
        chosen = read_argument(model if isinstance(model, str) else json.dumps(model), faults, name="--model")
        section = root.content.setdefault("system", Node({}, chosen.place, chosen.key))
        if isinstance(section.content, dict):
            section.content["name"] = _name_with_model(section.content.get("name"), chosen)
            section.content["model"] = chosen
    if responses is not None:
        output_type = root.content.get("output_type")
        retrieves = output_type is not None and output_type.content == "retrieve"
        root.content["system"] = _recorded_run(Path(responses)) if retrieves else _recorded(Path(responses))
    own = _prices(root)
    if prices is not None and own is not prices:  # metrics ask models too, whatever the system is
        root.content["system"].content["prices"] = (
            prices if own is None else Node({**prices.content, **own.content}, own.place, own.key)
        )


def _prices(root: Node) -> Node | None:
    """Return the prices of a task's system, if there are any."""
    section = root.content.get("system") if isinstance(root.content, dict) else None
    prices = section.content.get("prices") if section is not None and isinstance(section.content, dict) else None
    return prices if prices is not None and isinstance(prices.content, dict) else None


def _named(section: Node, path: Path) -> Node:
    """Name a system after its file where it names itself not."""
    if isinstance(section.content, dict):
        section.content.setdefault("name", Node(_safe(path.stem), section.place, section.key))
    return section


def _name_with_model(name: Node | None, chosen: Node) -> Node:
    """Return the name `SYSTEM+MODEL`: another model makes another system."""
    model = chosen.content if isinstance(chosen.content, str) else next(iter(chosen.content or ["model"]), "model")
    text = str(model) if name is None else f"{name.content}+{model}"
    return Node(text, chosen.place, chosen.key)


def _recorded(path: Path) -> Node:
    place = Place("--responses")
    leaf = {"name": Node(_safe(path.stem), place, place), "path": Node(str(path), place, place)}
    model = Node({"recorded": Node({"path": leaf["path"]}, place, place)}, place, place)
    return Node({"name": leaf["name"], "model": model}, place, place)


def _recorded_run(path: Path) -> Node:
    """Return the system whose rankings stand in a TREC run file."""
    place = Place("--responses")
    options = Node({"path": Node(str(path), place, place)}, place, place)
    return Node(
        {"name": Node(_safe(path.stem), place, place), "retriever": Node({"trec_run": options}, place, place)}, place, place
    )


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]", "-", text).lstrip("._+-") or "system"


def _read_task(root: Node, path: Path, faults: list[Fault]) -> Task | None:
    children = known_children(root, "a task", TASK_KEYS, faults)
    if not isinstance(root.content, dict):
        return None
    values = read_fields(Task, children, faults, skip=READ_APART)
    values["name"] = read_name(children.get("name"), root, "a task", faults)
    if "version" in children:
        values["version"] = str(read_value(children["version"], str | int, "version", faults))
    values["dataset"] = read_dataset(children.get("dataset"), root, faults)
    values["fewshot"] = _read_fewshot(children.get("fewshot"), str(values.get("output_type")), faults)
    values["transforms"] = tuple(
        read_spec("transform", node, faults)[0] for node in list_items(children.get("transforms"), "transforms", faults)
    )
    values["system"] = _read_system(children.get("system"), root, str(values.get("output_type")), faults)
    values["metrics"] = read_metrics(children.get("metrics"), root, faults)
    if faults:
        return None
    return Task(**values, path=path, places=dict(root.places()))


def list_items(node: Node | None, name: str, faults: list[Fault]) -> list[Node]:
    if node is None:
        return []
    if not isinstance(node.content, list):
        faults.append(Fault(f"'{name}' must be a list", str(node.place)))
        return []
    return node.content


def read_dataset(node: Node | None, root: Node, faults: list[Fault]) -> DatasetSpec | None:
    if node is None or not isinstance(node.content, dict):
        place = root.place if node is None else node.place
        faults.append(
            Fault("a task needs 'dataset', a mapping such as {path: data.jsonl, fields: {input: question}}", str(place))
        )
        return None
    fields = _read_field_names(node.content.get("fields"), faults)
    rest = {key: child for key, child in node.content.items() if key != "fields"}
    if "source" in rest:
        children = known_children(Node(rest, node.place, node.key), "dataset", ("source", "fields"), faults)
        return DatasetSpec(source=read_spec("dataset", children["source"], faults)[0], fields=fields)
    main = next((key for key in ("path", "qrels") if key in rest), None)
    if main is None:
        ways = "'path', a file, a folder or a Hub name; 'qrels', judgements of TREC; or 'source', a dataset plugin"
        faults.append(Fault(f"dataset needs {ways}", str(node.place)))
        return None
    plugin = "trec" if main == "qrels" else _dataset_plugin(rest)
    _check_dataset_keys(plugin, rest, faults)
    options = Node(rest, node.place, rest[main].key)
    return DatasetSpec(source=read_spec("dataset", Node({plugin: options}, node.place, node.key), faults)[0], fields=fields)


def _dataset_plugin(options: Mapping[str, Node]) -> str:
    """Return which plugin reads a path: `files` what is there or is named like a file, `hub` OWNER/NAME."""
    path = options["path"]
    if not isinstance(path.content, str) or (Path(path.place.folder) / path.content).exists():
        return "files"
    hub = "revision" in options or (HUB_NAME.fullmatch(path.content) and not FILE_ENDING.search(path.content))
    return "hub" if hub else "files"


def _check_dataset_keys(plugin: str, options: dict[str, Node], faults: list[Fault]) -> None:
    """Note keys that neither the plugin nor `dataset` has, and take them out."""
    entry = registry.installed().entries["dataset"].get(plugin)
    known = [] if entry is None else [*(item.name for item in entry.cls.option_fields()), "fields"]
    for key in [key for key in options if known and key not in known]:
        child = options.pop(key)
        message = f"dataset has no key '{key}' for '{plugin}'.{nearest(key, known)} It has: {', '.join(known)}."
        faults.append(Fault(message, str(child.key)))


def _read_field_names(node: Node | None, faults: list[Fault]) -> dict[str, str]:
    if node is None:
        return {}
    if not isinstance(node.content, dict):
        faults.append(Fault("'fields' must be a mapping of field to column, such as {input: question}", str(node.place)))
        return {}
    for name, child in node.content.items():
        if not name.isidentifier():
            faults.append(Fault(f"'{name}' cannot be a field: a field is a word of letters, digits and _", str(child.key)))
    return {name: read_value(child, str, name, faults, "") for name, child in node.content.items()}


def _read_fewshot(node: Node | None, output_type: str, faults: list[Fault]) -> FewShot:
    if node is None:
        return FewShot()
    fewshot: FewShot = read_section(FewShot, node, "fewshot", faults)
    if fewshot.path is not None and fewshot.split is not None:
        faults.append(Fault("fewshot takes its pool from 'path' or from 'split', not from both", str(node.at(("split",)).key)))
    if fewshot.samples and output_type in ("likelihood", "retrieve"):
        message = f"the output type '{output_type}' has no answer to show, so fewshot.samples must be 0"
        faults.append(Fault(message, str(node.place)))
    check_template(node.at(("answer",)), fewshot.answer, "the answer template", faults)
    return fewshot


def _read_system(node: Node | None, root: Node, output_type: str, faults: list[Fault]) -> System | None:
    if node is None:
        ways = "add 'system:', or give --system FILE, --model NAME or --responses FILE"
        faults.append(Fault(f"the task names no system to evaluate: {ways}", str(root.place)))
        return None
    children = known_children(node, "system", SYSTEM_KEYS, faults)
    if not isinstance(node.content, dict):
        return None
    values: dict[str, Any] = {"name": read_name(children.get("name"), node, "system", faults), "model": Spec("?")}
    if "retriever" in children and children["retriever"].content is not None:
        values["retriever"] = read_spec("retriever", children["retriever"], faults)[0]
    if "model" in children:
        values["model"] = read_spec("model", children["model"], faults)[0]
    elif output_type == "retrieve":
        values["model"] = Spec(NO_MODEL)
    else:
        faults.append(Fault("system needs 'model', a plugin such as {hf: {weights: NAME}}", str(node.place)))
    if "generate" in children:
        values["generate"] = read_section(GenerateOptions, children["generate"], "generate", faults)
    values["prices"] = read_prices(children.get("prices"), faults)
    if "prompt" in children:
        values["prompt"] = read_value(children["prompt"], str | None, "prompt", faults)
        check_template(children["prompt"], values["prompt"], "the prompt", faults)
    return System(**values)


def check_template(node: Node, text: str | None, title: str, faults: list[Fault]) -> None:
    wrong = "" if text is None else template_fault(text)
    if wrong:
        faults.append(Fault(f"{title} {wrong}", str(node.place)))


def read_metrics(
    node: Node | None,
    root: Node,
    faults: list[Fault],
    completed: Callable[[Sequence[MetricEntry]], Sequence[MetricEntry]] = tuple,
) -> tuple[MetricEntry, ...]:
    """Return the metrics of a section; `completed` adds those that need not be written, before the chain is looked at."""
    items = list_items(node, "metrics", faults)
    if not items:
        place = root.place if node is None else node.place
        faults.append(Fault("a task needs 'metrics', a list with at least one metric", str(place)))
    before = len(faults)
    entries = tuple(completed([_read_entry(item, faults) for item in items]))
    if len(faults) == before:
        faults.extend(chain_faults([(entry, registry.build("metric", entry.spec)) for entry in entries]))
    return entries


def _read_entry(node: Node, faults: list[Fault]) -> MetricEntry:
    name = None
    if isinstance(node.content, dict) and "as" in node.content:
        name = read_name(node.content["as"], node, "as", faults)
        node = Node({key: child for key, child in node.content.items() if key != "as"}, node.place, node.key)
    return MetricEntry(spec=read_spec("metric", node, faults)[0], name=name, where=str(node.place))


def chain_faults(entries: Sequence[tuple[MetricEntry, Metric]]) -> list[Fault]:
    """Return what keeps these metrics from forming a chain: equal score names, cycles, scores that nothing makes."""
    from evalharness.scoring.chain import Chain

    try:
        Chain.build([(entry.name, metric) for entry, metric in entries])
    except FaultsFound as found:
        return [Fault(fault.message, _place_of(fault, entries)) for fault in found.faults]
    return []


def _place_of(fault: Fault, entries: Sequence[tuple[MetricEntry, Metric]]) -> str:
    index = re.fullmatch(r"metrics\[(\d+)\]", fault.where)
    return entries[int(index[1]) if index else 0][0].where
