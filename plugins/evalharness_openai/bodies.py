"""From requests to the bodies that a server is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import evalharness as eh

MOST_STOPS = 4  # what OpenAI takes; an answer is cut at the others here
TOKENS, COMPLETION_TOKENS = "max_tokens", "max_completion_tokens"
OF_GENERATE = ("temperature", "top_p", "stop", "seed", TOKENS)
OF_TEXTS = (*OF_GENERATE, COMPLETION_TOKENS)  # which say nothing where a text is scored
OWN = ("model", "messages", "prompt", "input", "stream", "n", "echo", "suffix", "best_of", "encoding_format", "logprobs")
SECRETS = ("api_key", "key", "authorization", "token", "access_token", "password", "secret")


def parameters_fault(parameters: Mapping[str, Any]) -> str:
    """Return what is wrong with the option `parameters`, or "".

    >>> parameters_fault({"temperature": 1})
    "'temperature' stands under 'generate' of the system; here it may only be null, which leaves it out of requests"
    """
    for name, value in parameters.items():
        if name in OWN:
            return f"'{name}' is set by evalharness"
        if name.lower() in SECRETS:
            return f"'{name}' looks like a key, which is taken from the environment: see the option 'key'"
        if name in OF_GENERATE and value is not None:
            return f"'{name}' stands under 'generate' of the system; here it may only be null, which leaves it out of requests"
    return ""


def with_parameters(body: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body with further fields, without those that are null.

    >>> with_parameters({"model": "m", "temperature": 0.0}, {"temperature": None, "top_k": 5})
    {'model': 'm', 'top_k': 5}
    """
    whole = {**body, **parameters}
    if whole.get(COMPLETION_TOKENS) is not None:
        whole.pop(TOKENS, None)
    return {name: value for name, value in whole.items() if value is not None}


def generate_body(request: eh.Generate, model: str, *, chat: bool, logprobs: bool, limit: str) -> dict[str, Any]:
    """Return the body for a text; `limit` is the name of the field that holds the most tokens.

    A seed goes along only where something is drawn, since some servers refuse the field.
    """
    body: dict[str, Any] = {"model": model, **_prompt(request.prompt, chat), limit: request.max_tokens}
    body |= {"temperature": request.temperature}
    if request.top_p != 1.0:
        body["top_p"] = request.top_p
    if request.stop:
        body["stop"] = list(request.stop[:MOST_STOPS])
    if request.temperature > 0:
        body["seed"] = request.seed + request.repeat
    if request.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": json.loads(request.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if logprobs:
        body["logprobs"] = True if chat else 1
    return body


def _prompt(prompt: str | tuple[eh.Message, ...], chat: bool) -> dict[str, Any]:
    if not chat:
        return {"prompt": prompt if isinstance(prompt, str) else eh.text_of(prompt)}
    turns = (eh.Message("user", prompt),) if isinstance(prompt, str) else prompt
    return {"messages": [{"role": turn.role, "content": _content(turn)} for turn in turns]}


def _content(turn: eh.Message) -> Any:
    """Return a turn's text, or its images and then its text as parts."""
    if not turn.images:
        return turn.content
    images = [{"type": "image_url", "image_url": {"url": url}} for url in turn.images]
    return [*images, {"type": "text", "text": turn.content}]


def scored_body(text: str, model: str) -> dict[str, Any]:
    """Return the body that asks for the log-probabilities of a text; a server that must write writes one token."""
    return {"model": model, "prompt": text, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}


def scored_body_of_tgi(text: str) -> dict[str, Any]:
    """Return the same for the own interface of text-generation-inference."""
    return {"inputs": text, "parameters": {"max_new_tokens": 1, "details": True, "decoder_input_details": True}}
