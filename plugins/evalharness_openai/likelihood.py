"""Log-probabilities of a prompt: asked for in the way that a server knows, and told apart by token."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import evalharness as eh
from evalharness_openai import bodies
from evalharness_openai.connection import Connection, Refused
from evalharness_openai.faults import Said
from evalharness_openai.replies import first_choice, usage

WAY = "prompt log-probabilities"
SAME = 0.1  # in natural logarithms: servers differ by less from one question to the next
_OF_THE_WAY = re.compile(r"logprob|logits_all|\becho\b|decoder_input_details", re.I)
_BYTES = re.compile(r"^bytes:((?:\\x[0-9a-fA-F]{2})+)$")


@dataclass(frozen=True)
class Echo:
    """The tokens of a text with their log-probabilities (None: not told), what was generated after it included.

    `written` is how many of the last tokens were generated, None where that is not told.
    """

    tokens: Sequence[str]
    logprobs: Sequence[float | None]
    written: int | None
    used: Mapping[str, Any]

    @property
    def read(self) -> int:
        """How many of the tokens are of the text, with what the server puts before it."""
        return len(self.tokens) - (1 if self.written is None else self.written)

    @property
    def hides_characters(self) -> bool:
        """Whether a token is half a character that the server could not write."""
        return any("\ufffd" in token or not token for token in self.tokens)


async def choose(connection: Connection, request: eh.Choose, parameters: Mapping[str, Any]) -> eh.Response:
    """Return the log-likelihood of each choice given the prompt; one question each. A prompt is plain text."""
    if not isinstance(request.prompt, str):
        raise Refused("turns", Said("log-likelihoods are those of plain text, which no chat template makes of turns here"))
    found, alone = [], None
    spent: Counter[str] = Counter()
    for choice in request.choices:
        text = request.prompt + request.delimiter + choice
        echo = _counted(await echoed(connection, text, parameters), spent)
        scored = continuation(echo, text, len(_bytes(request.prompt)))
        if scored is None:  # no telling by the text: by the tokens of the prompt alone, then
            if alone is None and request.prompt:
                alone = _counted(await echoed(connection, request.prompt, parameters), spent)
            scored = after_common_prefix(echo, alone)
        found.append(scored)
    used: dict[str, Any] = dict(spent)
    return eh.Response(
        logprobs=tuple(math.fsum(told(scored.logprobs)) for scored in found),
        tokens=tuple(len(scored.logprobs) for scored in found),
        merged=sum(scored.merged for scored in found),
        **used,
    )


def _counted(echo: Echo, spent: Counter[str]) -> Echo:
    spent.update({"run_tokens": echo.used["input_tokens"], **echo.used})
    return echo


async def likelihood(connection: Connection, request: eh.Likelihood, parameters: Mapping[str, Any]) -> eh.Response:
    """Return the log-probability of each token of a text; of the first one only where the server puts a token before it."""
    echo = await echoed(connection, request.text, parameters)
    found = ends(echo, request.text, 0)
    if found is None:  # one of the tokens is half a character: what the server puts before a text is not told apart
        found = list(range(1, echo.read + 1))
    values = [echo.logprobs[place] for place, end in enumerate(found) if end > 0]
    scored = [value for place, value in enumerate(values) if place or value is not None]
    if None in scored:
        raise Refused("malformed", Said("log-probabilities are missing in the middle of the text"))
    return eh.Response(logprobs=tuple(told(scored)), **echo.used)


async def echoed(connection: Connection, text: str, parameters: Mapping[str, Any]) -> Echo:
    """Return the tokens of a text as the server scores them; how to ask is found out by the first question."""
    if WAY not in connection.learned:
        async with connection.learning:
            if WAY not in connection.learned:
                return await _first(connection, text, parameters)
    return await WAYS[connection.learned[WAY]](connection, text, parameters)


async def _first(connection: Connection, text: str, parameters: Mapping[str, Any]) -> Echo:
    """Try each way of asking until one gives log-probabilities; raises Refused, `no likelihood`, where none does."""
    reasons = []
    for way, ask in WAYS.items():
        try:
            echo = await ask(connection, text, parameters)
        except Refused as refused:
            if not _tells_of_the_way(refused):
                raise
            reasons.append(f"{way}: {f'HTTP {refused.status}, ' if refused.status else ''}{refused.said.message}")
        else:
            connection.learned[WAY] = way
            return echo
    raise Refused("no likelihood", Said("; ".join(reasons)))


def _tells_of_the_way(refused: Refused) -> bool:
    """Whether a refusal comes from the way of asking rather than from this text, a busy server or a wrong key."""
    if refused.key in ("no likelihood", "404"):
        return True
    return refused.key in ("400", "422", "parameter", "500") and _OF_THE_WAY.search(refused.said.everything) is not None


async def _by_echo(connection: Connection, text: str, parameters: Mapping[str, Any]) -> Echo:
    """Ask as OpenAI's older interface has it, and vLLM, SGLang and llama-cpp-python after it."""
    kept = {name: value for name, value in parameters.items() if name not in bodies.OF_TEXTS}
    body = bodies.with_parameters(bodies.scored_body(text, connection.model), kept)
    reply = await connection.post("completions", body)
    given = first_choice(reply).get("logprobs")
    given = given if isinstance(given, Mapping) else {}
    tokens, values = given.get("tokens"), given.get("token_logprobs")
    written = (reply.get("usage") or {}).get("completion_tokens")
    # A server that knows no echo gives the one token that it wrote, if anything.
    if not tokens or not values or len(tokens) != len(values) or (len(tokens) < 2 and len(text) > len(str(tokens[0]))):
        raise Refused("no likelihood", Said("the answer holds no log-probabilities of the prompt"))
    return Echo(tokens, values, written if isinstance(written, int) else None, usage(reply))


async def _by_details(connection: Connection, text: str, parameters: Mapping[str, Any]) -> Echo:
    """Ask as text-generation-inference has it beside the interface of OpenAI."""
    reply = await connection.post("/generate", bodies.scored_body_of_tgi(text))
    prefill = (reply.get("details") or {}).get("prefill")
    if not isinstance(prefill, list) or not prefill:
        raise Refused("no likelihood", Said("the answer holds no details.prefill"))
    tokens = [str(token.get("text", "")) for token in prefill]
    used = {"input_tokens": len(tokens), "output_tokens": 1}
    return Echo(tokens, [token.get("logprob") for token in prefill], 0, used)


WAYS = {"/completions with echo": _by_echo, "/generate with decoder_input_details": _by_details}


@dataclass(frozen=True)
class Continuation:
    """The log-probabilities of a choice's tokens, and whether the first of them begins in the context."""

    logprobs: Sequence[float | None]
    merged: bool


def told(values: Sequence[float | None]) -> list[float]:
    """Return log-probabilities, at least one and all of them told."""
    if not values or None in values:
        raise Refused("first token", Said("nothing stands before it, and the server puts nothing there"))
    return [float(value) for value in values if value is not None]


def continuation(echo: Echo, text: str, boundary: int) -> Continuation | None:
    """Return what reaches beyond `boundary` (in bytes), at least one token; None where the text does not tell."""
    found = ends(echo, text, boundary)
    if found is None:
        return None
    first = next((place for place, end in enumerate(found) if end > boundary), len(found))
    merged = first < len(found) and (found[first - 1] if first else 0) < boundary
    return Continuation(echo.logprobs[min(first, len(found) - 1) : len(found)], merged)


def after_common_prefix(echo: Echo, alone: Echo | None) -> Continuation:
    """Return what comes after the longest common prefix with the tokens of the context alone, at least one token."""
    size = 0 if alone is None else alone.read
    common = 0
    while common < min(size, echo.read) and alone is not None and _is_equal(echo, alone, common):
        common += 1
    return Continuation(echo.logprobs[min(common, echo.read - 1) : echo.read], common < size)


def _is_equal(one: Echo, other: Echo, place: int) -> bool:
    """Return whether two texts have the same token at a place; what is half a character is told by its log-probability."""
    if one.tokens[place] != other.tokens[place]:
        return False
    first, second = one.logprobs[place], other.logprobs[place]
    return first is None or second is None or abs(first - second) < SAME


def ends(echo: Echo, text: str, boundary: int) -> list[int] | None:
    """Return where each token of the text ends, in bytes, exactly from the boundary on; before it at most there.

    Tokens are laid along the text from its end, so that what a server puts before it (a token that begins a text) and how
    it writes half characters earlier on do not matter. None where half characters are in the way; raises Refused where
    the tokens are not those of the text.
    """
    for written in dict.fromkeys((echo.written, 1, 0)):
        if written is not None and 0 <= written < len(echo.tokens):
            found = _laid(echo.tokens[: len(echo.tokens) - written], _bytes(text), boundary)
            if found is not None:
                return found
    if echo.hides_characters:
        return None
    raise Refused("malformed", Said("the tokens of the prompt do not spell the prompt"))


def _laid(tokens: Sequence[str], text: bytes, boundary: int) -> list[int] | None:
    """Return the ends of tokens that spell the text from the boundary on, None where they do not."""
    found, place = [0] * len(tokens), len(text)
    for index in range(len(tokens) - 1, -1, -1):
        piece = as_bytes(tokens[index])
        if place > boundary and not text.endswith(piece, 0, place) and text.endswith(b" ", 0, place):
            place -= 1  # of the token after, which some servers write without the space that it begins with
        found[index] = place
        if place <= boundary:
            found[:index] = [place] * index
            return found
        if not text.endswith(piece, 0, place):
            return None
        place -= len(piece)
    return found if place <= boundary else None


def as_bytes(token: str) -> bytes:
    r"""Return the bytes of a token; what is no whole character is written as `bytes:\xe6\x9d`.

    >>> as_bytes("bytes:\\xe6\\x9d"), as_bytes(" a")
    (b'\xe6\x9d', b' a')
    """
    written = _BYTES.match(token)
    return bytes.fromhex(written[1].replace("\\x", "")) if written else _bytes(token)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
