"""The small system of my_rag.py as a service: `python my_rag_server.py` listens on 127.0.0.1, port 8000."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from my_rag import answer


class Handler(BaseHTTPRequestHandler):
    """Answers `{"question"}` with `{"answer", "sources": [{"doc_id", "snippet", "rank_score"}]}`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        made = answer({"input": body["question"]})
        sources = [
            {"doc_id": passage["id"], "snippet": passage["text"], "rank_score": passage["score"]} for passage in made["contexts"]
        ]
        reply = json.dumps({"answer": made["response"], "sources": sources}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *args: object) -> None: ...


def server(port: int = 8000) -> ThreadingHTTPServer:
    """Return the service, which `serve_forever` starts."""
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    server().serve_forever()
