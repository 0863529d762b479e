"""The plots of the board page: the ranking value with intervals, rank sets, and cost against quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from evalharness.leaderboard.board import Submission, System
from evalharness.leaderboard.site.plan import Plan, value_title
from evalharness.leaderboard.standing import Standing
from evalharness.pages import charts

MOST_ROWS = 40


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A chart with its title, and in words what it shows."""

    id: str
    title: str
    text: str
    spec: dict[str, Any]


def plots(plan: Plan) -> list[Plot]:
    """Return the plots of a board for which there is anything to draw."""
    rows = [row for row in plan.standings.rows if row.value is not None]
    return [*_intervals(plan, rows), *_ranks(rows), *_costs(plan, rows)]


def _intervals(plan: Plan, rows: list[Standing]) -> Iterator[Plot]:
    bars = [charts.Bar(name=row.system, value=row.value, low=row.low, high=row.high) for row in rows if row.value is not None]
    if bars:
        text = f"Each system {plan.standings.rule}, best first, with its 95 % interval.{_first(len(bars))}"
        yield Plot(id="values", title="Value", text=text, spec=charts.intervals(bars[:MOST_ROWS], value_title(plan)))


def _ranks(rows: list[Standing]) -> Iterator[Plot]:
    sets = [(row.system, row.rank_low, row.rank_high) for row in rows if row.rank_low is not None and row.rank_high is not None]
    if sets:
        text = f"The ranks that each system may have; with a chance of 95 % all true ranks lie in their bars.{_first(len(sets))}"
        yield Plot(id="ranks", title="Rank", text=text, spec=charts.ranks(sets[:MOST_ROWS]))


def _first(count: int) -> str:
    return f" The first {MOST_ROWS} of {count:,} systems." if count > MOST_ROWS else ""


def _costs(plan: Plan, rows: list[Standing]) -> Iterator[Plot]:
    kinds = (
        ("seconds", "Time and quality", "seconds per response", _seconds),
        ("tokens", "Tokens and quality", "tokens per response", _tokens),
    )
    for name, title, unit, cost in kinds:
        points = [point for row in rows if (point := _point(plan.systems[row.system], row, cost))]
        if len(points) > max(1, len(rows) // 2):  # a plot of few of the systems would mislead
            left_out = (
                f"{len(rows) - len(points)} systems whose record does not tell are left out." if len(points) < len(rows) else ""
            )
            front = "The dashed line is the front: nothing else is as good for less."
            text = f"{unit.capitalize()} against {value_title(plan)}. {front} {left_out}".strip()
            spec = charts.cost_and_quality(points, unit, value_title(plan), plan.board.rank.better)
            yield Plot(id=name, title=title, text=text, spec=spec)


def _point(system: System, row: Standing, cost: Callable[[Submission], float | None]) -> charts.Point | None:
    costs = [cost(submission) for submission in system.submissions.values()]
    known = [each for each in costs if each is not None]
    asked = sum(_asked(submission) for submission in system.submissions.values())
    if row.value is None or not asked or len(known) < len(costs):
        return None
    return charts.Point(name=row.system, cost=sum(known) / asked, quality=row.value, low=row.low, high=row.high)


def _asked(submission: Submission) -> int:
    """Return how many samples a run asked for, each as often as it was repeated."""
    return max((score.samples + score.missing for score in submission.record.scores.values()), default=0)


def _seconds(submission: Submission) -> float | None:
    """Return the seconds in which a service gave all responses or, where none was stored before, those of the run."""
    usage = submission.record.usage
    spent = usage.get("responses") or {}
    if spent.get("timed"):
        return float(spent["latency"])
    return None if usage.get("from_store") or not usage.get("seconds") else float(usage["seconds"])


def _tokens(submission: Submission) -> float | None:
    """Return the tokens that the system's responses read and wrote, whenever they were asked for; None without any."""
    spent = submission.record.usage.get("responses") or {}
    return float(spent.get("input_tokens", 0) + spent.get("output_tokens", 0)) or None
