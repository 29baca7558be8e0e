"""A registry that lies: whatever it tells, nothing leaves its place and nothing runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

OUTPUT, SESSION, UID = "a1" * 32, "5e" * 32, "1f" * 16


def job(**more: Any) -> dict[str, Any]:
    edges = more.pop("outputs", [{"hash": OUTPUT, "path": "out.bin", "size": 3}])
    metadata = {"roar": {"v": 1, "state": "succeeded"}, "cwd": "."} | more.pop("metadata", {})
    return {
        "jobUid": UID,
        "command": "python make.py",
        "jobType": "run",
        "stepNumber": 1,
        "startedAt": 1.7e9,
        "durationSeconds": 1.0,
        "exitCode": 0,
        "gitCommit": "",
        "metadata": json.dumps(metadata),
        "sessionHash": SESSION,
        "inputs": [],
        "outputs": edges,
    } | more


def answer(*jobs: Any, name: str = OUTPUT, artifacts: Any = ()) -> dict[str, Any]:
    named = [{"kind": "artifact", "name": name, "algorithm": "blake3"}]
    return {
        "references": [{"reference": OUTPUT, "named": named}],
        "jobs": list(jobs),
        "artifacts": list(artifacts),
        "sessions": [],
        "truncated": False,
        "nextCursor": None,
    }


@attrs.define
class Liar:
    """What the registry answers to every question."""

    url: str
    answer: Any = None


@pytest.fixture
def liar() -> Iterator[Liar]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(told.answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        told = Liar(f"http://127.0.0.1:{server.server_address[1]}")
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture
def victim(liar: Liar, tmp_path: Path) -> ProjectUnderTest:
    for name in ("work", "home"):
        (tmp_path / name).mkdir()
    plugins = InstalledPlugins(tmp_path / "plugins")
    environ = {"ROAR_REGISTRY__URL": liar.url}
    return ProjectUnderTest(tmp_path / "work", tmp_path / "home", plugins, environ)


FALSE = {
    "a path that leads out": job(outputs=[{"hash": OUTPUT, "path": "../../x", "size": 3}]),
    "a size that nothing has": job(outputs=[{"hash": OUTPUT, "path": "x", "size": 2**70}]),
    "half a character": job(command="\ud800", metadata={"runtime": {"command": ["\ud800"]}}),
    "a moment that cannot be": job(startedAt=1e300),
    "a uid that is none": job(jobUid="../../etc"),
    "a hash that is none": job(outputs=[{"hash": "zz", "path": "x", "size": 3}]),
    "a path of two names": job(outputs=[{"hash": OUTPUT, "path": "a\0b", "size": 3}]),
    "no job at all": [1, 2],
}


@pytest.mark.parametrize("case", FALSE)
def test_what_cannot_be_true_is_left_out(liar: Liar, victim: ProjectUnderTest, case: str) -> None:
    other = job(jobUid="2f" * 16, outputs=[{"hash": OUTPUT, "path": "good.bin", "size": 3}])
    liar.answer = answer(FALSE[case], other)
    found = victim.roar("show", OUTPUT, "--remote", "--json")
    assert found.exit_code == 0, found.stderr
    assert [one["relative"] for one in json.loads(found.stdout)["producers"]] == ["good.bin"]
    assert "left out" in found.stderr or "not all" in found.stderr
    assert "Traceback" not in found.stderr


def test_escapes_reach_no_terminal(liar: Liar, victim: ProjectUnderTest) -> None:
    bell = "\x1b]0;owned\x07\x1b[2J"
    liar.answer = answer(job(command=bell, metadata={"runtime": {"command": ["python", bell]}}))
    for words in (("show", OUTPUT), ("lineage", OUTPUT), ("reproduce", OUTPUT)):
        found = victim.roar(*words, "--remote")
        assert "\x1b" not in found.stdout + found.stderr
        assert "\x07" not in found.stdout + found.stderr
        assert "owned" in found.stdout


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([1], "no registry gives"),
        (answer(job(), name="b2" * 32), "something else"),
        (answer(job(), name="../../x"), "something else"),
    ],
)
def test_an_answer_to_another_question_is_refused(
    liar: Liar, victim: ProjectUnderTest, told: Any, sentence: str
) -> None:
    liar.answer = told
    found = victim.roar("show", OUTPUT, "--remote")
    assert found.exit_code == 1
    assert sentence in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    "remote", ["ext::sh -c 'touch owned'", "--upload-pack=touch owned", "/etc", "file:///etc"]
)
def test_no_repository_is_cloned_by_a_program_or_from_this_machine(
    liar: Liar, victim: ProjectUnderTest, remote: str
) -> None:
    commit = "c" * 40
    git = {"commit": commit, "remote_url": remote, "clean": True}
    liar.answer = answer(job(gitCommit=commit, metadata={"git": git}))
    planned = victim.roar("reproduce", OUTPUT, "--run", "-y")
    assert planned.exit_code == 3
    assert "no address on the network" in planned.stdout
    kept_going = victim.roar("reproduce", OUTPUT, "--run", "-y", "--keep-going", "--into", "made")
    assert kept_going.exit_code == 3
    assert not list(victim.root.rglob("owned"))
    assert not list(victim.root.rglob("passwd"))


def test_members_that_give_another_hash_are_no_members(
    liar: Liar, victim: ProjectUnderTest
) -> None:
    member = {"path": "part", "kind": "file", "algorithm": "blake3", "digest": OUTPUT, "size": 1}
    dataset = {"total": 1, "isProven": True, "members": [member], "bloom": {"bloom_bits": 1}}
    name = {"hash": "c3" * 32, "algorithm": "composite-blake3", "size": 1, "composite": dataset}
    liar.answer = answer(artifacts=[name])
    liar.answer["references"] = [
        {
            "reference": "c3" * 32,
            "named": [{"kind": "artifact", "name": "c3" * 32, "algorithm": "composite-blake3"}],
        }
    ]
    found = victim.roar("show", "c3" * 32, "--remote", "--json")
    assert found.exit_code == 0, found.stderr
    assert json.loads(found.stdout)["composite"] == {
        "layout": "unknown",
        "members": 1,
        "listed": False,
    }
