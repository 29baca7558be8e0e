"""As much of a W&B server as its client needs to log a run online: GraphQL, file stream, uploads.

    with WandbServer("ada") as server:
        … WANDB_BASE_URL=server.url, WANDB_API_KEY=any 40 hex digits

It answers every run with the entity it was made with, keeps nothing and checks nothing. The
operations are those of wandb 0.31.0's `wandb-core`; one it does not know gets an empty answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, ClassVar

_NOTHING_LOGGED_YET = {
    "summaryMetrics": "{}",
    "logLineCount": 0,
    "eventsLineCount": 0,
    "historyTail": '["{}"]',
    "eventsTail": "[]",
    "tags": [],
    "wandbConfig": '{"t": 1}',
}


class WandbServer:
    """Listens on a free port of loopback while the block runs."""

    def __init__(self, entity: str) -> None:
        handler = type("Handler", (_Handler,), {"entity": entity, "operations": []})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.operations: list[str] = handler.operations  # type: ignore[attr-defined]

    @property
    def url(self) -> str:
        """What to give the client as WANDB_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> WandbServer:
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that is killed breaks its connections off."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entity: ClassVar[str]
    operations: ClassVar[list[str]]

    def do_POST(self) -> None:
        body = self._body()
        if self.path.endswith("/graphql"):
            question = json.loads(body)
            name = question.get("operationName") or question["query"].split("(")[0].split()[-1]
            self.operations.append(name)
            self._answer({"data": self._data(name, question.get("variables") or {})})
        else:
            self._answer({"exitcode": None, "limits": {}})

    def do_PUT(self) -> None:
        self._body()
        self._answer({})

    def do_GET(self) -> None:
        self._answer({})

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the test's output is the client's."""

    def _data(self, operation: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        run = self._run(variables)
        if operation == "Viewer":
            return {"viewer": {"id": "u1", "entity": self.entity, "username": "ada", "flags": "{}"}}
        if operation == "UpsertBucket":
            return {"upsertBucket": {"bucket": run, "inserted": True}}
        if operation == "RunResumeStatus":
            return {"model": {**run["project"], "bucket": {**run, **_NOTHING_LOGGED_YET}}}
        if operation == "CreateRunFiles":
            place = f"http://{self.headers['Host']}/uploads"
            files = [{"name": n, "uploadUrl": f"{place}/{n}"} for n in variables["files"]]
            return {"createRunFiles": {"runID": "r1", "uploadHeaders": [], "files": files}}
        return {}

    def _run(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        entity = {"id": "e1", "name": variables.get("entity") or self.entity}
        project = {"id": "p1", "name": variables.get("project") or "uncategorized"}
        return {
            "id": "r1",
            "name": variables.get("name") or "r",
            "displayName": variables.get("displayName") or "calm-sea-1",
            "config": "{}",
            "historyLineCount": 0,
            "project": {**project, "entity": entity},
        }

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, document: Mapping[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
