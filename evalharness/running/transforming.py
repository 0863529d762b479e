"""The chain of transforms between responses and metrics, and what each of them made of a text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalharness.contract import Failure, Response, Transform

Span = tuple[int, int]
MODEL = "model"


@dataclass
class Transforming:
    """Responses on their way through the chain; `spans` are the rows of each sample, first and one after the last.

    `steps`: for each row what the model said, then each text that a transform made of the one before where the two
    differ; None where there is no text. `marks`: columns of what transforms note about a text.
    """

    responses: list[Response]
    spans: Sequence[Span]
    steps: list[list[dict[str, str]] | None]
    marks: dict[str, list[Any]]

    @classmethod
    def of(cls, responses: Sequence[Response], spans: Sequence[Span]) -> Transforming:
        """Return responses before the chain."""
        steps = [None if response.text is None else [{"by": MODEL, "text": response.text}] for response in responses]
        return cls(list(responses), spans, steps, {})

    def apply(self, transform: Transform) -> None:
        """Change all texts, those of one sample together; where that fails it is a failure of the sample's responses."""
        if transform.marks:
            self._mark(transform)
        for start, stop in self.spans:
            rows = [row for row in range(start, stop) if self.responses[row].text is not None]
            alone = type(transform).apply_repeats is Transform.apply_repeats  # then a fault of one is no fault of the others
            for part in [[row] for row in rows] if alone else [rows]:
                self._change(transform, part)

    def columns(self) -> dict[str, list[Any]]:
        """Return what samples show of the chain: its steps where they changed something, and the marks."""
        changed = [steps if steps is not None and len(steps) > 1 else None for steps in self.steps]
        return {"transforms": changed, **self.marks}

    def _change(self, transform: Transform, rows: Sequence[int]) -> None:
        if not rows:
            return
        try:
            texts = transform.apply_repeats([self.responses[row].text or "" for row in rows])
            _check(texts, len(rows))
        except Exception as error:  # a plugin may fail in any way
            failure = Failure("plugin", f"transform '{transform.name}' failed: {type(error).__name__}: {error}")
            for row in rows:
                self.responses[row] = Response(error=failure)
            return
        for row, text in zip(rows, texts, strict=True):
            self._take(transform, row, text)

    def _take(self, transform: Transform, row: int, text: str) -> None:
        steps = self.steps[row]
        if steps is not None and text != self.responses[row].text:
            steps.append({"by": transform.name, "text": text})
            self.responses[row] = dataclasses.replace(self.responses[row], text=text)

    def _mark(self, transform: Transform) -> None:
        column = self.marks.setdefault(transform.marks, [None] * len(self.responses))
        for row, response in enumerate(self.responses):
            if response.text is None:
                continue
            try:
                column[row] = transform.mark(response.text)
            except Exception as error:  # a plugin may fail in any way
                failure = Failure("plugin", f"transform '{transform.name}' failed: {type(error).__name__}: {error}")
                self.responses[row] = Response(error=failure)


def _check(texts: Any, count: int) -> None:
    if not isinstance(texts, list) or len(texts) != count:
        raise TypeError(f"it returned {type(texts).__name__}, not a list of {count} texts")
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None or None in texts:
        raise TypeError(f"it returned {type(wrong).__name__}, not a text")
