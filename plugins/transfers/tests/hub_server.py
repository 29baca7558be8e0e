"""A small server that speaks the Hugging Face Hub's HTTP API, written for these tests.

It is ours, made from what huggingface_hub asks for, since nobody offers one: it shows that the
library is used as it wants to be, not that the Hub at huggingface.co agrees.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import attrs

TOKEN = "hf_not_a_real_token"
_LARGE = 1 << 20  # files of this size go by LFS


@attrs.define
class Repository:
    """The commits of one repository, each the whole tree: path -> content."""

    commits: dict[str, dict[str, bytes]] = attrs.field(factory=dict)
    head: str = ""

    def commit(self, tree: dict[str, bytes]) -> str:
        described = [self.head, *(f"{p} {hashlib.sha1(c).hexdigest()}" for p, c in tree.items())]
        self.head = hashlib.sha1("\n".join(described).encode()).hexdigest()
        self.commits[self.head] = tree
        return self.head


@attrs.define
class _Hub:
    """What the server holds; `moved` counts down commits by others that come in between."""

    repositories: dict[str, Repository] = attrs.field(factory=dict)
    objects: dict[str, bytes] = attrs.field(factory=dict)
    moved: int = 0
    lock: threading.Lock = attrs.field(factory=threading.Lock)


@attrs.frozen
class Hub:
    """A hub that is running."""

    url: str

    def create(self, name: str) -> None:
        """A repository with one file, as the Hub creates them; `datasets/owner/repo`."""
        self._tell("create", name)

    def have_others_commit(self, times: int) -> None:
        """Let somebody else commit before each of the next commits."""
        self._tell("moved", str(times))

    def _tell(self, what: str, value: str) -> None:
        request = urllib.request.Request(f"{self.url}/of-tests/{what}", value.encode())
        with urllib.request.urlopen(request, timeout=60):
            pass


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub that listens on loopback, in a process of its own."""
    server = subprocess.Popen((sys.executable, __file__), stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server.stdout as said:
        try:
            yield Hub(said.readline().strip())
        finally:
            server.terminate()
            server.wait(timeout=60)


def main() -> None:
    """Serve until the end of the process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    _Handler.url = f"http://127.0.0.1:{server.server_port}"
    print(_Handler.url, flush=True)  # noqa: T201 - whom it is started by reads it
    server.serve_forever()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    hub = _Hub()
    url = ""

    def log_message(self, *said: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        if found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)(?:/revision/(.+))?", path):
            if (tree := self._tree(found[1], found[2] or "main")) is not None:
                sha, _ = tree
                self._json({"id": found[1].partition("/")[2], "sha": sha, "siblings": []})
        elif found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/tree/([^/]+)/?(.*)", path):
            if (tree := self._tree(found[1], found[2])) is not None:
                below = f"{found[3]}/" if found[3] else ""
                entries = [_entry(p, c) for p, c in tree[1].items() if p.startswith(below)]
                if entries:
                    self._json([*entries, {"type": "directory", "path": "some", "oid": "0" * 40}])
                else:
                    self._refuse(404, "EntryNotFound")
        elif found := re.fullmatch(r"/(?:(\w+)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            if (tree := self._tree(f"{found[1] or 'models'}/{found[2]}", found[3])) is not None:
                content = tree[1].get(found[4])
                if content is None:
                    self._refuse(404, "EntryNotFound")
                else:
                    self._give(content)
        else:
            self._refuse(404, "EntryNotFound")

    def do_POST(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/of-tests/"):
            if path.endswith("/moved"):
                self.hub.moved = int(body)
            else:
                self.hub.repositories[body.decode()] = repository = Repository()
                repository.commit({".gitattributes": b"*.bin filter=lfs\n"})
            self._json({})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(401, "RepoNotFound")
        elif found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/paths-info/(.+)", path):
            if (tree := self._tree(found[1], found[2])) is not None:
                fields = parse_qs(body.decode())
                if self.headers["Content-Type"].startswith("application/json"):
                    fields = json.loads(body)
                wanted = fields["paths"]
                self._json([_entry(p, tree[1][p]) for p in wanted if p in tree[1]])
        elif re.fullmatch(r"/api/\w+/[^/]+/[^/]+/preupload/.+", path):
            files = json.loads(body)["files"]
            self._json({"files": [self._preupload(file) for file in files]})
        elif re.fullmatch(r".+\.git/info/lfs/objects/batch", path):
            wanted = json.loads(body)["objects"]
            self._json({"transfer": "basic", "objects": [self._lfs(object) for object in wanted]})
        elif found := re.fullmatch(r"/api/(\w+/[^/]+/[^/]+)/commit/(.+)", path):
            with self.hub.lock:
                self._commit(found[1], [json.loads(line) for line in body.splitlines() if line])
        else:
            self._refuse(404, "EntryNotFound")

    def do_PUT(self) -> None:
        content = self._body()
        digest = self.path.rpartition("/")[2]
        if hashlib.sha256(content).hexdigest() != digest:
            self._refuse(400, "")
            return
        self.hub.objects[digest] = content
        self._json({})

    def _preupload(self, file: dict[str, Any]) -> dict[str, Any]:
        mode = "lfs" if file["size"] >= _LARGE else "regular"
        ignored = file["path"].endswith(".ignored")
        return {"path": file["path"], "uploadMode": mode, "shouldIgnore": ignored}

    def _lfs(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if wanted["oid"] in self.hub.objects:
            return wanted
        return wanted | {"actions": {"upload": {"href": f"{self.url}/lfs/{wanted['oid']}"}}}

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        repository = self.hub.repositories[name]
        if self.hub.moved:
            self.hub.moved -= 1
            others = repository.commits[repository.head]
            repository.commit({**others, f"other-{self.hub.moved}": b"others"})
        tree = dict(repository.commits[repository.head])
        for line in lines:
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit") != repository.head:
                self._refuse(412, "")
                return
            if line["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                tree[value["path"]] = self.hub.objects[value["oid"]]
        oid = repository.commit(tree)
        # Of this address the library takes the repository's name again; nobody asks there.
        page = f"https://huggingface.co/{name.removeprefix('models/')}/commit/{oid}"
        self._json({"success": True, "commitOid": oid, "commitUrl": page})

    def _tree(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and tree of a revision; None, and an answer, when there is none."""
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._refuse(404, "RepoNotFound")
            return None
        commit = repository.head if revision == "main" else revision
        if commit not in repository.commits:
            self._refuse(404, "RevisionNotFound")
            return None
        return commit, repository.commits[commit]

    def _give(self, content: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        size = len(content)
        if found:
            content = content[int(found[1]) : int(found[2] or size) + 1]
        self.send_response(206 if found else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _refuse(self, status: int, code: str) -> None:
        self._json({"error": code}, status, {"X-Error-Code": code} if code else {})

    def _json(
        self, document: Any, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _entry(path: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": "file",
        "path": path,
        "size": len(content),
        "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
    }
    if len(content) >= _LARGE:
        digest = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
    return entry


if __name__ == "__main__":
    main()
