"""Records in the formats that others read: a table of formats, each a function of records that returns text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.errors import UsageError, nearest
from evalharness.results.export import every_eval_ever, latex, lm_eval, markdown, model_index, trec
from evalharness.results.folder import make, write_text
from evalharness.results.record import Record, read_record


@dataclass(frozen=True)
class Format:
    """One format: what it is, and the function that makes its text of records.

    `write`, where the format has files for samples too, puts those of one run folder into another folder and returns
    their paths.
    """

    description: str
    text: Callable[[Sequence[Record]], str]
    write: Callable[[Path, Path], list[Path]] | None = None


FORMATS = {
    "markdown": Format("a Markdown table, runs side by side", markdown.text),
    "latex": Format("a LaTeX table (booktabs), runs side by side", latex.text),
    "model-index": Format("the metadata of a model card on the Hugging Face Hub (YAML)", model_index.text),
    "every-eval-ever": Format(
        f"the schema of Every Eval Ever, version {every_eval_ever.VERSION}; with --out, samples too",
        every_eval_ever.text,
        every_eval_ever.write,
    ),
    "lm-eval": Format("a results file of lm-evaluation-harness; with --out, samples too", lm_eval.text, lm_eval.write),
    "trec-run": Format("the rankings of samples as a run file of TREC; with --out", trec.text, trec.write),
}


def render(records: Sequence[Record], form: str) -> str:
    """Return records as text in a format of this table, or else of the first plugin that renders it.

    Raises UsageError where nothing knows the format, or where it holds one run only.
    """
    if form in FORMATS:
        return FORMATS[form].text(records).rstrip("\n")
    return "\n".join(_by_plugin(record, form) for record in records)


def refuse_unknown(form: str) -> None:
    """Raise UsageError for a format that nothing can know, before there is a record: where a plugin renders, one might."""
    from evalharness.registry import installed

    if form not in FORMATS and not installed().manager.hook.evalharness_render.get_hookimpls():
        raise _unknown(form)


def _by_plugin(record: Record, form: str) -> str:
    from evalharness.registry import installed

    text = installed().manager.hook.evalharness_render(record=record, format=form)
    if text is None:
        raise _unknown(form)
    return str(text)


def _unknown(form: str) -> UsageError:
    known = ", ".join(FORMATS)
    return UsageError(f"no format is called '{form}', and no plugin renders it.{nearest(form, FORMATS)} There are: {known}.")


def export(runs: Sequence[Path], form: str, out: Path) -> list[Path]:
    """Write runs in a format and return the files: one file `out`, or, for a format with samples, files in a folder `out`.

    `runs` are run folders or record files. Raises DataError where one is none.
    """
    write = FORMATS[form].write if form in FORMATS else None
    if write is not None:
        return [path for run in runs for path in write(run, out)]
    text = render([read_record(run) for run in runs], form)
    make(out.parent)
    write_text(out, text + "\n")
    return [out]
