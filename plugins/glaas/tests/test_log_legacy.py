"""Sessions of the legacy path, and what was imported: the log accounts for them too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import sqlalchemy as sa
from logged import meddling

from roar_glaas.access.people import add_person
from roar_glaas.access.tokens import issue_personal
from roar_glaas.audit.inside import audit_database
from roar_glaas.exchange.exporting import everybody, export
from roar_glaas.exchange.importing import import_lines
from roar_glaas.log.signing import Signer
from roar_glaas.log.withholding import withhold
from roar_glaas.opening import open_registry
from roar_glaas.settings import Settings
from roar_glaas.storage.tables import edge, job, leaf, session

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

MARK = "zyxunspeakable"
MADE, READ = "a" * 64, "b" * 64


def problems(connection: sa.Connection) -> list[str]:
    report = audit_database(connection, lambda done, total: None)
    return [found.message for found in report.findings.found]


def fill(registry: Registry) -> None:
    """A session of the legacy path, its edges sent in three requests, and one made public."""
    from plugins.glaas.tests.test_legacy import Client
    from plugins.glaas.tests.test_log_scopes import MINE, Ada

    client = Client(registry)
    client.open()
    client.add_jobs(client.job(command=MARK), client.job(job_uid="c0ffee00"))
    for digest in ("d" * 64, "e" * 64):
        hashes = [
            {"algorithm": "blake3", "digest": MADE},
            {"algorithm": "sha256", "digest": READ},
            {"algorithm": "sha256", "digest": digest},
        ]
        described = {"hashes": hashes, "size": 3, "session_hash": client.name}
        described |= {"metadata": json.dumps({"of": digest})}
        client.post("artifacts/batch", {"artifacts": [described]})
    client.link("inputs", (READ, f"/{MARK}"), (READ, "/again"))
    client.link("inputs", (READ, "/a third time"))
    client.link("outputs", (MADE, "/out"))
    assert client.finish().is_success
    with registry.database() as database, database.write() as connection:
        person = add_person(connection, f"ada-{uuid4().hex[:8]}")
        secret = issue_personal(connection, person.id, "for a test", days=1)
    ada = Ada(registry, {"Authorization": f"Bearer {secret}"}, uuid4().hex, "")
    assert ada.register(MINE) == ada.register(MINE | {"visibility": "public"})


def test_what_came_by_requests_is_accounted_for(registry: Registry) -> None:
    fill(registry)
    with registry.database() as database:
        with database.read() as connection:
            assert problems(connection) == []
        with meddling(database) as connection:
            connection.execute(sa.delete(edge).where(edge.c.path == "/a third time"))
            (found,) = problems(connection)
            assert "lacks the edge" in found
        signer = Signer(registry.data)
        database.seal = signer.seal
        with database.append() as connection:
            query = sa.select(job.c.leaf_index).where(job.c.command == MARK)
            withhold(connection, signer, connection.execute(query).scalar_one(), "a person")
        with database.read() as connection:
            assert problems(connection) == []
            paths = connection.execute(sa.select(edge.c.path)).scalars().all()
            kinds = connection.execute(sa.select(leaf.c.kind).order_by(leaf.c.index)).scalars()
            assert [kind for kind in kinds if kind == "withheld"] == ["withheld"]
        assert paths == [None] * 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_withheld", [False, True])
def test_what_is_imported_is_accounted_for(
    registry: Registry, tmp_path: Path, is_withheld: bool
) -> None:
    fill(registry)
    with registry.database() as database:
        if is_withheld:
            signer = Signer(registry.data)
            database.seal = signer.seal
            with database.append() as connection:
                query = sa.select(job.c.leaf_index).where(job.c.command == MARK)
                withhold(connection, signer, connection.execute(query).scalar_one(), "a person")
        with database.read() as connection:
            lines = list(export(connection, everybody(connection)))
    other = open_registry(Settings(data=tmp_path / "other"))
    with other.append() as connection:
        import_lines(connection, lines)
    with other.read() as connection:
        assert problems(connection) == []
        assert connection.execute(sa.select(sa.func.count()).select_from(session)).scalar() == 2
        assert connection.execute(sa.select(sa.func.count()).select_from(edge)).scalar() == 4
    other.dispose()
