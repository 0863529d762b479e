"""What can go wrong with a service, and what comes of it: one table, which the documentation shows and the tests walk through."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["retry", "sample", "stop"]


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong.

    - `happens`: what is seen.
    - `outcome`: the request is asked again (`retry`), it fails alone (`sample`), or the run ends (`stop`).
    - `kind`: the kind of the failure that stands in the answer's place if it stays so.
    - `todo`: what a user can do; KEY, MODEL, URL and FIELD stand for what is meant.
    - `brief`: what a message says in place of `happens`, where that tells several cases of which one was seen.
    - `busy`: whether fewer requests are to be open at once.
    """

    happens: str
    outcome: Outcome
    kind: str = ""
    todo: str = ""
    busy: bool = False
    brief: str = ""

    def message(self, status: int, said: str) -> str:
        """Return what was seen: the words of the fault, the status of the answer (0: there was none), what was said.

        >>> FAULTS["404"].message(404, "Not Found"), FAULTS["503"].message(503, "loading")
        ('no such address: HTTP 404: Not Found', 'HTTP 503: loading')
        """
        words, what = self.brief or self.happens, f"HTTP {status}: {said}" if status else said
        return what if status and words.startswith(str(status)) else f"{words}: {what}"


FAULTS: dict[str, Fault] = {
    "refused": Fault(
        "no connection: refused, host not found, server gone",
        "retry",
        "connection",
        "start the server, or mend `base_url`, URL",
        brief="no connection",
    ),
    "reset": Fault("the connection breaks before an answer begins", "retry", "connection"),
    "broken": Fault("the connection breaks in mid-body", "retry", "server"),
    "timeout": Fault("no answer within `timeout` seconds", "retry", "timeout", "raise `timeout`, or lower `concurrency`"),
    "certificate": Fault(
        "TLS fails: a certificate that does not hold, or a server without TLS",
        "stop",
        todo="mend the certificate, or `base_url`, URL",
        brief="TLS fails",
    ),
    "moved": Fault("3xx, a redirect", "stop", todo="set `base_url` to where it points", brief="a redirect"),
    "400": Fault("400 and other 4xx", "sample", "rejected", brief="refused"),
    "parameter": Fault(
        "400 or 422 that refuses a field of the request",
        "stop",
        todo="leave it out with `parameters: {FIELD: null}`",
        brief="a field of the request is refused",
    ),
    "context": Fault(
        "400, 413 or 422: the prompt is longer than the model's context",
        "sample",
        "cut off",
        brief="the prompt is longer than the model's context",
    ),
    "room": Fault(
        "the same, but only with `max_tokens` on top",
        "sample",
        "rejected",
        "lower `generate.max_tokens`",
        brief="the prompt with `max_tokens` on top is longer than the model's context",
    ),
    "filter": Fault("a content filter, as `finish_reason` or as 400 or 403", "sample", "filtered", brief="a content filter"),
    "model": Fault(
        "an unknown model, as 404, 400 or an error with status 200",
        "stop",
        todo="mend `model`, MODEL; the server lists its models under URL/models",
        brief="the server does not know the model",
    ),
    "401": Fault("401", "stop", todo="put the right key into the environment variable KEY, or name another one with `key`"),
    "402": Fault(
        "402, or 429 with the code `insufficient_quota`",
        "stop",
        todo="add to the account's credit, then run again: it asks only for what is missing",
        brief="no credit is left",
    ),
    "403": Fault("403", "stop", todo="the key in KEY may not use MODEL: allow it, or name another variable with `key`"),
    "alone": Fault("403 or a refused field, after others were answered", "sample", "rejected", brief="refused"),
    "404": Fault(
        "404 and 405, no such address",
        "stop",
        todo="mend `base_url`, URL: most servers want it to end in /v1",
        brief="no such address",
    ),
    "408": Fault("408", "retry", "timeout", busy=True),
    "409": Fault("409", "retry", "server"),
    "413": Fault("413", "sample", "rejected"),
    "422": Fault("422", "sample", "rejected"),
    "429": Fault(
        "429, after `Retry-After` or a rate limit's reset where the server tells", "retry", "server", "lower `concurrency`", True
    ),
    "500": Fault("500 and other 5xx", "retry", "server", brief="an error of the server"),
    "502": Fault("502", "retry", "server", busy=True),
    "503": Fault("503", "retry", "server", busy=True),
    "504": Fault("504", "retry", "server", busy=True),
    "529": Fault("529, overloaded", "retry", "server", busy=True),
    "malformed": Fault("an answer that is no JSON, or JSON of another shape", "retry", "server"),
    "truncated": Fault("JSON that ends too early", "retry", "server"),
    "html": Fault("an HTML page with status 200", "retry", "server", "look whether `base_url`, URL, is the address of an API"),
    "error": Fault("an error in a body with status 200", "retry", "server"),
    "no choices": Fault("an answer without choices", "retry", "server"),
    "no content": Fault("a choice without text that ended by itself", "retry", "server"),
    "no likelihood": Fault(
        "no log-probabilities of the prompt, where choices or texts are to be scored",
        "stop",
        todo=(
            "serve the model with vLLM, SGLang, TGI or llama-cpp-python (logits_all), run its weights with the model `hf`, or "
            "ask it with `output_type: generate`"
        ),
    ),
    "first token": Fault(
        "no log-probability of the first token, where a choice takes it in or there is no other", "sample", "not supported"
    ),
    "turns": Fault(
        "turns of a conversation, where choices are to be scored",
        "stop",
        todo="set `api: completions`, so that prompts are plain text",
    ),
    "offline": Fault(
        "`--offline` and a host that is not this machine",
        "stop",
        todo="leave `--offline` out, or serve the model on this machine",
        brief="`--offline` is set, and the host is not this machine",
    ),
}

# What ends a run where nothing has been answered yet: afterwards it is of one request, a firewall that dislikes its words say.
OF_ONE_REQUEST = ("403", "parameter")
_BY_STATUS = {405: "404", **{code: str(code) for code in (401, 402, 403, 404, 408, 409, 413, 422, 429, 502, 503, 504, 529)}}
_FILTERED = re.compile(r"content[_ -]?(filter|policy|management)|responsible\s?ai|moderation|was flagged", re.I)
_TOO_LONG = re.compile(
    r"context[_ ]?(length|window|size)|prompt is too long|too many (input )?tokens|input token count|longer than the model"
    r"|inputs?`? (tokens|must have less)|maximum number of tokens allowed",
    re.I,
)
_LIMIT = re.compile(r"(?:length is|limit is|maximum of|<=)\s*(\d+)", re.I)
_PROMPT = re.compile(r"(\d+) (?:in the (?:messages|prompt|input)|(?:prompt|input) tokens|`inputs` tokens)", re.I)
_NO_MODEL = re.compile(
    r"model_?not_?found|invalid_model|(unknown|no such|invalid) model|server is pinned to"
    r"|\bmodels?\b[\s/:'\"`]*[^\s'\"`]+['\"`]*,? (is |was )?(not found|does not exist|not available|no longer available)",
    re.I,
)
_NO_MONEY = re.compile(r"insufficient[_ ](quota|credit|balance|fund)|billing_(hard_limit|not_active)", re.I)
_FIELD = re.compile(
    r"(unsupported|unrecognized|unknown|unexpected)[_ ](request )?(argument|parameter|value|field)"
    r"|extra[_ ](inputs|fields|forbidden)|not supported with this model|does not support the parameter",
    re.I,
)
_QUOTED = re.compile(r"['\"`]([A-Za-z_][A-Za-z0-9_.]*)['\"`]")
_OF_EACH_REQUEST = ("messages", "prompt", "input", "model")
CHARACTERS_TOLD = 300


@dataclass(frozen=True)
class Said:
    """What a server said of an error: its words, its code and type, and the field of the request that it is about."""

    message: str
    code: str = ""
    field: str = ""

    @property
    def everything(self) -> str:
        return f"{self.code} {self.message}"


def said(text: str) -> Said:
    r"""Return what an error's body says, whatever its shape.

    >>> said('{"error": {"message": "No.", "code": "model_not_found"}}')
    Said(message='No.', code='model_not_found', field='')
    >>> said('{"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}')
    Said(message='seed: Extra inputs are not permitted', code='', field='seed')
    >>> said("<html><h1>Bad gateway</h1></html>")
    Said(message='Bad gateway', code='', field='')
    """
    try:
        body = json.loads(text)
    except ValueError:
        return Said(_short(re.sub(r"<style.*?</style>|<script.*?</script>|<[^>]*>", " ", text, flags=re.S | re.I)))
    return of_body(body)


def of_body(body: Any) -> Said:
    """Return what a parsed error says."""
    if isinstance(body, list) and len(body) == 1:
        (body,) = body
    if not isinstance(body, Mapping):
        return Said(_short(str(body)))
    inner = body.get("error") or body
    if not isinstance(inner, Mapping):
        return Said(_short(str(inner)), str(body.get("error_type") or ""))
    detail = inner.get("detail")
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return _of_list(detail)
    message = inner.get("message") or detail or inner.get("error") or inner
    code = " ".join(str(inner[name]) for name in ("code", "type", "status") if inner.get(name))
    return Said(_short(str(message)), code, str(inner.get("param") or ""))


def _of_list(detail: Sequence[Any]) -> Said:
    """Return what a list of faults says, as FastAPI servers give it: each with the path to the field."""
    parts = [part for part in detail if isinstance(part, Mapping)]
    fields = [str((part.get("loc") or [""])[-1]) for part in parts]
    message = "; ".join(f"{field}: {part.get('msg', '')}" for field, part in zip(fields, parts, strict=True))
    return Said(_short(message or str(detail)), " ".join(str(part.get("type", "")) for part in parts).strip(), *fields[:1])


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= CHARACTERS_TOLD else f"{words[:CHARACTERS_TOLD]}..."


def fault_of(status: int, told: Said) -> str:
    """Return the key of the fault that an answer with this status is.

    >>> fault_of(429, Said("slow down")), fault_of(429, Said("", "insufficient_quota")), fault_of(418, Said("tea"))
    ('429', '402', '400')
    """
    if _NO_MONEY.search(told.everything):
        return "402"
    if status in (200, 400, 403, 404, 413, 422):
        found = _by_words(status, told)
        if found:
            return found
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "error" if status < 300 else "moved" if status < 400 else "400" if status < 500 else "500"


def _by_words(status: int, told: Said) -> str:
    """Return the fault that a server's words tell where its status does not, or ""."""
    if status in (400, 422) and field_of(told):
        return "parameter"
    if _TOO_LONG.search(told.everything):
        return "room" if _prompt_fits(told.message) else "context"
    if _FILTERED.search(told.everything):
        return "filter"
    return "model" if _NO_MODEL.search(told.everything) else ""


def _prompt_fits(message: str) -> bool:
    """Return whether a server says that a prompt alone is within its limit.

    >>> _prompt_fits("maximum context length is 4096 tokens. You requested 5000 (1000 in the messages, 4000 in the completion)")
    True
    """
    limit, prompt = _LIMIT.search(message), _PROMPT.search(message)
    return limit is not None and prompt is not None and int(prompt[1]) < int(limit[1])


def field_of(told: Said) -> str:
    """Return the field of the request that a server refuses whatever it holds, or "".

    >>> field_of(Said("Unsupported parameter: 'stop' is not supported with this model.", "unsupported_parameter"))
    'stop'
    >>> field_of(Said("'messages' must not be empty", field="messages"))
    ''
    """
    if not _FIELD.search(told.everything):
        return ""
    named = told.field or next(iter(_QUOTED.findall(told.message)), "")
    return "" if named.split(".")[0].split("[")[0] in _OF_EACH_REQUEST else named


def table() -> str:
    """Return the table of faults as the documentation shows it."""
    words = {"retry": "asked again", "sample": "fails alone", "stop": "the run stops"}
    rows = ["| what happens | what comes of it | kind of the failure | what to do |", "|---|---|---|---|"]
    rows += [f"| {fault.happens} | {words[fault.outcome]} | {fault.kind} | {fault.todo} |" for fault in FAULTS.values()]
    return "\n".join(rows)
