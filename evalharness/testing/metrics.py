"""The checks of a metric: what `measure` and `score` must hold so that the harness can add, split and resample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalharness.contract import Metric, Model, Rows
from evalharness.testing.every import EVERY, made, title
from evalharness.testing.measuring import MetricSubject
from evalharness.testing.outcomes import Broken, NotApplicable, Outcome, raise_failed, run_checks

if TYPE_CHECKING:
    from evalharness.scoring.normalise import Normal


def check_metric(
    metric: Metric | type[Metric], columns: Mapping[str, Sequence[Any]] | None = None, *, model: Model | None = None
) -> list[Outcome]:
    """Check that a metric keeps its contract; return the outcome of each check.

    `columns` are what it is tried on, a list a field; without them sample data of the usual fields, with empty texts
    and several scripts. `model` answers metrics that ask; without it the installed model `echo`. A class is built with
    the options of its `example`. Raises ConformanceError, an AssertionError that names every failed check.
    """
    return raise_failed(metric_outcomes(metric, columns, model))


def metric_outcomes(
    metric: Metric | type[Metric], columns: Mapping[str, Sequence[Any]] | None = None, model: Model | None = None
) -> list[Outcome]:
    """Return the outcome of every check of a metric."""
    built = made("metric", metric)
    return run_checks(title(built), EVERY, built) + run_checks(title(built), CHECKS, MetricSubject(built, columns, model))


def states_its_direction_unit_and_range(subject: MetricSubject) -> None:
    metric, bounds = subject.entry.metric, subject.entry.metric.range
    if metric.better not in ("higher", "lower"):
        raise Broken("better is 'higher' or 'lower'", repr(metric.better), 'write better = "higher" in the class')
    if not isinstance(metric.unit, str):
        raise Broken("unit is a text, '' for a bare share", repr(metric.unit), 'write unit = "" in the class')
    if bounds is not None and not (isinstance(bounds, tuple) and len(bounds) == 2 and _ordered(*bounds)):
        mend = "write range = (low, high), (0, None) for positive values, None for signed ones"
        raise Broken("range is a pair with the lower bound first, or None", repr(bounds), mend)


def _ordered(low: float | None, high: float | None) -> bool:
    return low is None or high is None or low < high


def has_distinct_parts(subject: MetricSubject) -> None:
    parts = subject.entry.metric.parts
    wrong = [part for part in parts if not isinstance(part, str) or not part]
    if not isinstance(parts, tuple) or wrong or len(set(parts)) < len(parts):
        mend = 'return a tuple of different suffixes such as ".rouge1" or "@5"'
        raise Broken("parts is a tuple of different texts", repr(parts), mend)


def reads_known_columns(subject: MetricSubject) -> None:
    if not subject.entry.metric.reads and not subject.entry.metric.uses:
        mend = "name the fields as parameters of measure, or in 'reads'"
        raise Broken("it says which fields it reads, or which scores it uses", "none", mend)
    try:
        _ = subject.columns
    except ValueError as error:
        raise Broken("columns to try the metric on", str(error), "see above") from error


def asks_at_most_four_rounds(subject: MetricSubject) -> None:
    if not subject.entry.metric.asks:
        raise NotApplicable("it asks no model")
    _needs_columns(subject)
    _ = subject.answers


def measures_empty_and_unicode_text(subject: MetricSubject) -> None:
    from evalharness.scoring.calls import PluginFault

    _needs_columns(subject)
    for row in range(subject.count):
        try:
            subject.returned_alone(row)
        except PluginFault as error:
            value = {name: values[row] for name, values in subject.columns.items()}
            mend = "give such a sample its value, or Unmeasured with a reason where the quantity is undefined"
            raise Broken("every sample is measured", f"{error}, for {value}", mend) from error


def returns_one_row_per_sample(subject: MetricSubject) -> None:
    from evalharness.scoring.calls import PluginFault

    _needs_columns(subject)
    try:
        subject.measure(range(subject.count))
    except PluginFault as error:
        mend = "return {name: [one number a row]}; for rows without a value, Rows(statistics, unmeasured={row: reason})"
        raise Broken(f"one row of numbers for each of {subject.count} samples", str(error), mend) from error


def measures_some_of_the_samples(subject: MetricSubject) -> None:
    whole = subject.whole
    if not len(whole.rows):
        reasons = ", ".join(sorted(set(whole.reasons.values())))
        raise Broken("at least one sample has a value", f"all are unmeasured: {reasons}", "pass columns that it can measure")


def gives_reasons_in_words(subject: MetricSubject) -> None:
    _ = subject.whole
    returned = subject.returned(subject.arguments(range(subject.count)))
    reasons = returned.unmeasured if isinstance(returned, Rows) else {}
    wrong = {row: reason for row, reason in reasons.items() if not isinstance(reason, str) or not reason.strip()}
    if wrong:
        raise Broken("every unmeasured row has a reason in words", repr(wrong), 'write why, for example "no reference"')


def leaves_its_inputs_untouched(subject: MetricSubject) -> None:
    _ = subject.whole
    arguments, before = subject.arguments(range(subject.count)), subject.arguments(range(subject.count))
    subject.returned(arguments)
    changed = [name for name in subject.entry.metric.reads if arguments[name] != before[name]]
    if changed:
        mend = f"work on a copy: list({changed[0]})"
        raise Broken("columns stay as they are, since other metrics read them too", f"it changed '{changed[0]}'", mend)


def gives_the_same_rows_again(subject: MetricSubject) -> None:
    mend = "seed what is random from the sample itself, and sort sets before iterating"
    _same(subject.whole, subject.measure(range(subject.count)), subject, "measuring twice gives the same rows", mend)


def gives_the_same_rows_whatever_the_batch(subject: MetricSubject) -> None:
    mend = "let a row depend on its own sample only; what needs all samples is a sum in score, or pool = 'rows'"
    whole, count = subject.whole, subject.count
    cut = count // 3
    parts = [subject.measure(range(cut)), subject.measure(range(cut, count))]
    _same(whole, _joined(parts, [0, cut]), subject, "rows do not depend on how samples are cut into batches", mend)
    alone = [subject.alone(row) for row in range(count)]
    _same(whole, _joined(alone, range(count)), subject, "a sample measured alone gives the same row", mend)
    backwards = subject.measure(range(count - 1, -1, -1))
    _same(whole, _reversed(backwards, count), subject, "rows do not depend on the order of samples", mend)


def scores_are_those_that_parts_names(subject: MetricSubject) -> None:
    from evalharness.scoring.calls import PluginFault

    _needs_rows(subject)
    try:
        _total(subject)
    except PluginFault as error:
        mend = "let parts, computed from the options, list exactly the keys that score returns"
        raise Broken("score gives one number, or one for each part", str(error), mend) from error


def score_broadcasts(subject: MetricSubject) -> None:
    import numpy as np

    _only_sums(subject)
    rows = subject.whole.statistics
    count = len(subject.whole.rows)
    weights = np.random.default_rng(0).poisson(1.0, (2, 3, count)).astype(float)
    stacked = {name: np.tensordot(weights, values, 1) for name, values in rows.items()}
    _equal_to_one_by_one(subject, rows, (count,))
    _equal_to_one_by_one(subject, stacked, (2, 3))


def shards_add_up_to_the_whole(subject: MetricSubject) -> None:
    import numpy as np

    _only_sums(subject)
    cut = subject.count // 2
    shards = [subject.measure(range(cut)), subject.measure(range(cut, subject.count))]
    merged = {name: sum(part.statistics[name].sum(0) for part in shards if len(part.rows)) for name in subject.whole.statistics}
    there, here = subject.score(merged, ()), _total(subject)
    for name, value in here.items():
        if not np.isclose(value, there[name], rtol=subject.close, atol=subject.close, equal_nan=True):
            mend = "return sums and counts, and divide in score only"
            raise Broken("the score of merged shards is that of the whole", f"{name}: {there[name]} instead of {value}", mend)


def weights_count_rows(subject: MetricSubject) -> None:
    import numpy as np

    if subject.entry.metric.pool != "rows":
        raise NotApplicable("its statistics add")
    _needs_scores(subject)
    rows, count = subject.whole.statistics, len(subject.whole.rows)
    weights = np.arange(count) % 3
    repeated = {name: np.repeat(values, weights, axis=0) for name, values in rows.items()}
    weighted = subject.score({**rows, "weights": weights}, ())
    plain = subject.score({**repeated, "weights": np.ones(int(weights.sum()), int)}, ())
    for name, value in plain.items():
        if not np.isclose(value, weighted[name], rtol=subject.close, atol=subject.close, equal_nan=True):
            seen = f"{name}: {weighted[name]} with weights, {value} with rows repeated"
            raise Broken("a row of weight 2 counts as two rows, one of weight 0 not at all", seen, "use weights in score")


def stays_in_its_range(subject: MetricSubject) -> None:
    import numpy as np

    _needs_scores(subject)
    low, high = subject.entry.metric.range or (None, None)
    bottom, top = -np.inf if low is None else low - subject.close, np.inf if high is None else high + subject.close
    for name, values in _every_value(subject).items():
        finite = values[np.isfinite(values)]
        outside = (finite < bottom) | (finite > top)
        if outside.any():
            mend = "state the true range = (low, high); intervals and failures rest on it"
            raise Broken(f"values of {name} lie in {subject.entry.metric.range}", f"{finite[outside][0]}", mend)


def _every_value(subject: MetricSubject) -> dict[str, Any]:
    """Return by score name the value of the total and, where a sample has a value of its own, of each sample."""
    import numpy as np

    rows = subject.whole.statistics
    places = range(0 if subject.entry.metric.pool == "rows" else len(subject.whole.rows))
    alone = [subject.score({name: values[place] for name, values in rows.items()}, ()) for place in places]
    return {name: np.array([total, *(scores[name] for scores in alone)]) for name, total in _total(subject).items()}


def _needs_scores(subject: MetricSubject) -> None:
    from evalharness.scoring.calls import PluginFault

    _needs_rows(subject)
    try:
        _total(subject)
    except PluginFault as error:
        raise NotApplicable("score failed") from error


def _needs_columns(subject: MetricSubject) -> None:
    try:
        _ = subject.columns
    except ValueError as error:
        raise NotApplicable("there are no columns") from error


def _needs_rows(subject: MetricSubject) -> None:
    _needs_columns(subject)
    if not len(subject.whole.rows):
        raise NotApplicable("no sample has a value")


def _only_sums(subject: MetricSubject) -> None:
    if subject.entry.metric.pool == "rows":
        raise NotApplicable("its score sees all rows")
    _needs_scores(subject)


def _total(subject: MetricSubject) -> dict[str, Any]:
    import numpy as np

    rows = subject.whole.statistics
    if subject.entry.metric.pool == "rows":
        return subject.score({**rows, "weights": np.ones(len(subject.whole.rows), int)}, ())
    return subject.score({name: values.sum(0) for name, values in rows.items()}, ())


def _equal_to_one_by_one(subject: MetricSubject, stacked: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Raise Broken where a score over leading axes is not that of each place alone."""
    import numpy as np

    from evalharness.scoring.calls import PluginFault

    expected = "score takes many totals at once along leading axes, and gives each the value that it has alone"
    mend = "use numpy operations that work along the last axis: np.where(a > 0, x, y) instead of if; sum(-1), not sum()"
    try:
        together = subject.score(stacked, shape)
    except PluginFault as error:
        raise Broken(expected, str(error), mend) from error
    for place in np.ndindex(*shape):
        alone = subject.score({name: values[place] for name, values in stacked.items()}, ())
        for name, value in alone.items():
            if not np.isclose(value, together[name][place], rtol=subject.close, atol=subject.close, equal_nan=True):
                raise Broken(expected, f"{name} at {place}: {together[name][place]} among others, {value} alone", mend)


def _same(expected: Normal, found: Normal, subject: MetricSubject, rule: str, mend: str) -> None:
    import numpy as np

    if expected.reasons != found.reasons:
        raise Broken(rule, f"other rows are unmeasured: {expected.reasons}, then {found.reasons}", mend)
    for name, values in expected.statistics.items():
        others = found.statistics.get(name)
        if others is None or others.shape != values.shape:
            raise Broken(rule, f"'{name}' has shape {values.shape}, then {None if others is None else others.shape}", mend)
        equal = values == others if values.dtype == object else np.isclose(values, others, subject.close, subject.close, True)
        if not np.all(equal):
            row = int(np.argwhere(~np.asarray(equal, bool))[0][0])
            where = int(expected.rows[row])
            raise Broken(rule, f"'{name}' of row {where} is {values[row]}, then {others[row]}", mend)
    for row in sorted({*expected.evidence, *found.evidence}):
        evidence = expected.evidence.get(row), found.evidence.get(row)
        if not _alike(*evidence, subject.close):
            raise Broken(rule, f"the evidence of row {row} is {evidence[0]}, then {evidence[1]}", mend)


def _alike(value: Any, other: Any, close: float) -> bool:
    """Return whether two plain values are the same, numbers within a tolerance."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(_alike(value[key], other[key], close) for key in value)
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(value) == len(other) and all(_alike(*pair, close) for pair in zip(value, other, strict=True))
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=close, abs_tol=close)
    return bool(value == other)


def _joined(parts: Sequence[Normal], starts: Sequence[int]) -> Normal:
    """Return the rows of batches that follow each other as those of one batch."""
    import numpy as np

    kept = [part for part in parts if len(part.rows)]
    rows = np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=True)])
    reasons = {row + start: why for part, start in zip(parts, starts, strict=True) for row, why in part.reasons.items()}
    evidence = {row + start: items for part, start in zip(parts, starts, strict=True) for row, items in part.evidence.items()}
    names = kept[0].statistics if kept else ()
    statistics = {name: _stacked([part.statistics[name] for part in kept]) for name in names}
    return type(parts[0])(rows, statistics, {}, reasons, evidence)


def _stacked(columns: Sequence[Any]) -> Any:
    import numpy as np

    try:
        return np.concatenate(columns)
    except ValueError:
        shapes = sorted({column.shape[1:] for column in columns})
        mend = "give every row an array of one shape that follows from the options"
        raise Broken(
            "the shape of a statistic depends on the options alone", f"shapes {shapes} in different batches", mend
        ) from None


def _reversed(found: Normal, count: int) -> Normal:
    statistics = {name: values[::-1] for name, values in found.statistics.items()}
    reasons = {count - 1 - row: why for row, why in found.reasons.items()}
    evidence = {count - 1 - row: items for row, items in found.evidence.items()}
    return type(found)(count - 1 - found.rows[::-1], statistics, {}, reasons, evidence)


CHECKS = (
    states_its_direction_unit_and_range, has_distinct_parts, reads_known_columns, asks_at_most_four_rounds,
    measures_empty_and_unicode_text, returns_one_row_per_sample, measures_some_of_the_samples, gives_reasons_in_words,
    leaves_its_inputs_untouched, gives_the_same_rows_again, gives_the_same_rows_whatever_the_batch,
    scores_are_those_that_parts_names, score_broadcasts, shards_add_up_to_the_whole, weights_count_rows, stays_in_its_range,
)  # fmt: skip
