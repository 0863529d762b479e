"""What a server does wrong, one scene or more for each fault of the table."""

from __future__ import annotations

import json

from tests.plugins.openai.serving import Reply, chat, failed

OPENAI_TOO_LONG = "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
VLLM_NO_ROOM = (
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (1000 in the messages, 4000 in "
    "the completion). Please reduce the length of the messages or completion."
)
TGI_TOO_LONG = "Input validation error: `inputs` must have less than 1024 tokens. Given: 4000"
ONLY_ONE = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."
EXTRA = {"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs are not permitted"}
NO_STRING = {"type": "string_type", "loc": ["body", "messages", 0, "content"], "msg": "Input should be a string"}
HTML = "<!DOCTYPE html><html><head><title>Gateway</title></head><body>Sign in</body></html>"

# Faults that a reply of the server shows; those of the connection itself have tests of their own.
SCENES: dict[str, tuple[Reply, ...]] = {
    "broken": (
        Reply({"choices": [{"message": {"content": "half of it"}}]}, reset=True),
        Reply("x" * 9999, status=500, reset=True),
    ),
    "timeout": (Reply(chat("late").body, pause=1.5),),
    "moved": (Reply("", 308, {"Location": "https://elsewhere.example/v1"}),),
    "400": (
        failed(400, "your messages are odd"),
        failed(418, "tea"),
        failed(400, "The model could not fetch the image: not found"),
        failed(400, "'messages' holds an image of an odd kind", param="messages"),
    ),
    "parameter": (
        failed(400, "Unsupported parameter: 'temperature' is not supported with this model.", code="unsupported_parameter"),
        failed(400, ONLY_ONE, code="unsupported_value", param="temperature"),
        Reply({"detail": [EXTRA]}, 422),
        Reply({"detail": "Unexpected fields in the request: {'temperature'}"}, 422),
        failed(400, "Unknown parameter: 'temperature' (did you mean 'context_size'?)"),
    ),
    "context": (
        failed(400, OPENAI_TOO_LONG, code="context_length_exceeded", param="messages"),
        failed(413, "prompt is too long: 210000 tokens > 200000 maximum"),
        Reply({"error": TGI_TOO_LONG, "error_type": "validation"}, 422),
        failed(400, "the request exceeds the available context size. try increasing it", type="exceed_context_size_error"),
        failed(400, "The input token count (40000) exceeds the maximum number of tokens allowed (32768)."),
    ),
    "room": (failed(400, VLLM_NO_ROOM),),
    "filter": (
        chat(None, "content_filter"),
        failed(400, "The response was filtered", code="content_filter"),
        failed(403, "Your input was flagged: moderation"),
    ),
    "model": (
        failed(404, "The model `nobody` does not exist or you do not have access to it.", code="model_not_found"),
        Reply({"object": "error", "message": "The model `nobody` does not exist.", "type": "NotFoundError", "code": 404}, 404),
        Reply({"detail": "Server is pinned to 'somebody'; requested 'nobody'."}, 400),
        Reply({"error": 'model "nobody" not found, try pulling it first'}, 404),
        failed(200, "Model nobody not found"),
        Reply(json.dumps([{"error": {"code": 404, "message": "models/nobody is not found for API version v1beta"}}]), 404),
    ),
    "401": (failed(401, "Incorrect API key provided"),),
    "402": (
        failed(402, "Payment required"),
        failed(429, "You exceeded your current quota", code="insufficient_quota"),
        failed(200, "Insufficient credits", code=402),
    ),
    "403": (failed(403, "Project does not have access"),),
    "404": (Reply({"detail": "Not Found"}, 404), Reply("nothing here", 405)),
    "408": (failed(408),),
    "409": (failed(409),),
    "413": (failed(413, "Request body too large"),),
    "422": (Reply({"detail": [NO_STRING]}, 422),),
    "429": (
        failed(429, "Rate limit reached", code="rate_limit_exceeded"),
        failed(429, "slow down", {"Retry-After": "0.05"}),
        failed(200, "Rate limit", code=429),
    ),
    "500": (failed(500), Reply("Internal Server Error", 500), failed(501), failed(200, "boom", code=500)),
    "502": (Reply("<html><body>Bad Gateway</body></html>", 502),),
    "503": (failed(503, "Loading model"),),
    "504": (Reply("", 504),),
    "529": (failed(529, "Overloaded", type="overloaded_error"),),
    "malformed": (
        Reply("I am fine, thank you"),
        Reply("[1, 2]"),
        Reply(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
        Reply(""),
        Reply({"choices": [{"message": {"content": {"odd": 1}}}]}),
        Reply("null"),
    ),
    "truncated": (Reply('{"choices": [{"message": {"content": "The capi'),),
    "html": (Reply(HTML),),
    "error": (failed(200, "something went wrong"),),
    "no choices": (Reply({"choices": []}), Reply({"object": "chat.completion"}), Reply({"choices": None})),
    "no content": (chat(None), Reply({"choices": [{"message": None, "finish_reason": "stop"}]})),
}
ELSEWHERE = {"refused", "reset", "certificate", "no likelihood", "alone", "first token", "turns", "offline"}
