"""The model `http`: what is sent and read, faults of a service, and where its key may not be found."""

from __future__ import annotations

import datetime
import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from evalharness_pipelines.statuses import error_of, retry_after

import evalharness as eh
from evalharness import registry
from evalharness.errors import FaultsFound, ServiceError
from evalharness.task import check_data, check_task, load_task
from tests.plugins.pipelines.conftest import asked, messages, texts

KEY = "sk-very/secret+key"


@dataclass
class Asked:
    """A request that a server got."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Any

    @property
    def text(self) -> str:
        return str(self.body["input"] if isinstance(self.body, dict) and "input" in self.body else self.body)


@dataclass
class Server:
    """A local server: `reply` makes of each request a JSON value, or a pair of status and body, and headers if wanted."""

    url: str = ""
    reply: Callable[[Asked], Any] = lambda request: {"response": request.text}
    asked: list[Asked] = field(default_factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    """Give a server on this machine."""
    given = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            body = json.loads(content) if content else None
            request = Asked(self.command, parts.path, parse_qsl(parts.query), dict(self.headers), body)
            given.asked.append(request)
            made = given.reply(request)
            status, body, headers = made if isinstance(made, tuple) else (200, made, {})
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(raw)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: object) -> None: ...

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    running.handle_error = lambda request, address: None  # clients go when their time is over
    given.url = f"http://127.0.0.1:{running.server_address[1]}/ask"
    thread = threading.Thread(target=lambda: running.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield given
    running.shutdown()
    running.server_close()
    thread.join()


def model(server: Server, **options: Any) -> eh.Model:
    return registry.build("model", eh.Spec("http", {"url": server.url, **options}))


def test_without_options_the_question_is_sent_as_it_is_and_the_usual_places_are_read(server: Server) -> None:
    server.reply = lambda request: {"response": request.text.upper(), "contexts": [{"id": "p1", "text": "é", "score": 0.5}]}
    responses = asked(registry.build("model", eh.Spec("http", {"": server.url})), "a", "東京")
    assert texts(responses) == ["A", "東京"]
    assert responses[0].contexts == (eh.Passage("p1", "é", 0.5),)
    assert responses[0].latency is not None
    assert {request.method for request in server.asked} == {"POST"}
    assert sorted(request.body["input"] for request in server.asked) == ["a", "東京"]
    assert server.asked[0].body["contexts"] == []


def test_body_and_reply_are_mapped(server: Server) -> None:
    server.reply = lambda request: {
        "result": {"answers": [{"say": request.body["q"]}]},
        "sources": [
            {"doc_id": 7, "snippet": "One.", "meta": {"score": 0.75}},
            {"doc_id": 8, "snippet": "Two.", "meta": {"score": 0}},
        ],
    }
    mapped = model(
        server,
        body={"q": "Q: {{ input }} ({{ user }})", "who": "{{ user }}", "n": 3, "docs": "{{ contexts }}", "tags": ["{{ tags }}"]},
        query={"lang": "{{ lang }}"},
        response="$.result.answers[0]['say']",
        contexts="$.sources[*]",
        text="$.snippet",
        id="$.doc_id",
        score="$.meta.score",
    )
    assert set(mapped.reads) == {"user", "tags", "lang"}
    fields = eh.Values({"user": "ann", "tags": ["x", 1], "lang": "de"})
    (response,) = asked(mapped, "Where?", fields=fields, contexts=(eh.Passage("p", "text"),))
    assert response.text == "Q: Where? (ann)"
    assert response.contexts == (eh.Passage("7", "One.", 0.75), eh.Passage("8", "Two.", 0.0))
    (request,) = server.asked
    docs = [{"id": "p", "text": "text", "score": None}]
    assert request.body == {"q": "Q: Where? (ann)", "who": "ann", "n": 3, "docs": docs, "tags": [["x", 1]]}
    assert request.query == [("lang", "de")]


def test_a_get_asks_with_its_query(server: Server) -> None:
    server.reply = lambda request: [dict(request.query)["q"]]
    got = model(server, method="GET", query={"q": "{{ input }}", "k": 3, "tag": ["a", "b"], "none": None}, response="$[0]")
    assert texts(asked(got, "a & b?")) == ["a & b?"]
    assert (server.asked[0].method, server.asked[0].body) == ("GET", None)
    assert server.asked[0].query == [("q", "a & b?"), ("k", "3"), ("tag", "a"), ("tag", "b")]


def test_passages_may_be_a_list_of_texts_or_none_at_all(server: Server) -> None:
    server.reply = lambda request: {"response": "x", "docs": {"a": ["One.", "Two."], "b": [], "c": None}[request.text]}
    first, second, third = asked(model(server, contexts="$.docs"), *"abc")
    assert [passage.text for passage in first.contexts or ()] == ["One.", "Two."]
    assert (second.contexts, third.contexts) == ((), ())
    server.reply = lambda request: {"response": "x"}
    (response,) = asked(model(server), "q")
    assert response.contexts is None


def test_a_service_that_only_retrieves_has_no_response(server: Server) -> None:
    server.reply = lambda request: {"hits": [{"id": "p1", "text": "One."}]}
    (response,) = asked(model(server, response=None, contexts="$.hits[*]"), "q")
    assert (response.text, response.contexts, response.error) == ("", (eh.Passage("p1", "One."),), None)


@pytest.mark.parametrize(
    ("reply", "options", "message"),
    [
        ({"answer": "x", "docs": []}, {}, "'$.response' finds nothing: at '$' there is an object with answer, docs"),
        ({"a": [{"b": None}]}, {"response": "$.a[0].b.c"}, "'$.a[0].b.c' finds nothing: at '$.a[0].b' there is null"),
        ({"a": ["x"]}, {"response": "$.a[1]"}, "'$.a[1]' finds nothing: at '$.a' there is a list of 1"),
        ({"response": "x"}, {"contexts": "$.docs[*]"}, "'$.docs[*]' finds nothing: at '$' there is an object with response"),
        ({"response": "x", "d": "y"}, {"contexts": "$.d[*]"}, "'$.d[*]' finds nothing: at '$.d' there is a text"),
        (
            {"response": "x", "d": [{}]},
            {"contexts": "$.d[*]", "text": "$.t"},
            "'$.t' finds nothing: at '$' there is an empty object",
        ),
        ({"response": None, "contexts": []}, {}, "'$.response' is null, which is no answer; `response: null` says that there"),
        ({"response": 7}, {}, "'response' must be a text, not a int"),
        ({"response": "x", "contexts": "y"}, {}, "'contexts' must be a list of passages, not 'y'"),
    ],
)
def test_a_reply_of_another_shape_is_the_failure_of_its_question_and_is_not_asked_again(
    reply: Any, options: dict[str, Any], message: str, server: Server
) -> None:
    server.reply = lambda request: (
        reply if request.text == "b" else {"response": "x", "d": [], "docs": [], "a": [{"b": {"c": "x"}}, "x"]}
    )
    (found,) = messages(asked(model(server, **options), "b"))
    assert found.startswith(f"server: {server.url}: {message}")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 413, 415, 418, 422])
def test_a_status_may_be_the_failure_of_its_question_alone(status: int, server: Server) -> None:
    server.reply = lambda request: (status, {"detail": "no   such\nthing"}, {}) if request.text == "c" else {"response": "x"}
    responses = asked(model(server, concurrency=1), *"abcd")
    assert [response.text for response in responses] == ["x", "x", None, "x"]
    assert messages(responses)[2].startswith(f'rejected: HTTP {status} from {server.url}: {{"detail": "no')
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("status", "kind", "busy"),
    [(408, "timeout", True), (409, "server", False), (425, "server", False), (429, "server", True), (500, "server", False),
     (502, "server", True), (503, "server", True), (504, "server", True), (529, "server", True)],
)  # fmt: skip
def test_a_status_may_be_worth_asking_again(status: int, kind: str, busy: bool, server: Server) -> None:
    raised = error_of(status, {"Retry-After": "3"}, "", server.url, answered=False)
    assert isinstance(raised, eh.Unanswered)
    assert (raised.failure.kind, raised.again, raised.after, raised.busy) == (kind, True, 3.0, busy)
    replies: list[Any] = [(status, {}, {"Retry-After": "0"}), {"response": "yes"}]
    server.reply = lambda request: replies.pop(0)
    (response,) = asked(model(server), "q")
    assert (response.text, response.retries) == ("yes", 1)


def test_a_date_says_when_to_ask_again() -> None:
    soon = email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60))
    assert 50 < (retry_after({"Retry-After": soon}) or 0) <= 60
    assert retry_after({"Retry-After": "Mon, 01 Jan 2001 00:00:00 GMT"}) == 0


def test_a_question_is_asked_again_until_it_is_answered(server: Server) -> None:
    replies: list[Any] = [(500, {}, {}), (200, b"<html>", {}), (200, b'{"response": "cut', {}), {"response": "yes"}]
    server.reply = lambda request: replies.pop(0)
    (response,) = asked(model(server), "q")
    assert (response.text, response.retries) == ("yes", 3)


def test_a_reply_that_is_no_json_is_told_with_its_beginning(server: Server) -> None:
    server.reply = lambda request: (200, b"<html>Sign in</html>", {})
    (message,) = messages(asked(model(server, retries=0), "q"))
    assert message.startswith(f"server: the reply of {server.url} is no JSON")
    assert message.endswith("it begins with '<html>Sign in</html>'")


@pytest.mark.parametrize(
    ("status", "headers", "told"),
    [
        (301, {"Location": "https://example.org/ask"}, "set `url` to where it points: https://example.org/ask"),
        (401, {}, "set the environment variable that a header names to the right key"),
        (403, {}, "allow the key what is asked"),
        (404, {}, "mend `url`"),
        (405, {}, "mend `method`, or `url`"),
    ],
)
def test_what_concerns_every_question_ends_the_run_with_what_to_do(
    status: int, headers: dict[str, str], told: str, server: Server
) -> None:
    server.reply = lambda request: (status, {"detail": "no"}, headers)
    with pytest.raises(ServiceError) as caught:
        asked(model(server), *"abc")
    assert f"HTTP {status} from {server.url}" in str(caught.value)
    assert told in str(caught.value)


def test_once_questions_were_answered_nothing_found_is_about_one_question(server: Server) -> None:
    server.reply = lambda request: (404, {"detail": "no such page"}, {}) if request.text == "c" else {"response": "x"}
    responses = asked(model(server, concurrency=1), *"abcd")
    assert [response.text for response in responses] == ["x", "x", None, "x"]


def test_a_service_that_is_not_there_is_given_up_and_time_runs_out_for_one_that_is_slow(server: Server) -> None:
    gone = registry.build("model", eh.Spec("http", {"url": "http://127.0.0.1:9/ask", "patience": 0.3}))
    assert "http://127.0.0.1:9/ask: ConnectionRefusedError" in messages(asked(gone, "q"))[0]
    server.reply = lambda request: time.sleep(0.6) or {"response": "late"}
    assert messages(asked(model(server, timeout=0.2, retries=0), "q")) == [
        "timeout: no answer within 0.2 s. Raise `timeout`, or lower `concurrency`"
    ]


def test_a_key_goes_to_the_service_and_nowhere_else(
    server: Server, task: Callable[[str], Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_RAG_KEY", KEY)

    def reply(request: Asked) -> Any:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        if "Peru" in request.text:
            return 422, {"detail": f"bad request with {KEY}"}, {}
        return {"response": f"You sent {KEY}", "contexts": [f"and {KEY}"]}

    server.reply = reply
    path = task(f'{{http: {{url: "{server.url}", headers: {{Authorization: "Bearer ${{MY_RAG_KEY}}"}}}}}}')
    assert not check_task(load_task(path))
    record = eh.run(path, out=folder / "out", store=folder / "store.db")
    assert (record.usage["requests"], record.usage["failures"]) == (3, 1)
    found = [file for file in folder.rglob("*") if file.is_file()]
    assert len(found) > 5
    written = json.dumps(KEY)[1:-1]
    assert not [file for file in found if KEY.encode() in file.read_bytes() or written.encode() in file.read_bytes()]
    assert b"${MY_RAG_KEY}" in (folder / "out" / "task.yaml").read_bytes()
    assert eh.run(path, out=folder / "out", store=folder / "store.db").usage["from_store"] == 2
    monkeypatch.delenv("MY_RAG_KEY")
    with pytest.raises(ServiceError, match="needs the environment variable MY_RAG_KEY; set it: export MY_RAG_KEY="):
        eh.run(path, out=folder / "out", store=folder / "store.db")


def test_a_key_that_stops_the_run_is_not_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_RAG_KEY", KEY)
    server.reply = lambda request: (401, {"detail": f"wrong: {KEY}"}, {})
    with pytest.raises(ServiceError) as caught:
        asked(model(server, headers={"X-Api-Key": "${MY_RAG_KEY}"}), "q")
    assert KEY not in str(caught.value)
    assert "[MY_RAG_KEY]" in str(caught.value)
    monkeypatch.setenv("MY_RAG_KEY", "two\nlines-of-it")
    with pytest.raises(ServiceError, match="the value of MY_RAG_KEY holds characters that no header may have") as caught:
        asked(model(server, headers={"X-Api-Key": "${MY_RAG_KEY}"}), "q")
    assert "lines" not in str(caught.value).partition(":")[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "127.0.0.1:8000/ask"}, "'url' must begin with http:// or https:// and name a host"),
        ({"url": "http://ann:pass@host/ask"}, "'url' must hold no user, password, query or fragment"),
        ({"url": "http://host/ask?key=x"}, "'url' must hold no user, password, query or fragment"),
        ({"url": "http://host:port/"}, "'url' is no URL"),
        ({"headers": {"Authorization": "Bearer sk-1"}}, "the header 'Authorization' would stand in records with its value"),
        ({"headers": {"X-Api-Key": "sk-1"}}, "the header 'X-Api-Key' would stand in records with its value: write ${NAME}"),
        ({"headers": {"a b": "x"}}, "the header 'a b' must be a name with a text as its value"),
        ({"headers": {"Accept": 3}}, "the header 'Accept' must be a name with a text as its value"),
        ({"body": {"q": "{{ input }}", "api_key": "sk-1"}}, "'api_key' would stand in records: send a key as a header"),
        ({"body": {"q": "{{ input | upper }}"}}, "'{{ input | upper }}' holds more than places for names"),
        ({"body": {"q": "x"}}, "neither 'body' nor 'query' holds the question: put in '{{ input }}'"),
        ({"body": {"q": "{{ references }}"}}, "'references' holds the answer, which the system that is evaluated must not see"),
        ({"method": "GET"}, "a GET has no 'body'; it asks with 'query', such as {q: '{{ input }}'}"),
        ({"method": "PUT"}, "must be one of 'POST', 'GET', not 'PUT'"),
        ({"response": "answer"}, "the path 'answer' must start with $, such as $.answer"),
        (
            {"response": "$.a..b"},
            "the path '$.a..b' is not understood from '..b' on; it may hold $, .NAME, ['NAME'], [0], [-1] and [*]",
        ),
        ({"response": "$.a[?(@.b)]"}, "is not understood from '[?(@.b)]' on"),
        ({"response": "$.a[*]"}, "the path '$.a[*]' must lead to one value, so it can hold no [*]"),
        ({"text": "$[*]"}, "the path '$[*]' must lead to one value"),
        ({"timeout": 0}, "option 'timeout' must be above 0"),
        ({"respnse": "$.a"}, "model 'http' has no option 'respnse'. Did you mean 'response'?"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FaultsFound) as caught:
        registry.build("model", eh.Spec("http", {"url": "http://127.0.0.1:1/ask", **options}))
    assert message in str(caught.value)
    assert "sk-1" not in str(caught.value)
    assert "pass@" not in str(caught.value)


def test_the_fields_that_the_body_holds_are_looked_for_in_the_data(server: Server, task: Callable[[str], Path]) -> None:
    path = task(f'{{http: {{url: "{server.url}", body: {{q: "{{{{ input }}}}", user: "{{{{ usr }}}}"}}}}}}')
    assert any("the field 'usr' is missing" in finding.message for finding in check_data(load_task(path)))
    path.write_text(path.read_text(encoding="utf-8").replace("usr", "user"), encoding="utf-8")
    assert not check_data(load_task(path))
    server.reply = lambda request: {"response": request.body["user"]}
    eh.run(path)
    assert sorted(request.body["user"] for request in server.asked) == ["ann", "ann", "bob"]


def test_offline_forbids_other_machines_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eh, "offline", lambda: True)
    assert texts(asked(model(server), "q")) == ["q"]
    with pytest.raises(ServiceError, match=r"--offline forbids to ask rag\.example\.org"):
        asked(registry.build("model", eh.Spec("http", {"url": "https://rag.example.org/ask"})), "q")


def test_the_identity_holds_what_is_sent_and_read_and_no_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_RAG_KEY", KEY)
    base: dict[str, Any] = {"body": {"q": "{{ input }}"}, "headers": {"X-Api-Key": "${MY_RAG_KEY}"}}
    first = model(server, **base).identity()
    monkeypatch.setenv("MY_RAG_KEY", "another-key-of-ours")
    assert model(server, **base, concurrency=2, retries=1, timeout=9.0, patience=9.0).identity() == first
    others = [{"version": "2"}, {"response": "$.a"}, {"contexts": "$.b"}, {"text": "$.t"}, {"query": {"k": 1}}]
    assert len({first, *(model(server, **{**base, **one}).identity() for one in others)}) == len(others) + 1
