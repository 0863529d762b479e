"""Builds the site of a board: every page, data file, download and asset, and a list of them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.leaderboard.board import Board, System
from evalharness.leaderboard.site import pairs, plots, system_pages, table, task_pages
from evalharness.leaderboard.site.downloads import FORMATS
from evalharness.leaderboard.site.plan import Plan, plain_column, rank_text
from evalharness.leaderboard.site.samples import TaskSamples
from evalharness.leaderboard.standing import standings
from evalharness.pages.render import JSTAT, TABULATOR, VEGA, environment, json_text, linked, write_assets

if TYPE_CHECKING:
    from jinja2 import Environment

    from evalharness.results.values import Values

TEMPLATES = Path(__file__).parent / "templates"
FILES = "files.txt"
DOM, CHARTS = "js/dom.js", "js/charts.js"
BOARD_SCRIPTS = (TABULATOR, *VEGA, DOM, CHARTS, "js/board.js")
SYSTEM_SCRIPTS = (*VEGA, DOM, CHARTS)
COMPARE_SCRIPTS = (JSTAT, DOM, "js/difference.js", "js/evidence.js", "js/compare.js")


def build(board: Board, out: Path) -> list[Path]:
    """Write the site of a board to the folder `out`, which is empty or new, and return its files."""
    site = _Site(Plan(board=board, standings=standings(board)), out)
    for write in (site.write_board, site.write_samples, site.write_systems, site.write_tasks, site.write_comparison):
        write()
    site.written += write_assets(out, list(dict.fromkeys([*BOARD_SCRIPTS, *SYSTEM_SCRIPTS, *COMPARE_SCRIPTS])))
    site.finish()
    return site.written


@dataclass
class _Site:
    """A site as it is written, and what its pages share."""

    plan: Plan
    out: Path
    written: list[Path] = field(default_factory=list)
    values: dict[str, dict[str, Values]] = field(default_factory=dict)
    templates: Environment = field(default_factory=lambda: environment(TEMPLATES))

    def write(self, name: str, text: str) -> None:
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")  # the folder takes its place when it is whole
        self.written.append(path)

    def page(self, name: str, template: str, scripts: tuple[str, ...], title: str, **shown: Any) -> None:
        """Write one page; `title` comes before the name of the board."""
        root = "../" * name.count("/")
        values = {"plan": self.plan, "board": self.plan.board, "rank_text": rank_text, "title": title, **shown}
        self.write(name, self.templates.get_template(template).render(shell=linked(root, scripts), root=root, **values))

    def data(self, key: str, value: Any) -> None:
        """Write a data file: a script that hands its value to the page, since pages on file:// may not fetch."""
        self.write(f"data/{key}.js", f"evalharness.receive({json_text(key)},{json_text(value)});\n")

    def write_board(self) -> None:
        title = self.plan.board.title
        data, plotted = table.table(self.plan), plots.plots(self.plan)
        self.page("index.html", "index.html", BOARD_SCRIPTS, title, table=data, plots=plotted, downloads=list(FORMATS))
        for name, form in FORMATS.items():
            self.write(f"downloads/{name}", form(self.plan))

    def write_samples(self) -> None:
        """Write the samples of each task, and keep the values that the pages of systems draw."""
        for task in self.plan.board.tasks:
            samples, place = TaskSamples(self.plan.columns(task)), self.plan.task_slugs[task.name]
            for system in self._with_samples(task.name):
                submission, key = system.submissions[task.name], f"{place}/{self.plan.slugs[system.name]}"
                values = self.values.setdefault(system.name, {})[task.name] = samples.values(submission)
                self.data(f"scores/{key}", samples.scores(values))
                if submission.has_texts:
                    self.data(f"samples/{key}", samples.texts(submission))
            if samples.places:
                self.data(f"samples/{place}", samples.common())

    def _with_samples(self, task: str) -> Iterator[System]:
        for system in self.plan.board.systems:
            submission = system.submissions.get(task)
            if submission is not None and submission.samples is not None:
                yield system

    def write_systems(self) -> None:
        for system in self.plan.board.systems:
            parts = system_pages.parts(self.plan, system, self.values.get(system.name, {}))
            name = f"systems/{self.plan.slugs[system.name]}.html"
            shown = {"system": system, "place": self.plan.places[system.name], "parts": parts}
            other = next((each for each in self.plan.ranked[:2] if each is not system), None)
            self.page(name, "system.html", SYSTEM_SCRIPTS, _short(system.name), other=other, **shown)

    def write_tasks(self) -> None:
        for task in self.plan.board.tasks:
            name = f"tasks/{self.plan.task_slugs[task.name]}.html"
            self.page(name, "task.html", (), task.name, shown=task_pages.page(self.plan, task))

    def write_comparison(self) -> None:
        for name, plain in pairs.pair_files(self.plan):
            self.data(f"systems/{self.plan.slugs[name]}", plain)
        self.page("compare.html", "compare.html", COMPARE_SCRIPTS, "Compare two systems", data=_compared(self.plan, self.values))

    def finish(self) -> None:
        """Note which files there are, so that a later build can tell a site from a folder of somebody's own."""
        self.write(FILES, "".join(f"{name}\n" for name in sorted(path.relative_to(self.out).as_posix() for path in self.written)))


def _short(name: str) -> str:
    """Return a name for the title of a page, which is one line."""
    return name if len(name) <= 80 else f"{name[:79]}…"


def _compared(plan: Plan, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the comparison page must know before it loads anything: systems in the order of the spreads, columns."""
    systems = [_compared_system(plan, system, values.get(system.name, {})) for system in plan.board.systems]
    of_passages = {task.name: task_pages.scores_of_passages(task) for task in plan.board.tasks}
    columns = [{**plain_column(each), "of_passages": each.score in of_passages[each.task]} for each in plan.board.columns]
    ranked = [plan.slugs[row.system] for row in plan.standings.rows]
    ranking = [column.title for column in plan.board.rank.columns]
    return {"systems": systems, "columns": columns, "tasks": dict(plan.task_slugs), "ranked": ranked, "ranking": ranking}


def _compared_system(plan: Plan, system: System, values: Mapping[str, Any]) -> dict[str, Any]:
    records = {task: _record(plan, system, task) for task in system.submissions}
    texts = [task for task in values if system.submissions[task].has_texts]
    return {
        "name": system.name, "slug": plan.slugs[system.name], "records": records, "scores": list(values), "texts": texts,
    }  # fmt: skip


def _record(plan: Plan, system: System, task: str) -> str:
    """Return the folder of a record as it is named from the board's folder."""
    folder = system.submissions[task].folder
    return folder.relative_to(plan.board.folder).as_posix() if folder.is_relative_to(plan.board.folder) else folder.as_posix()
