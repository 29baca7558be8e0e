"""Export and import: the same hashes and the same answers, from either database to the other."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from lineages import DATASET, MODEL, PARTS, RAW, SCORE, SECOND, SECRET, VAST, register_all, uid

from roar_glaas.errors import GlaasError
from roar_glaas.exchange.importing import import_lines
from roar_glaas.exchange.lines import OF_SESSION
from roar_glaas.storage.database import open_database
from roar_glaas.storage.guards import FROZEN
from roar_glaas.storage.tables import artifact, label_value, session
from roar_glaas.storage.tables import job as job_table

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

QUESTIONS = [
    *(f"artifacts/{one}" for one in (RAW, MODEL, SCORE, SECOND, SECRET, DATASET, VAST)),
    *(f"artifacts/{one}/dag" for one in (SCORE, SECOND)),
    f"artifacts/{DATASET}/components",
    *(f"graph/artifacts/{MODEL}/{part}" for part in ("producers", "consumers", "downstream")),
    *(f"graph/artifacts/{SCORE}/{part}" for part in ("upstream", "sources")),
    *(f"graph/artifacts/{DATASET}/{part}" for part in ("results", "members")),
    f"graph/artifacts/{VAST}/members/{PARTS[0]}",
    f"graph/datasets?member={PARTS[0]}",
    f"graph/path?start={RAW}&end={SCORE}",
    f"graph/compare/artifacts?left={MODEL}&right={SECOND}",
    *("graph/sessions", "graph/jobs", "graph/jobs?command=train", f"graph/jobs/{uid('train')}"),
    *("graph/labels?key=stage", "graph/labels?key=tags&value=b", "graph/files?path=model.pt"),
]


def glaas(*words: str | Path, text: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "roar_glaas.cli", *words]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def place(url: str, folder: Path) -> tuple[str, str, str, str]:
    return "--database", url, "--data", str(folder)


def answers(registry: Registry, sessions: dict[str, str]) -> dict[str, Any]:
    """All that is answered, without the numbers that are each registry's own."""
    own = re.compile(r'"(id|logIndex|logIndexes|nextCursor)":\s*(\[[^]]*\]|"[^"]*"|[0-9]+|null),?')
    paths = [*QUESTIONS, *(f"sessions/{one}" for one in sessions.values())]
    return {path: own.sub("", registry.client.get(f"/api/v1/{path}").text) for path in paths}


def test_an_import_answers_as_what_was_exported(
    registry: Registry, tmp_path: Path, elsewhere: str, serve: Any
) -> None:
    sessions = register_all(registry)
    before = answers(registry, sessions)
    file, url = tmp_path / "export.ndjson", elsewhere
    done = glaas("export", *place(registry.database_url, tmp_path / "data"), file)
    assert done.returncode == 0, done.stderr
    done = glaas("import", *place(url, tmp_path / "other"), file)
    assert done.stdout == b"registered 3 sessions, 5 jobs, 5 labels\n", done.stderr
    with serve(url, tmp_path / "other") as other:
        after = answers(other, sessions)
        assert after == before
        assert '"detail"' not in before[f"artifacts/{MODEL}"]
        exported = other.client.get("/api/v1/export")
    again = glaas("export", *place(url, tmp_path / "other"), "-").stdout.splitlines()
    first = file.read_bytes().splitlines()
    assert [without_numbers(line) for line in again[1:]] == [
        without_numbers(line) for line in first[1:]
    ]
    public = glaas("export", "--public", *place(url, tmp_path / "other"), "-").stdout
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert exported.content.splitlines()[1:] == public.splitlines()[1:]
    for word in (sessions["hidden"], uid("hidden"), SECRET, "hush"):
        assert word.encode() in file.read_bytes()
        assert word not in exported.text
    verified = glaas("verify", *place(url, tmp_path / "other"))
    # The lineage's one session was made private past the guards: that is told, and nothing else.
    assert b"1 problems" in verified.stdout, verified.stdout
    assert f"session {sessions['hidden'][:12]}: visibility is 'private'".encode() in verified.stdout
    twice = glaas("import", *place(url, tmp_path / "other"), file)
    assert (twice.returncode, b"empty registry" in twice.stderr) == (1, True)


def without_numbers(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    found.pop("number", None)
    found.get("row", {}).pop("leaf_index", None)
    return dict(found)


def test_a_broken_export_is_refused_whole_and_in_a_sentence(
    registry: Registry, tmp_path: Path, elsewhere: str
) -> None:
    register_all(registry)
    done = glaas("export", *place(registry.database_url, tmp_path / "data"), "-")
    lines = done.stdout.splitlines(keepends=True)
    jobs = next(n for n, line in enumerate(lines) if line.startswith(b'{"kind":"job"'))
    job = json.loads(lines[jobs])["row"]

    def changed(**more: Any) -> list[bytes]:
        return [
            *lines[:jobs],
            json.dumps({"kind": "job", "row": job | more}).encode() + b"\n",
            *lines[jobs + 1 :],
        ]

    broken = [
        (b"", "breaks off"),
        (b"not json\n", "line 1 is no JSON"),
        (b"[" * 100_000, "line 1 is no JSON"),
        (b"{}\n", "line 1 is no header"),
        (b'{"kind":"header","format":"glaas-export","version":99}\n', "version 99"),
        (b"".join(lines[:-1]), "breaks off"),
        (b"".join([*lines[:-2], lines[-1]]), "missing"),
        (b"".join([*lines, lines[1]]), "not a line"),
        (b"".join([*lines[:2], b'{"kind":"user","row":{}}\n', *lines[2:]]), "'user' is no kind"),
        (b"".join(changed(step="3; DROP TABLE job")), "step"),
        (b"".join(changed(step=2**80)), "as job"),
        (b"".join(changed(command=None, uid="zz")), "as job"),
        (b"".join(changed(session_id="0" * 64)), "as job"),
        (b"".join(changed(command="a\0b")), "NUL"),
        (b"".join(changed(leaf_index=10**9)), "as job"),
    ]
    done = glaas("import", *place(elsewhere, tmp_path / "other"), "-", text=broken[0][0])
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"breaks off" in done.stderr
    database = open_database(elsewhere)
    for text, word in broken:
        with pytest.raises(GlaasError, match=word), database.append() as connection:
            import_lines(connection, text.splitlines(keepends=True))
    with database.read() as connection:
        for table in (session, job_table, artifact, label_value):
            count = sa.select(sa.func.count()).select_from(table)
            assert connection.execute(count).scalar_one() == 0, table.name
    database.dispose()


def test_every_registered_table_is_exported() -> None:
    log = {"leaf", "record_bytes", "node", "log_key", "tree_head", "withheld"}
    exported = {"session", "artifact", "label", *(table.name for table in OF_SESSION)}
    assert exported == set(FROZEN) - log


def test_an_export_takes_no_parameter(refusing: Registry) -> None:
    answer = refusing.client.get("/api/v1/export?limit=3")
    assert answer.status_code == 400
    assert "limit" in answer.json()["detail"]
    lines = refusing.client.get("/api/v1/export").text.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["header", "end"]
    assert json.loads(lines[1])["lines"] == 0
