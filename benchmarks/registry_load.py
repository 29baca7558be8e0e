"""Clients of a registry that register at full speed, over HTTP: bodies are written beforehand."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

METADATA = {
    "roar_version": "0.4.7",
    "cwd": "/home/someone/project",
    "git": {"branch": "main", "clean": True, "commit": "c" * 40},
    "packages": {"pip": {f"package-{n}": f"{n}.0.{n}" for n in range(12)}},
    "runtime": {
        "hostname": "node-17",
        "python": {"version": "3.12.3", "implementation": "CPython"},
        "timing": {"start": 1.7e9, "end": 1.7e9 + 60, "duration_seconds": 60.0},
    },
}
BATCH = 1_000


class Request(NamedTuple):
    """One request of a registration: the rest of its address, and its body."""

    path: str
    body: bytes


class Work(NamedTuple):
    """A session to be registered: what is sent in turn, and how many jobs it has."""

    requests: list[Request]
    jobs: int


def made_up_work(jobs: int, artifacts: int = 3, *, is_batched: bool) -> Work:
    """A session that nobody has registered: each job reads what the last wrote, and writes more.

    Batched: links of many jobs in one request. Otherwise as the stock client sends them, two
    requests for each job.
    """
    name = secrets.token_hex()
    uids = [hashlib.sha256(f"{name} {n}".encode()).hexdigest()[:32] for n in range(jobs)]
    described, links, last = [], [], []
    for number, uid in enumerate(uids):
        written = [
            {
                "hash": hashlib.sha256(f"{name} {number} {n}".encode()).hexdigest(),
                "path": f"/home/someone/project/out/{number}/part-{n}.parquet",
            }
            for n in range(artifacts - 1 if number == 0 else artifacts)
        ]
        read = last or [{"hash": hashlib.sha256(name.encode()).hexdigest(), "path": "/data/in.csv"}]
        links.append({"job_uid": uid, "inputs": read[:2], "outputs": written})
        described += [
            {
                "hashes": [{"algorithm": "blake3", "digest": one["hash"]}],
                "size": 1_000 + number,
                "source_type": None,
            }
            for one in (*written, *([] if last else read))
        ]
        last = written
    bodies = [_job(uid, number) for number, uid in enumerate(uids)]
    requests = [_request("jobs/batch", {"jobs": part}) for part in _parts(bodies, BATCH)]
    # As the stock client cuts them: at most 90 KiB of JSON, some 600 artifacts.
    requests += [
        _request("artifacts/batch", {"artifacts": part})
        for part in _parts(described, 3 * BATCH if is_batched else 600)
    ]
    if is_batched:
        requests += [_request("links/batch", {"links": part}) for part in _parts(links, BATCH)]
    else:
        for one in links:
            for side in ("inputs", "outputs"):
                requests.append(_request(f"jobs/{one['job_uid']}/{side}", {"artifacts": one[side]}))
    requests.append(_request("finalize", {"git_commit": "c" * 40, "git_branch": "main"}))
    return Work(requests, jobs)


def _job(uid: str, number: int) -> dict[str, object]:
    return {
        "command": f"python train.py --step {number} --config configs/base.yaml",
        "timestamp": 1_700_000_000.5 + number,
        "job_uid": uid,
        "step_number": number + 1,
        "duration_seconds": 61.5,
        "exit_code": 0,
        "job_type": "run",
        "git_commit": "c" * 40,
        "git_branch": "main",
        "metadata": json.dumps(METADATA),
    }


def _request(path: str, body: object) -> Request:
    return Request(path, json.dumps(body).encode())


def _parts(values: list, size: int) -> Iterator[list]:
    for start in range(0, len(values), size):
        yield values[start : start + size]


class Client:
    """One connection to a registry, kept open."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)

    def ask(self, method: str, path: str, body: bytes | None = None, token: str = "") -> dict:
        """What is answered; raises RuntimeError for anything but 2xx."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if token:
            headers["Authorization"] = f"RegistrationSession {token}"
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)

    def register(self, work: Work) -> str:
        """Register a session; returns its hash; raises RuntimeError when it is known."""
        start = "/api/v1/registration-sessions"
        opened = self.ask("POST", start, b'{"mode": "anonymous_public"}')
        name, token = opened["registration_session_id"], opened["registration_session_token"]
        for request in work.requests:
            told = self.ask("POST", f"{start}/{name}/{request.path}", request.body, token)
        if not told["created"]:
            raise RuntimeError(f"session {told['session_hash']} was registered before")
        return str(told["session_hash"])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Rate(NamedTuple):
    """What so many clients registered in so many seconds; hashes in the order of the works."""

    hashes: list[str]
    jobs: int
    seconds: float

    @property
    def jobs_per_s(self) -> float:
        """Jobs registered in a second."""
        return self.jobs / self.seconds


def register_all(url: str, works: list[Work], clients: int, *, reads: int = 0) -> Rate:
    """Register everything, by so many clients at once; raises the first error of any.

    After each session a client reads it back `reads` times: that counts into the time.
    """
    waiting = list(enumerate(works))
    hashes, errors = [""] * len(works), []

    def one() -> None:
        client = Client(url)
        try:
            while True:
                try:
                    place, work = waiting.pop()
                except IndexError:
                    return
                hashes[place] = client.register(work)
                for _ in range(reads):
                    client.ask("GET", f"/api/v1/public/sessions/{hashes[place]}/reproduction")
        except Exception as error:
            errors.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=one) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    if errors:
        raise errors[0]
    return Rate(hashes, sum(work.jobs for work in works), seconds)
