"""Canaries: obviously fake secrets in every field that a user can fill, and a wire that listens.

A test plants them, has `roar` tell something to somebody, and looks for them in the bytes that
arrived: on loopback, at a server that keeps what it received.
"""

from __future__ import annotations

import http.client
import subprocess
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import attrs

from roar_core.model.coverage import Coverage, CoverageReason
from roar_core.model.environment import Environment, GitState, Packages
from roar_core.model.job import Edge, Job
from roar_core.model.tracker import TrackerReference
from roar_core.store.labels import write_labels
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.testing.projects import ProjectUnderTest

_FAKE = "FAKE" * 12


def canary(number: int) -> str:
    """A mark that is found in any bytes, of a form that no rule knows."""
    return f"canary{number:02}fake"


# What a user may type, by where: the mark stands in what has to be masked.
COMMAND = (
    *("--token=" + canary(1), "--password", canary(2), "-u", "me:" + canary(3)),
    *("sk-proj-" + canary(4) + "-with_dashes", f"https://u:{canary(5)}@host.example/x"),
    f"postgresql+asyncpg://ada:{canary(6)}@db.example/x",
    f"-----BEGIN PRIVATE KEY-----\n{canary(7)}\n-----END PRIVATE KEY-----",
    *("Authorization: Bearer " + canary(8) + "0", '{"api_key": "' + canary(9) + '"}'),
    f"https://b.example/k?X-Amz-Signature={canary(10)}&x=1",
    f"https://hooks.slack.com/services/T0/B0/{canary(11)}",
    f"eyJmYWtlIjoxfQ.eyJmYWtlIjoxfQ.{canary(12)}",
    f"AccountKey={canary(13)};EndpointSuffix=x",
    *("AKIAFAKEFAKEFAKE0000", f"{canary(14)}/{_FAKE}"[:40]),
)
VARIABLES = {
    "HF_TOKEN": canary(15),
    "MY_KEY": canary(16),
    "CACHE_AT": f"rediss://:{canary(17)}@cache.example:6379/0",
}
BRANCH = f"topic/glpat-{canary(18)}{_FAKE}"
REMOTE = f"https://x-access-token:{canary(19)}@git.example/o/r.git"
MESSAGE = f"Use password={canary(20)}"
STEP = f"train with token={canary(21)}"
INSIDE = f"out/token={canary(22)}.txt"
OUTSIDE = f"api_key={canary(23)}/raw_secret={canary(24)}.csv"
LABELS = (
    f"ops.deploy_key={canary(25)}",
    f"note=see https://u:{canary(26)}@host.example",
    f"ghp_{canary(27)}{_FAKE}=yes",
    f"door=opens with {canary(28)} only",  # by redaction.values
    f"ticket=ACME-{canary(29)}",  # by a rule of redaction.rules
)
TAG = f"token={canary(30)}"
# Where no run gets by itself here: the facts of a store, a tracker, a tracer and of packages.
RECORDED = range(31, 38)
MEMBER = f"c-token={canary(40)}"  # part of a dataset's hash, so it stays, which is said

PLANTED = tuple(canary(number) for number in (*range(1, 31), *RECORDED))


def plant(project: ProjectUnderTest) -> None:
    """Record real runs with a canary in every field, and a job with what they do not reach."""
    _configure(project)
    project.write(
        "train.py", "import sys\nopen(sys.argv[1], 'w').write(open(sys.argv[2]).read())\n"
    )
    project.write(".gitignore", "out/\n.roar/\ndata.zarr/\n")
    _commit(project)
    outside = project.root.parent / OUTSIDE
    outside.parent.mkdir()
    outside.write_text("1")
    (project.root / "out").mkdir()
    for name in ("zarr.json", MEMBER):
        project.write(f"data.zarr/{name}", name)
    run = ("run", "-n", STEP, "--", "python", "train.py", INSIDE, str(outside), *COMMAND)
    assert project.roar(*run, environ=VARIABLES).exit_code == 0
    script = f"cat data.zarr/* '{INSIDE}' > model.bin # sshpass -p {canary(2)} mysql -p{canary(3)}"
    assert project.roar("run", "--", "sh", "-c", script).exit_code == 0
    for ref in ("@1", "model.bin"):
        done = project.roar("label", "set", ref, *LABELS)
        assert done.exit_code == 0, done.stderr
    _record_the_rest(project)


def _configure(project: ProjectUnderTest) -> None:
    own = project.home / ".config" / "roar" / "global.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f'"{name}"' for name in VARIABLES)
    own.write_text(
        f"[environment]\nvariables = [{names}]\n"
        f'[redaction]\nvalues = ["{canary(28)}"]\n'
        '[redaction.rules]\nticket = "ACME-[a-z0-9]+"\n',
        encoding="utf-8",
    )


def _commit(project: ProjectUnderTest) -> None:
    for words in (
        ("init", "-q", "-b", BRANCH),
        ("remote", "add", "origin", REMOTE),
        ("add", "."),
        ("-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "-q", "-m", MESSAGE),
    ):
        subprocess.run(
            ["git", *words], cwd=project.root, env=project.environment(), check=True, timeout=60
        )


def _record_the_rest(project: ProjectUnderTest) -> None:
    """A job that went on from the runs: through an object store, a tracker and odd packages."""
    root = str(project.root)
    with Store.open(project.root / ".roar") as store:
        with store.reading() as db:
            blake3, size = db.execute(
                "SELECT lower(hex(a.blake3)), a.size FROM artifact a WHERE a.blake3 IS NOT NULL"
                " ORDER BY a.id DESC LIMIT 1"
            ).fetchone()
            session, started = db.execute(
                "SELECT max(session), max(started_at_ns) FROM job"
            ).fetchone()
        read = Edge(f"{root}/model.bin", size, {"blake3": blake3})
        object_ = Edge(
            f"s3://bucket/key?X-Amz-Security-Token={canary(31)}", 3, {"etag": "0a" * 16}, "object"
        )
        job = Job(
            uid="0a" * 16,
            kind="run",
            command=("python", "push.py"),
            cwd=root,
            project=root,
            state="running",
            started_at_ns=started + 1_000_000_000,
            session=session,
        )
        begun = store.begin(job, owner=Owner.current())
        store.complete(
            attrs.evolve(
                begun,
                state="succeeded",
                exit_code=0,
                duration_s=0.5,
                tracer="preload",
                inputs=(read,),
                outputs=(object_,),
                git=GitState("c" * 40, BRANCH, REMOTE),
                packages=Packages({f"x-token={canary(32)}": "1.0"}, {}),
                environment=Environment(
                    "Debian 12", "x86_64", container=f"https://u:{canary(33)}@images.example/x"
                ),
                coverage=Coverage((CoverageReason("lost", 1, f"password={canary(34)}"),)),
                trackers=(
                    TrackerReference(
                        tracker="wandb",
                        run_id="fake1",
                        project=f"token={canary(35)}",
                        url=f"https://u:{canary(36)}@wandb.example/x",
                        title=f"secret={canary(37)}",
                    ),
                ),
            )
        )
        with store.writing() as db:
            number = db.execute("SELECT max(id) FROM job").fetchone()[0]
            write_labels(db, "job", number, {"tag": {"note": TAG}, "pin": {"password": 1}}, 1)


def found_in(told: bytes) -> list[str]:
    """The canaries that bytes hold, in order of their numbers."""
    return [mark for mark in PLANTED if mark.encode() in told]


@attrs.define
class Wire:
    """A server on loopback that keeps every byte it is sent, and may pass it on to another."""

    url: str = ""
    received: list[bytes] = attrs.field(factory=list)

    @property
    def everything(self) -> bytes:
        """All that arrived: request lines, headers, and bodies, unpacked where they were packed."""
        return b"\n".join(self.received)


@contextmanager
def listening(upstream: str | None = None) -> Iterator[Wire]:
    """A wire until the block ends: in front of `upstream`, or answering 204 to everything."""
    wire = Wire()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = f"{self.command} {self.path}\n".encode()
            wire.received.append(line + bytes(self.headers) + _unpacked(body))
            status, kind, content = (204, "", b"") if upstream is None else self._passed_on(body)
            self.send_response(status)
            if upstream is not None:
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _passed_on(self, body: bytes) -> tuple[int, str, bytes]:
            connection = http.client.HTTPConnection(urlsplit(str(upstream)).netloc, timeout=60)
            try:
                headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
                connection.request(self.command, self.path, body or None, headers)
                answer = connection.getresponse()
                return answer.status, answer.headers.get("Content-Type", ""), answer.read()
            finally:
                connection.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    wire.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _unpacked(body: bytes) -> bytes:
    if body[:2] != b"\x1f\x8b":
        return body
    return zlib.decompress(body, 16 + zlib.MAX_WBITS)
