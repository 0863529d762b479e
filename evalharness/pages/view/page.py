"""Writes the page of a run: what is said once by a template, the samples as they stream from their file."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from evalharness.errors import DataError
from evalharness.pages import charts
from evalharness.pages.render import TABULATOR, VEGA, environment, inlined
from evalharness.pages.view.chunks import INDEX_ROWS, Pieces
from evalharness.pages.view.figures import figure_charts
from evalharness.pages.view.prompts import Prompts
from evalharness.pages.view.training import training_charts
from evalharness.results import Record, read_record
from evalharness.results.folder import SAMPLES, folder_of, whole
from evalharness.results.samples import read_rows, read_values
from evalharness.results.wording import notes, number, stopped

if TYPE_CHECKING:
    from evalharness.scoring import Score

VIEW = "view.html"
SCRIPTS = (
    "js/dom.js", "js/evidence.js", TABULATOR, "js/view/samples.js", "js/view/search.js", "js/view/sample.js",
    "js/view/slices.js", "js/view/table.js", *VEGA, "js/charts.js",
)  # fmt: skip
STYLES = ("css/view.css",)
# Where the samples go: no text of a record can hold it, since `<` is escaped there.
INDEX_HERE, END = "<!-- index -->", "</body>"


def write_view(run: str | Path, out: str | Path | None = None) -> Path:
    """Write the page of a run folder, or of the one that a record file stands in, and return its path.

    By default it is `view.html` in the run folder. The page is one file that opens without a network and holds every
    sample. Raises DataError where there is no finished run or the file cannot be written.
    """
    record, folder = read_record(run), folder_of(Path(run))
    if not (folder / SAMPLES).is_file():
        raise DataError(f"{folder} is no finished run: it has no {SAMPLES}. Give the folder that 'evalharness run' wrote.")
    path = folder / VIEW if out is None else Path(out)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as index, tempfile.TemporaryFile("w+", encoding="utf-8") as texts:
        pieces = Pieces(index, texts, Prompts.of(folder, record))
        for rows in read_rows(folder / SAMPLES, INDEX_ROWS):
            pieces.add(rows)
        with whole(path) as temporary, temporary.open("w", encoding="utf-8") as page:
            _write(page, _page(record, pieces, read_values(folder / SAMPLES), folder), index, texts)
    return path


def _write(page: IO[str], text: str, index: IO[str], texts: IO[str]) -> None:
    """Write the page: the index before the scripts, the texts after them, so that samples are listed while these load."""
    before, _, rest = text.partition(INDEX_HERE)
    scripts, _, after = rest.rpartition(END)
    for part, file in ((before, index), (scripts, texts)):
        page.write(part)
        file.seek(0)
        shutil.copyfileobj(file, page, 1 << 20)
    page.write(END + after)


def _page(record: Record, pieces: Pieces, values: Mapping[str, Any], folder: Path) -> str:
    """Return the page without its samples."""
    return environment().get_template("view.html").render(
        shell=inlined(SCRIPTS, STYLES),
        title=f"{record.task['name']} · {record.system['name']}",
        record=record,
        system=shown(record.system),
        stopping=None if record.stopping is None else stopped(record.stopping),
        facts={name: _facts(values) for name, values in _sections(record)},
        scores=[(name, score, list(_told(score))) for name, score in record.scores.items()],
        figures=figure_charts(folder),
        training=training_charts(folder),
        distributions=list(_distributions(record, values)),
        meta=_meta(record, pieces),
        samples=pieces.samples,
    )  # fmt: skip


def _told(score: Score) -> Iterator[str]:
    """Yield what a reader must know beside the number."""
    yield from notes(score)
    if score.as_worst:
        yield f"{score.as_worst:,} failures of the system counted as worst"
    if score.bounds is not None:
        low, high = map(number, score.bounds)
        yield f"between {low} and {high}, whatever the samples left out would have got"


def _distributions(record: Record, values: Mapping[str, Any]) -> Iterator[tuple[str, str, charts.Spec]]:
    """Yield for each score whose samples have values its name, a sentence and the chart."""
    for name, score in record.scores.items():
        found = [value for value in values[name].tolist() if value == value] if name in values else []
        if found:
            told = f"{len(found):,} samples, {number(min(found))} to {number(max(found))}"
            yield name, told, charts.histogram(found, score.unit or name)


def _sections(record: Record) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from (("Task", record.task), ("Data", record.dataset), ("Provenance", record.provenance))


def _facts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: shown(value) for name, value in values.items() if value is not None}


def shown(value: Any) -> str:
    """Return a plain value as a reader wants it: text as it is, the rest as JSON.

    >>> shown("a"), shown(1), shown(True)
    ('a', '1', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _meta(record: Record, pieces: Pieces) -> dict[str, Any]:
    """Return what the scripts need to read the index."""
    metrics = list(pieces.metrics)
    shown = {
        name: {"metric": metric_of(name, metrics), "better": score.better, "unit": score.unit, "range": score.range}
        for name, score in record.scores.items()
    }
    return {
        "samples": pieces.samples, "index": pieces.index_pieces, "starts": pieces.starts, "grouped": pieces.grouped,
        "scores": shown, "statuses": pieces.statuses.texts, "failures": pieces.failures.texts,
        "slices": pieces.slices.found(),
    }  # fmt: skip


def metric_of(score: str, metrics: Sequence[str]) -> str | None:
    """Return the metric that a score is a part of: the longest name that it starts with.

    >>> metric_of("rouge.rougeL", ["rouge", "rouge.x"]), metric_of("bleu", ["rouge"])
    ('rouge', None)
    """
    return max((name for name in metrics if score.startswith(name)), key=len, default=None)
