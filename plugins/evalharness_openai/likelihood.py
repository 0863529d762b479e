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
_OF_THE_WAY = re.compile(r"logprob|logits_all|\becho\b|decoder_input_details", re.I)
_BYTES = re.compile(r"^bytes:((?:\\x[0-9a-fA-F]{2})+)$")


@dataclass(frozen=True)
class Echo:
    """The tokens of a text with their log-probabilities (None: not told), what was generated after it included.

    `written` is how many of the last tokens were generated, None where that is not told.
    """

    tokens: Sequence[str]
    logprobs: Sequence[float | None]
    offsets: Sequence[int]
    written: int | None
    used: Mapping[str, Any]


async def choose(connection: Connection, request: eh.Choose, parameters: Mapping[str, Any]) -> eh.Response:
    """Return the log-likelihood of each choice given the prompt; one question each. A prompt is plain text."""
    if not isinstance(request.prompt, str):
        raise Refused("turns", Said("log-likelihoods are those of plain text, which no chat template makes of turns here"))
    totals, counts, merged = [], [], 0
    spent: Counter[str] = Counter()
    for choice in request.choices:
        text = request.prompt + request.delimiter + choice
        echo = await echoed(connection, text, parameters)
        scored, across = continuation(echo, text, len(request.prompt.encode()))
        totals.append(math.fsum(scored))
        counts.append(len(scored))
        merged += across
        spent.update({"run_tokens": echo.used["input_tokens"], **echo.used})
    used: dict[str, Any] = dict(spent)
    return eh.Response(logprobs=tuple(totals), tokens=tuple(counts), merged=merged, **used)


async def likelihood(connection: Connection, request: eh.Likelihood, parameters: Mapping[str, Any]) -> eh.Response:
    """Return the log-probability of each token of a text; of the first one only where the server puts a token before it."""
    echo = await echoed(connection, request.text, parameters)
    values = [echo.logprobs[place] for place, end in enumerate(ends(echo, request.text, 0)) if end > 0]
    told = [value for place, value in enumerate(values) if place or value is not None]
    if None in told:
        raise Refused("malformed", Said("log-probabilities are missing in the middle of the text"))
    return eh.Response(logprobs=tuple(float(value) for value in told if value is not None), **echo.used)


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
    told = first_choice(reply).get("logprobs")
    told = told if isinstance(told, Mapping) else {}
    tokens, values = told.get("tokens"), told.get("token_logprobs")
    written = (reply.get("usage") or {}).get("completion_tokens")
    # A server that knows no echo gives the one token that it wrote, if anything.
    if not tokens or not values or len(tokens) != len(values) or (len(tokens) < 2 and len(text) > len(str(tokens[0]))):
        raise Refused("no likelihood", Said("the answer holds no log-probabilities of the prompt"))
    offsets = told.get("text_offset") or ()
    return Echo(tokens, values, offsets, written if isinstance(written, int) else None, usage(reply))


async def _by_details(connection: Connection, text: str, parameters: Mapping[str, Any]) -> Echo:
    """Ask as text-generation-inference has it beside the interface of OpenAI."""
    reply = await connection.post("/generate", bodies.scored_body_of_tgi(text))
    prefill = (reply.get("details") or {}).get("prefill")
    if not isinstance(prefill, list) or not prefill:
        raise Refused("no likelihood", Said("the answer holds no details.prefill"))
    tokens = [str(token.get("text", "")) for token in prefill]
    used = {"input_tokens": len(tokens), "output_tokens": 1}
    return Echo(tokens, [token.get("logprob") for token in prefill], (), 0, used)


WAYS = {"/completions with echo": _by_echo, "/generate with decoder_input_details": _by_details}


def continuation(echo: Echo, text: str, boundary: int) -> tuple[list[float], bool]:
    """Return the log-probabilities of the tokens that reach beyond `boundary` (in bytes), and whether one lies across it.

    At least one token is scored. Raises Refused where the server tells no log-probability of one of them.
    """
    found = ends(echo, text, boundary)
    first = next((place for place, end in enumerate(found) if end > boundary), len(found))
    across = first < len(found) and (found[first - 1] if first else 0) < boundary
    values = echo.logprobs[min(first, len(found) - 1) : len(found)]
    if not values or None in values:
        raise Refused("first token", Said("the prompt before the choice is empty"))
    return [float(value) for value in values if value is not None], across


def ends(echo: Echo, text: str, boundary: int) -> list[int]:
    """Return where each token of the text ends, in bytes, exactly from the boundary on; before it at most there.

    Tokens are laid along the text from its end, so that what a server puts before it (a token that begins a text) and how
    it writes half characters earlier on do not matter. Raises Refused where they do not spell the text.
    """
    for written in dict.fromkeys((echo.written, 1, 0)):
        if written is not None and 0 <= written < len(echo.tokens):
            found = _laid(echo.tokens[: len(echo.tokens) - written], text.encode(), boundary)
            if found is not None:
                return found
    found = _by_offsets(echo, text)
    if found is None:
        raise Refused("malformed", Said("the tokens of the prompt do not spell the prompt"))
    return found


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
    return bytes.fromhex(written[1].replace("\\x", "")) if written else token.encode("utf-8", "surrogatepass")


def _by_offsets(echo: Echo, text: str) -> list[int] | None:
    """Return the ends of tokens by the offsets (in characters) that the server gives, None where they make no sense."""
    starts = [start for start in echo.offsets if isinstance(start, int) and start < len(text)]
    if len(echo.offsets) != len(echo.tokens) or starts != sorted(starts) or starts[:1] != [0]:
        return None
    marks = [*starts, len(text)]
    spelled = all(
        token == text[start:end] or "\ufffd" in token or token.startswith("bytes:")
        for token, start, end in zip(echo.tokens, marks, marks[1:], strict=False)
    )
    return [len(text[:end].encode()) for end in marks[1:]] if spelled else None
