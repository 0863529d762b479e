"""Reads the reply of a service: the answer and its passages, by JSON paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_pipelines.passages import Unusable
from evalharness_pipelines.paths import NothingThere, Path
from evalharness_pipelines.replies import response


@dataclass(frozen=True)
class Reading:
    """Where things stand in a reply. Without a path to contexts those under `contexts` are taken, where there are any."""

    answer: Path | None
    contexts: Path | None
    parts: Mapping[str, Path]

    @classmethod
    def of(cls, answer: str | None, contexts: str | None, text: str | None, key: str | None, score: str | None) -> Reading:
        """Return the reading of these paths; raises ValueError for what is none, or leads to several values."""
        parts = {"text": text, "id": key, "score": score}
        paths = {name: Path(written) for name, written in parts.items() if written is not None}
        found = None if answer is None else Path(answer)
        for path in (*paths.values(), *([] if found is None else [found])):
            if not path.is_single:
                raise ValueError(f"the path '{path.written}' must lead to one value, so it can hold no [*]")
        return cls(found, None if contexts is None else Path(contexts), paths)

    def response(self, content: Any, seconds: float) -> eh.Response:
        """Return the response that a parsed reply holds; raises Unusable."""
        try:
            text = None if self.answer is None else self.answer.value(content)
            contexts = self._contexts(content)
        except NothingThere as error:
            raise Unusable(str(error)) from None
        if self.answer is not None and text is None:
            raise Unusable(
                f"'{self.answer.written}' is null, which is no answer; `response: null` says that there is none to read"
            )
        return response({"response": text, "contexts": contexts}, seconds)

    def _contexts(self, content: Any) -> Any:
        if self.contexts is None:
            found = content.get("contexts") if isinstance(content, Mapping) else None
        elif self.contexts.is_single:
            found = self.contexts.value(content) or []
        else:
            found = self.contexts.values(content)
        return [self._passage(item) for item in found] if isinstance(found, list) else found

    def _passage(self, item: Any) -> Any:
        """Return a passage as a mapping, from the paths that are set; without any, as it is."""
        if not self.parts:
            return item
        own = dict(item) if isinstance(item, Mapping) else {"text": item}
        return {**own, **{name: path.value(item) for name, path in self.parts.items()}}
