"""What is generated for one request, and the rows of tokens that are generated for requests."""

from __future__ import annotations

import random
from collections.abc import Sequence

import evalharness as eh
from evalharness_hf.sharing import Branch, leaves
from evalharness_hf.stopping import Transcript, first_stop
from evalharness_hf.tokens import Tokens


class Continuation:
    """One request and what has been generated for it so far."""

    def __init__(self, request: eh.Generate, prompt: list[int], tokens: Tokens) -> None:
        self.request, self.prompt, self.tokens = request, prompt, tokens
        room = request.max_tokens if tokens.context is None else min(request.max_tokens, tokens.context - len(prompt))
        self.room = max(0, room)
        self.made: list[int] = []
        self.logprobs: list[float] = []
        self.run_tokens = 0
        self.stopped = False
        self.draws = random.Random(int(eh.digest(request.content()), 16))
        self._transcript = Transcript(tokens.decode, request.stop)

    @property
    def done(self) -> bool:
        """Whether nothing more is to be generated."""
        return self.stopped or len(self.made) >= self.room

    def take(self, token: int, logprob: float) -> None:
        """Add the next token, unless it ends the text; what comes when all is done is not taken."""
        if self.done:
            return
        if token in self.tokens.ends:
            self.stopped = True
            return
        self.made.append(token)
        self.logprobs.append(logprob)
        self.stopped = self._transcript.take(token)

    def response(self) -> eh.Response:
        """Return the text up to the first stop string."""
        text = self.tokens.decode(self.made)
        stop = first_stop(text, self.request.stop)
        return eh.Response(
            text=text[:stop],
            finish="stop" if self.stopped or stop is not None else "length",
            logprobs=tuple(self.logprobs),
            input_tokens=len(self.prompt),
            output_tokens=len(self.made),
            run_tokens=self.run_tokens,
        )


class Row:
    """One sequence of tokens that grows, at most `room` tokens more: for one request, or for several with the same tokens.

    `own` are its tokens after those of the branch that it continues.
    """

    def __init__(self, prompt: Sequence[int], room: int, readers: Sequence[Continuation] = ()) -> None:
        self.readers, self.room = readers, room
        self.branch: Branch | None = None
        self.own = list(prompt)
        self._length = len(prompt)

    @property
    def start(self) -> int:
        """Where its own tokens begin."""
        return self.branch.end if self.branch else 0

    @property
    def done(self) -> bool:
        """Whether nothing more is to be generated."""
        return all(reader.done for reader in self.readers)

    @property
    def most(self) -> int:
        """How many own tokens it may come to hold."""
        return self._length - self.start + self.room

    def take(self, token: int, logprob: float) -> None:
        """Add the next token."""
        self.own.append(token)
        for reader in self.readers:
            reader.take(token, logprob)

    def ran(self, tokens: int) -> None:
        """Count prompt tokens that ran for this row; its first request tells of them."""
        self.readers[0].run_tokens += tokens


def rows_of(continuations: Sequence[Continuation]) -> list[Row]:
    """Return the rows that answer requests: one for all greedy ones with equal prompts, none where nothing is to be made."""
    grouped: dict[object, list[Continuation]] = {}
    for number, each in enumerate(continuations):
        if not each.done:
            grouped.setdefault(tuple(each.prompt) if each.request.temperature == 0 else number, []).append(each)
    return [Row(readers[0].prompt, max(reader.room for reader in readers), readers) for readers in grouped.values()]


def in_branches(rows: Sequence[Row], trunk: Branch | None) -> list[Row]:
    """Return the rows in the order of their prompts, each put on the branch that it shares with others."""
    found = leaves([row.own for row in rows], trunk)
    for leaf in found:
        rows[leaf.prompt].branch, rows[leaf.prompt].own = leaf.branch, leaf.tail
    return [rows[leaf.prompt] for leaf in found]
