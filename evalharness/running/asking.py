"""Metrics that ask: their requests go round after round through the same store as the system's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from evalharness.contract import Batch, Failure, Metric, Model, Request, Response
from evalharness.errors import EvalharnessError
from evalharness.scoring.repeats import RESPONSES, Samples
from evalharness.systems.engine import Engine

ROUNDS = 4
Answers = list[list[Response]]
Asking = tuple[Metric, Model]


def fill_answers(asking: Mapping[str, Asking], batches: Callable[[], Iterable[Batch]], engine: Engine) -> None:
    """Ask everything that these metrics want to know over all batches, at most four rounds.

    The requests of one round are given to each model as one list, over all batches and metrics.
    """
    for rounds in range(ROUNDS if asking else 0):
        wanted: dict[Model, list[Request]] = {}
        for batch in batches():
            for metric, model in asking.values():
                pending = replies(metric, batch, model, engine, rounds)[1]
                wanted.setdefault(model, []).extend(request for row in pending for request in row)
        if not any(wanted.values()):
            return
        for model, requests in wanted.items():
            engine.fill(model, requests, name=f"questions {rounds + 1}")


def replies(
    metric: Metric, batch: Batch, model: Model, engine: Engine, rounds: int = ROUNDS
) -> tuple[Answers, list[list[Request]]]:
    """Return the answers of the first rounds, a list per row, and the requests of the round after them.

    Rows in which a field that the metric reads is None ask nothing. A row for which `ask` fails has a failed answer. A
    metric of all repeats of a sample asks once a sample; the answers stand in its first row.
    """
    if RESPONSES in metric.reads and RESPONSES not in batch.columns:
        samples, count = Samples.of(batch), len(batch)
        by_sample, asked = replies(metric, samples.batch(batch), model, engine, rounds)
        return samples.spread(by_sample, count, []), samples.spread(asked, count, [])
    answers: Answers = [[] for _ in range(len(batch))]
    whole = [row for row in range(len(batch)) if all(batch.columns[name][row] is not None for name in metric.reads)]
    requests = _next(metric, batch, answers, whole)
    for _ in range(rounds):
        if not any(requests):
            break
        _distribute(engine.read(model, [request for row in requests for request in row]), requests, answers)
        requests = _next(metric, batch, answers, whole)
    return answers, requests


def _next(metric: Metric, batch: Batch, answers: Answers, rows: Sequence[int]) -> list[list[Request]]:
    """Return what each row asks next; a plugin that fails costs the rows at fault, found by halves, and no others."""
    requests: list[list[Request]] = [[] for _ in range(len(batch))]
    if not rows:
        return requests
    columns = {name: [batch.columns[name][row] for row in rows] for name in metric.reads}
    try:
        asked = metric.ask(**columns, answers=[list(answers[row]) for row in rows])
        if len(asked) != len(rows):
            raise ValueError(f"{len(asked)} lists of requests for {len(rows)} rows")
    except EvalharnessError:
        raise
    except Exception as error:  # a plugin may fail in any way
        if len(rows) == 1:
            failure = Failure("plugin", f"metric '{metric.name}' failed to ask: {type(error).__name__}: {error}")
            answers[rows[0]] = [Response(error=failure)]
            return requests
        middle = len(rows) // 2
        halves = (_next(metric, batch, answers, part) for part in (rows[:middle], rows[middle:]))
        return [first or second for first, second in zip(*halves, strict=True)]
    for row, wanted in zip(rows, asked, strict=True):
        requests[row] = list(wanted)
    return requests


def _distribute(responses: Sequence[Response], requests: Sequence[Sequence[Request]], answers: Answers) -> None:
    given = iter(responses)
    for row, wanted in enumerate(requests):
        answers[row].extend(next(given) for _ in wanted)
