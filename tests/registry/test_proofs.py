"""What a client believes of a registry's log, and every way in which one may lie to it."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from logged import DIGESTS, fill, lift_guards

from roar_core.errors import LogError, RegistryError
from roar_core.registry.address import Address
from roar_core.registry.connection import Connection
from roar_core.registry.log.proving import Edges, Proof, Registered, prove
from roar_core.registry.log.remembered import memory_of

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

Lie = Callable[[str, Any], Any]

UIDS = ("1" * 32, "2" * 32)
ONE_JOB: Edges = frozenset({("in", "a" * 64), ("out", "b" * 64)})


class Between(Connection):
    """A connection whose answers somebody changes on the way."""

    lie: Lie = staticmethod(lambda path, told: told)  # type: ignore[assignment]

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return self.lie(path, copy.deepcopy(super().get(path, params)))


def connected(url: str) -> Between:
    return Between(Address(url, True, True))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def remembered(environ: dict[str, str]) -> dict[str, Any]:
    (file,) = Path(environ["XDG_STATE_HOME"]).rglob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600
    return dict(json.loads(file.read_text()))


def leaves_of(registry: Registry, session: str) -> tuple[int, dict[str, int]]:
    told = registry.client.get(f"/api/v1/sessions/{session}").json()
    return told["logIndex"], {job["jobUid"]: job["logIndex"] for job in told["jobs"]}


def test_what_was_registered_is_proven_and_the_head_remembered(
    registry: Registry, environ: dict[str, str]
) -> None:
    name, dataset = fill(registry)
    reads: Edges = frozenset({("in", DIGESTS[0]), ("out", DIGESTS[1])})
    more: Edges = frozenset({("in", DIGESTS[1]), ("in", dataset)})
    whole = Registered(name, {UIDS[0]: reads, UIDS[1]: more})
    with connected(registry.url) as connection:
        first = prove(connection, environ, [whole])
        leaf, jobs = leaves_of(registry, name)
        size = registry.client.get("/api/v1/log/head").json()["size"]
        assert first == Proof(size, {name: leaf}, jobs, {}, is_first=True)
        assert remembered(environ)["head"]["size"] == size
        other = registry.register(uid="4" * 32)
        place, its_jobs = leaves_of(registry, other)
        again = prove(connection, environ, [Registered(other, {"4" * 32: ONE_JOB}, place), whole])
        assert again is not None
        assert again.sessions == {other: place, name: leaf}
        assert again.jobs == jobs | its_jobs
        assert not again.is_first
        # Nothing new: the same head holds.
        assert prove(connection, environ) == Proof(again.size)
        assert remembered(environ)["url"] == registry.url


def test_a_key_that_follows_is_believed_and_what_is_withheld_is_said(
    registry: Registry, environ: dict[str, str]
) -> None:
    name, _ = fill(registry)
    _, jobs = leaves_of(registry, name)
    with connected(registry.url) as connection:
        prove(connection, environ)
        assert registry.glaas("key", "rotate").returncode == 0
        words = ("withhold", str(jobs[UIDS[0]]), "--reason", "it named a person", "--yes")
        done = registry.glaas(*words)
        assert done.returncode == 0, done.stderr
        found = prove(connection, environ, [Registered(name, dict.fromkeys(UIDS))])
    assert found is not None
    assert found.withheld == {UIDS[0]: "it named a person"}
    assert found.jobs == {UIDS[1]: jobs[UIDS[1]]}
    assert len(remembered(environ)["keys"]) == 2


def test_a_registry_without_a_log_has_none_and_may_not_lose_one(
    shared: Registry, environ: dict[str, str]
) -> None:
    from roar_core.errors import UnregisteredError

    def none(path: str, told: Any) -> Any:
        raise UnregisteredError("there is no log", 404)

    with connected(shared.url) as connection:
        connection.lie = none
        assert prove(connection, environ) is None
        connection.lie = lambda path, told: told
        prove(connection, environ)
        connection.lie = none
        with pytest.raises(LogError, match="has no log any more"):
            prove(connection, environ)


def changed(name: str, *place: str | int, to: Any) -> Lie:
    """Another value at a place of the answers whose path begins so."""

    def lie(path: str, told: Any) -> Any:
        if path.startswith(name):
            inner = told
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = to(inner[place[-1]]) if callable(to) else to
        return told

    return lie


def other_digit(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


def entries(change: Callable[[list[dict[str, Any]]], None]) -> Lie:
    def lie(path: str, told: Any) -> Any:
        if path == "log/entries":
            change(told["entries"])
        return told

    return lie


def rewritten(**said: Any) -> Lie:
    def change(found: list[dict[str, Any]]) -> None:
        for entry in found:
            entry["record"] = json.dumps(json.loads(entry["record"]) | said)

    return entries(change)


LIES: dict[str, Lie] = {
    "another root": changed("log/head", "root", to=other_digit),
    "another signature": changed("log/head", "signature", to=other_digit),
    "another time": changed("log/head", "atUs", to=lambda at_us: at_us + 1),
    "another key": changed("log/head", "keyId", to=other_digit),
    "a larger log": changed("log/head", "size", to=lambda size: size + 1),
    "a smaller log": changed("log/head", "size", to=lambda size: 1),
    "no size": changed("log/head", "size", to=None),
    "no keys": changed("log/keys", "keys", to=[]),
    "a key unsigned": changed("log/keys", "keys", 0, "signature", to=other_digit),
    "a key elsewhere": changed("log/keys", "keys", 0, "leafIndex", to=1),
    "no consistency": changed("log/proof/consistency", "path", to=[]),
    "consistency of others": changed("log/proof/consistency", "path", 0, to=other_digit),
    "consistency without end": changed(
        "log/proof/consistency", "path", to=lambda path: [*path, "0" * 64]
    ),
    "no way to the record": changed("log/proof/inclusion", "path", to=[]),
    "another way": changed("log/proof/inclusion", "path", 0, to=other_digit),
    "another session": rewritten(session="0" * 64),
    "another kind": rewritten(kind="job"),
    "a changed salt": entries(lambda found: found[0].update(salt="00" * 32)),
    "a changed leaf": entries(lambda found: found[0].update(leafHash="00" * 32)),
    "an untold record": entries(lambda found: found[0].update(record=None)),
    "a withheld one": entries(
        lambda found: found[0].update(
            record=None, withheld={"reason": "so", "atUs": 1, "recordIndex": 0}
        )
    ),
    "no record at all": entries(lambda found: found.clear()),
    "records that are none": changed("log/entries", "entries", to=[3]),
    "an answer that is none": lambda path, told: [],
}


@pytest.fixture(scope="module")
def world(
    serve: Callable[[str, Path], AbstractContextManager[Registry]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Registry, list[Registered], Path]]:
    """A registry that was seen once and grew since, its sessions, and what is remembered."""
    folder = tmp_path_factory.mktemp("world")
    with serve(f"sqlite:///{folder}/glaas.db", folder / "data") as registry:
        early = Registered(registry.register(uid="5" * 32), {"5" * 32: ONE_JOB})
        state = {"XDG_STATE_HOME": str(folder / "state")}
        with connected(registry.url) as connection:
            prove(connection, state, [early])
        later = Registered(registry.register(uid="6" * 32), {"6" * 32: ONE_JOB})
        yield registry, [early, later], folder / "state"


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
def test_whoever_lies_is_found_out_and_the_old_head_kept(
    lie: Lie, world: tuple[Registry, list[Registered], Path], environ: dict[str, str]
) -> None:
    registry, sessions, state = world
    shutil.copytree(state, environ["XDG_STATE_HOME"])
    before = remembered(environ)
    with connected(registry.url) as connection:
        connection.lie = lie
        with pytest.raises(LogError, match=r"does not hold what it must: .*registry forget"):
            prove(connection, environ, sessions)
        assert remembered(environ) == before
        connection.lie = lambda path, told: told
        assert prove(connection, environ, sessions) is not None


def test_what_was_not_registered_so_is_not_proven(
    world: tuple[Registry, list[Registered], Path], environ: dict[str, str]
) -> None:
    registry, [early, later], _ = world
    no_edges: Edges = frozenset()
    others = {
        "does not hold job 99999999": Registered(early.session_hash, {"9" * 32: None}),
        "read and wrote": Registered(early.session_hash, {"5" * 32: no_edges}),
        "is not that of session": Registered(early.session_hash, {}, leaf=0),
        "after all that is signed": Registered(early.session_hash, {}, leaf=10**6),
    }
    with connected(registry.url) as connection:
        for message, wrong in others.items():
            with pytest.raises(LogError, match=message):
                prove(connection, environ, [later, wrong])
        assert not list(Path(environ["XDG_STATE_HOME"]).rglob("*.json"))


def test_a_database_that_was_meddled_with_is_found_out(
    registry: Registry, environ: dict[str, str]
) -> None:
    name = registry.register()
    leaf, jobs = leaves_of(registry, name)
    session = Registered(name, {UIDS[0]: ONE_JOB}, leaf)
    with connected(registry.url) as connection:
        prove(connection, environ, [session])
        before = remembered(environ)
        with registry.database() as database, database.engine.begin() as meddling:
            lift_guards(meddling)
            query = sa.text("SELECT bytes FROM record_bytes WHERE leaf_index = :leaf")
            record = bytes(meddling.execute(query, {"leaf": jobs[UIDS[0]]}).scalar_one())
            update = sa.text("UPDATE record_bytes SET bytes = :bytes WHERE leaf_index = :leaf")
            forged = record.replace(b"train.py", b"other.py")
            meddling.execute(update, {"leaf": jobs[UIDS[0]], "bytes": forged})
        with pytest.raises(LogError, match=f"record {jobs[UIDS[0]]} was changed"):
            prove(connection, environ, [session])
    assert remembered(environ) == before


def test_a_fork_of_the_log_is_found_out_although_its_own_key_signs_it(
    registry: Registry,
    elsewhere: str,
    serve: Callable[[str, Path], AbstractContextManager[Registry]],
    environ: dict[str, str],
    tmp_path: Path,
) -> None:
    registry.register(uid="1" * 32)
    assert registry.glaas("backup", tmp_path / "backup").returncode == 0
    registry.register(uid="2" * 32, output="c" * 64)
    with connected(registry.url) as connection:
        prove(connection, environ)
    place = ("--data", str(tmp_path / "fork"), "--database", elsewhere)
    restore = [sys.executable, "-m", "roar_glaas.cli", "restore", str(tmp_path / "backup"), *place]
    subprocess.run(restore, check=True, capture_output=True)
    with serve(elsewhere, tmp_path / "fork") as fork, connected(fork.url) as connection:
        with memory_of(registry.url, environ) as old, memory_of(fork.url, environ) as new:
            old.file.rename(new.file)
        before = remembered(environ)
        with pytest.raises(LogError, match="the log has shrunk"):
            prove(connection, environ)
        for uid in ("3" * 32, "4" * 32):  # as large as the other, then larger
            fork.register(uid=uid, output=uid[0] * 64)
            with pytest.raises(LogError, match="does not continue the one of before"):
                prove(connection, environ)
        assert remembered(environ) == before
        with memory_of(fork.url, environ) as memory:
            assert memory.forget()
            assert not memory.forget()
        proof = prove(connection, environ)
        assert proof is not None
        assert proof.is_first


def test_a_memory_that_cannot_be_read_is_said_to_be(
    world: tuple[Registry, list[Registered], Path], environ: dict[str, str]
) -> None:
    registry, _, _ = world
    with connected(registry.url) as connection:
        prove(connection, environ)
        (file,) = Path(environ["XDG_STATE_HOME"]).rglob("*.json")
        file.write_text("{}")
        with pytest.raises(RegistryError, match="holds no remembered head of the log of http"):
            prove(connection, environ)
        with pytest.raises(RegistryError, match="set HOME or XDG_STATE_HOME"):
            prove(connection, {"XDG_STATE_HOME": "relative"})
