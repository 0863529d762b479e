"""Reads `board.yaml` strictly: all faults at once, each with its place, score names checked against the tasks' chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from evalharness import registry
from evalharness.errors import Fault, FaultsFound, nearest
from evalharness.leaderboard.columns import Column, RankRule, RuleKind
from evalharness.running.parts import build_chain
from evalharness.scoring import Entry
from evalharness.task import Task, load_task
from evalharness.task.sections import known_children, read_value
from evalharness.task.strict_yaml import Node, read_file

TYPES: dict[str, Any] = {
    "title": str, "text": str, "tasks": tuple[str, ...], "columns": tuple[str, ...], "baselines": tuple[str, ...], "texts": bool,
}  # fmt: skip
KEYS = (*TYPES, "rank")
NEEDED = ("title", "tasks", "rank")
RULES: tuple[RuleKind, ...] = get_args(RuleKind)
EXAMPLES = "{by: token_f1}, {mean_win_rate: [token_f1, rouge.rougeL]} or {bradley_terry: [token_f1]}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a `board.yaml` says; with `texts` false, records are kept without the texts of their samples."""

    title: str
    text: tuple[str, ...] = ()
    tasks: tuple[Task, ...]
    columns: tuple[Column, ...]
    rank: RankRule
    baselines: tuple[str, ...] = ()
    texts: bool = True


def read_settings(path: Path) -> Settings:
    """Return the settings of a board; raises FaultsFound with every fault of the file and of the tasks that it names."""
    faults: list[Fault] = []
    root = read_file(path, faults)
    children = known_children(root, "a board", KEYS, faults)
    if isinstance(root.content, dict):
        faults.extend(Fault(f"a board needs the key '{key}'", str(root.place)) for key in NEEDED if key not in children)
    plain = {key: read_value(children[key], kind, key, faults) for key, kind in TYPES.items() if key in children}
    scores = _Scores(_read_tasks(children["tasks"], faults) if plain.get("tasks") is not None else (), faults)
    columns, rank = _read_scores(children, scores)
    if faults or rank is None:
        raise FaultsFound(list(dict.fromkeys(faults)))
    plain |= {"tasks": scores.tasks, "columns": columns, "text": paragraphs(plain.get("text", ""))}
    return Settings(rank=rank, **plain)


def _read_scores(children: dict[str, Node], scores: _Scores) -> tuple[tuple[Column, ...], RankRule | None]:
    """Return the columns and the rule; names are looked up only where every task could be read."""
    named = len(children["tasks"].content) if scores.tasks else 0
    if not scores.all or len(scores.tasks) < named:
        return (), None
    columns = scores.named(children["columns"]) if "columns" in children else scores.all
    return columns, scores.rule(children["rank"]) if "rank" in children else None


def paragraphs(text: str) -> tuple[str, ...]:
    """Return the paragraphs of a text, which blank lines part.

    >>> paragraphs("One line,\\nstill the same.\\n\\nAnother.\\n")
    ('One line, still the same.', 'Another.')
    """
    lines = "\n".join(line.strip() for line in text.splitlines())
    return tuple(" ".join(part.split()) for part in lines.split("\n\n") if part.strip())


def _read_tasks(node: Node, faults: list[Fault]) -> tuple[Task, ...]:
    """Return the tasks of the files that a list names; paths start from the board's folder."""
    tasks: dict[str, Task] = {}
    if not node.content:
        faults.append(Fault("'tasks' must name at least one task file", str(node.place)))
    for child in node.content:
        path = Path(child.place.folder) / child.content
        if not path.is_file():
            faults.append(Fault(f"there is no task file {path}; paths start from the folder of board.yaml", str(child.place)))
            continue
        try:
            task = load_task(path)
        except FaultsFound as found:
            faults.extend(found.faults)
            continue
        if task.name in tasks:
            faults.append(Fault(f"two tasks are called '{task.name}'; a board names each task once", str(child.place)))
        tasks[task.name] = task
    return tuple(tasks.values())


class _Scores:
    """The scores of a board's tasks: looks names up and notes what there is not in `faults`."""

    def __init__(self, tasks: tuple[Task, ...], faults: list[Fault]) -> None:
        self.tasks, self.faults = tasks, faults
        self.entries: dict[Column, Entry] = {}
        for task in tasks:
            for entry in self._chain(task):
                for score in entry.scores:
                    self.entries[self._column(task, entry, score)] = entry
        self.all = tuple(self.entries)

    def _chain(self, task: Task) -> Sequence[Entry]:
        try:
            return build_chain(task, registry.installed()).entries
        except FaultsFound as found:
            self.faults.extend(Fault(fault.message, task.where("metrics")) for fault in found.faults)
            return ()

    def _column(self, task: Task, entry: Entry, score: str) -> Column:
        title = score if len(self.tasks) == 1 else f"{task.name}/{score}"
        metric = entry.metric
        return Column(
            task=task.name, score=score, title=title, better=metric.better, unit=metric.unit, range=metric.range
        )  # fmt: skip

    def named(self, node: Node) -> tuple[Column, ...]:
        """Return the columns that a list of names stands for; a bare score name stands for it in each task that has it."""
        children = node.content if isinstance(node.content, list) else [node]
        found = [column for child in children for column in self._find(child)]
        if not children:
            self.faults.append(Fault("name at least one score", str(node.place)))
        if len(set(found)) < len(found):
            twice = next(column.title for number, column in enumerate(found) if column in found[:number])
            self.faults.append(Fault(f"'{twice}' is named twice", str(node.place)))
        return tuple(found)

    def _find(self, node: Node) -> list[Column]:
        name = read_value(node, str, "a score", self.faults, "")
        found = [column for column in self.all if name in (column.title, column.score)]
        if name and not found:
            known = list(dict.fromkeys(column.title for column in self.all))
            message = f"no task of the board has a score '{name}'.{nearest(name, known)} They have: {', '.join(known)}."
            self.faults.append(Fault(message, str(node.place)))
        return found

    def rule(self, node: Node) -> RankRule | None:
        """Return the ranking rule of a node such as `{by: token_f1}`."""
        children = known_children(node, "rank", RULES, self.faults)
        if len(children) != 1:
            self.faults.append(Fault(f"rank needs one rule: {EXAMPLES}", str(node.place)))
            return None
        ((kind, child),) = children.items()
        if kind == "by" and isinstance(child.content, list):
            self.faults.append(Fault("'by' takes the name of one score, such as {by: token_f1}", str(child.place)))
            return None
        columns = self.named(child)
        before = len(self.faults)
        self.faults.extend(Fault(wrong, str(child.place)) for wrong in self._unfit(kind, columns))
        return RankRule(kind=kind, columns=columns) if columns and len(self.faults) == before else None  # type: ignore[arg-type]

    def _unfit(self, kind: str, columns: Sequence[Column]) -> list[str]:
        """Return why the rule cannot rank by these columns."""
        if kind == "by":
            mixed = len({column.better for column in columns}) > 1
            return ["a mean of scores of which some are better high and others low ranks nothing"] if mixed else []
        return [
            f"'{column.title}' has no values per sample, which wins are counted by; rank by another score"
            for column in columns
            if self.entries[column].metric.pool == "rows"
        ]
