"""The plan of a run in words and as JSON: what it would take, and the smallest difference that it could show."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalharness.comparison.plan import Plan, Row, past_runs, plan
from evalharness.comparison.words import amount
from evalharness.results.wording import counted
from evalharness.scoring import Score
from evalharness.scoring.power import binary_detectable
from evalharness.systems.budget import Limits, Taken, money

if TYPE_CHECKING:
    from evalharness.running.forecast import ModelOutlook, Outlook
    from evalharness.running.looking import MetricOutlook

SELDOM = 0.2  # two systems that are worth comparing seldom differ on more of the samples
WIDTH = 78


@dataclasses.dataclass(frozen=True, kw_only=True)
class Detectable:
    """The smallest difference of one score that is shown with 80 % power at 95 % confidence, in the score's unit, and in words.

    `difference` comes from past runs of the task (None: too few samples). Without any there are two for a mean of bounded
    values: `seldom`, if the systems differ on a fifth of the samples (None: too few samples), and `worst`, if on all of them
    and if the samples of a group are all alike.
    """

    score: str
    words: str
    difference: float | None = None
    seldom: float | None = None
    worst: float | None = None


def detectables(outlook: Outlook, past: Plan) -> Iterator[Detectable]:
    """Yield what each score could show."""
    rows = {row.score: row for row in past.rows}
    for name in outlook.scores:
        if name in rows:
            yield _after_runs(rows[name], outlook.ranges.get(name))
        elif name in outlook.ranges:
            yield _before_any_run(name, outlook)
        else:
            yield Detectable(score=name, words="known after a first run")


def _after_runs(row: Row, bounds: tuple[float, float] | None) -> Detectable:
    found: float | None = row.detectable
    if bounds is not None and row.detectable > bounds[1] - bounds[0]:  # no two values are so far apart
        found = None
    words = "none, with so few samples" if found is None else amount(found, row.example)
    return Detectable(score=row.score, words=f"{words} ({_basis(row)})", difference=found)


def _before_any_run(name: str, outlook: Outlook) -> Detectable:
    low, high = outlook.ranges[name]
    score = Score(value=None, range=[low, high])
    share = binary_detectable(SELDOM, outlook.samples)
    seldom = (high - low) * share if share < SELDOM else None  # no difference is larger than the share that differs
    worst = (high - low) * binary_detectable(1.0, outlook.groups)
    usual = "none" if seldom is None else amount(seldom, score)
    words = f"{usual} if the systems differ on a fifth of the samples, {amount(worst, score)} at worst"
    return Detectable(score=name, words=words, seldom=seldom, worst=worst)


def _basis(row: Row) -> str:
    return f"{row.basis}, {counted(row.pairs, 'pair')} of past runs" if row.pairs else f"{row.basis}, one past run"


def plain(outlook: Outlook, shown: Sequence[Detectable], limits: Limits) -> dict[str, Any]:
    """Return the plan as JSON knows it."""
    return {
        "task": outlook.task.name, "system": outlook.task.system.name,
        "samples": outlook.samples, "groups": outlook.groups, "repeats": outlook.task.repeats,
        "retrieval": {"queries": outlook.queries, "searched": outlook.searched},
        "models": [_model(one) for one in outlook.models],
        "metrics": [dataclasses.asdict(one) for one in outlook.metrics],
        "detectable": [dataclasses.asdict(one) for one in shown],
        "may_reach": reached(outlook, limits),
    }  # fmt: skip


def _model(one: ModelOutlook) -> dict[str, Any]:
    return {
        "model": one.model, "sold": one.sold, "kind": one.kind, "asked_by": list(one.asked_by),
        "requests": one.requests, "stored": one.stored, "to_ask": one.requests - one.stored,
        "input_tokens": one.forecast.input_tokens, "counted": one.forecast.counted,
        "most_input_tokens": one.most.input_tokens, "shared_tokens": one.forecast.shared_tokens,
        "output_tokens": one.written, "most_output_tokens": one.forecast.most_output_tokens,
        "cost": one.cost, "most_cost": one.most_cost, "seconds": one.seconds, "known_answers": one.known,
    }  # fmt: skip


def reached(outlook: Outlook, limits: Limits) -> list[str]:
    """Return which limits the requests that are known may reach, as they were given."""
    every = Taken(
        sum(one.requests - one.stored for one in outlook.models),
        sum(one.most.input_tokens for one in outlook.models),
        sum(one.most.output_tokens for one in outlook.models),
        sum(one.most_cost or 0.0 for one in outlook.models),
    )
    alone = (Limits(requests=limits.requests), Limits(tokens=limits.tokens), Limits(cost=limits.cost))
    return [told for limit in alone if (told := limit.exceeded(every))]


def text(outlook: Outlook, shown: Sequence[Detectable], limits: Limits) -> str:
    """Return the plan in words, for 80 columns."""
    return "\n".join(part for line in _lines(outlook, shown, limits) for part in _wrapped(line))


def _wrapped(line: str) -> list[str]:
    import textwrap

    indent = 12 if line.startswith("  ") else 2
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False) or [""]


def _lines(outlook: Outlook, shown: Sequence[Detectable], limits: Limits) -> Iterator[str]:
    task = outlook.task
    groups = "" if task.group is None else f" in {counted(outlook.groups, 'group')}"
    repeats = "" if task.repeats == 1 else f", each {task.repeats} times"
    yield f"{task.name} · {task.system.name} · {counted(outlook.samples, 'sample')}{groups}{repeats}: a plan, no model was asked"
    if outlook.queries:
        yield (
            f"retrieval: {outlook.queries:,} queries, {outlook.searched:,} of them searched now: "
            "it is local work, and stored for the run"
        )
    for model in outlook.models:
        yield ""
        yield from _of_model(model)
    if not outlook.models:
        yield "no model would be asked"
    if outlook.metrics:
        yield ""
        yield from map(_of_metric, outlook.metrics)
    for limit in reached(outlook, limits):
        yield f"the limit {limit} may be reached"
    if shown:
        yield ""
        yield "smallest difference that could be shown (paired, 80 % power, 95 % confidence):"
        yield from _differences(shown)


def _differences(shown: Sequence[Detectable]) -> Iterator[str]:
    """Yield what is shown of scores, those together of which the same is to be said."""
    scores: dict[str, list[str]] = {}
    for one in shown:
        scores.setdefault(one.words, []).append(one.score)
    yield from (f"  {', '.join(names)}: {words}" for words, names in scores.items())


def _of_model(one: ModelOutlook) -> Iterator[str]:
    todo = one.requests - one.stored
    yield f"{one.model}, {one.kind}, for {' and '.join(one.asked_by)}"
    yield f"  requests  {one.requests:,}, of which {one.stored:,} are stored: {todo:,} to ask"
    if not todo:
        return
    yield f"  read      {_read(one)}"
    yield f"  written   {_written(one)}"
    yield f"  cost      {_cost(one)}"
    yield f"  time      {_time(one)}"


def _read(one: ModelOutlook) -> str:
    expected = one.forecast
    how = "tokens, counted by its tokenizer" if expected.counted else "tokens, estimated at four characters each"
    shared = f"; up to {expected.shared_tokens:,} need not run, since prompts share them" if expected.shared_tokens else ""
    return f"{expected.input_tokens:,} {how}{shared}"


def _written(one: ModelOutlook) -> str:
    most = one.forecast.most_output_tokens
    if not most:
        return "nothing: likelihoods only" if one.kind in ("choose", "likelihood") else "nothing"
    if one.written is None:
        return f"at most {most:,} tokens; how many is not known before the first answers"
    return f"{one.written:,} tokens if they are as long as {_past(one)}; at most {most:,}"


def _past(one: ModelOutlook) -> str:
    return f"the {one.known:,} answers before" if one.known > 1 else "the one answer before"


def _cost(one: ModelOutlook) -> str:
    if not one.sold:
        return "none"
    if one.most_cost is None:
        return "not known: the system's prices do not have this model"
    if one.cost is None:
        return f"at most {money(one.most_cost)} US dollars"
    return f"{money(one.cost)} US dollars; at most {money(one.most_cost)}"


def _time(one: ModelOutlook) -> str:
    if one.seconds is None:
        return "not known before the first answers"
    return f"{duration(one.seconds)}, as {_past(one)} took"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> [duration(seconds) for seconds in (0.02, 42.4, 150, 5400, 200_000)]
    ['under 1 s', '42 s', '2.5 min', '1.5 h', '2.3 days']
    """
    if seconds < 1:
        return "under 1 s"
    for size, unit, until in ((1, "s", 100), (60, "min", 5_400), (3_600, "h", 172_800)):
        if seconds < until:
            return f"{seconds / size:.0f} {unit}" if size == 1 else f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def _of_metric(one: MetricOutlook) -> str:
    if not one.requests and one.waiting:
        return f"{one.metric} asks {one.model}: how much depends on the answers, of which none is stored"
    least = "at least " if one.open or one.waiting else ""
    rest = f"; what it asks of the {one.waiting:,} others depends on their answers" if one.waiting else ""
    more = "; whether it asks more depends on the replies" if one.open and not rest else ""
    requests = counted(one.requests, "request")
    return f"{one.metric} asks {one.model} {least}{requests}, of which {one.stored:,} are stored{rest or more}"


def forecast(task: Path, options: dict[str, Any], limits: Limits) -> tuple[Outlook, list[Detectable]]:
    """Return the plan of a run with these options of the command, and the differences that it could show."""
    from evalharness.running.forecast import forecast as look

    names = ("system", "model", "responses", "overrides", "limit", "strict", "store", "fresh")
    outlook = look(task, limits=limits, **{name: options[name] for name in names})
    folder = Path("runs", outlook.task.name)
    runs = past_runs(outlook.task, folder) if folder.is_dir() else []
    return outlook, list(detectables(outlook, plan(outlook.task, runs, samples=outlook.samples)))
