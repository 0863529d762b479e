"""The lines that a program is asked with and answers with: one JSON object each."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_pipelines.passages import Unusable
from evalharness_pipelines.questions import question
from evalharness_pipelines.replies import response

EXAMPLE = '{"id": 1, "response": "..."}'
CHARACTERS_SHOWN = 200
_ID = re.compile(rb'"id"\s*:\s*"?(\d+)')


@dataclass(frozen=True)
class Reply:
    """What a line says: to which question, None where it cannot be made out, and the answer, or what is wrong with it."""

    number: int | None
    content: dict[str, Any] | None = None
    wrong: str = ""

    def response(self, seconds: float) -> eh.Response:
        """Return the response that it stands for."""
        if self.content is None:
            return failed("server", self.wrong)
        if self.content.get("error") is not None:
            return failed("server", f"the program says: {self.content['error']}")
        try:
            return response(self.content, seconds)
        except Unusable as error:
            return failed("server", str(error))


def asked(number: int, request: eh.Answer) -> bytes:
    """Return the line that asks a question, in ASCII, so that it does not matter how the program decodes it.

    >>> asked(1, eh.Answer(input="Wo läge es?"))
    b'{"id": 1, "input": "Wo l\\\\u00e4ge es?", "contexts": []}\\n'
    """
    return json.dumps({"id": number, **question(request)}).encode() + b"\n"


def read(line: bytes) -> Reply:
    """Return what a line of the program says.

    >>> read(b'{"id": 1, "response": "yes"}').number, read(b"Loading the index...").number
    (1, None)
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        named = _ID.search(line)
        number = int(named[1]) if named else None
        return Reply(number, wrong=f"the program wrote a line that is no JSON ({error}): {shown(line)}; a reply is {EXAMPLE}")
    number = content.get("id") if isinstance(content, dict) else None
    if isinstance(number, str) and number.isdecimal():
        number = int(number)
    if type(number) is int:
        return Reply(number, content)
    return Reply(None, wrong=f"the program wrote a line without the 'id' of a question: {shown(line)}; a reply is {EXAMPLE}")


def shown(line: bytes) -> str:
    """Return the beginning of a line as a message shows it."""
    text = line.decode("utf-8", "backslashreplace").strip()
    return text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}... ({len(line):,} bytes)"


def failed(kind: str, message: str) -> eh.Response:
    """Return the failure of a question, without what is secret in the environment."""
    from evalharness_pipelines.secrets import hidden

    return eh.Response(error=eh.Failure(kind, hidden(message).encode("utf-8", "backslashreplace").decode()))
