"""A session with everything in it, for the tests of the log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from roar_core.identity import Leaf, tree_hash

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

    from roar_glaas.storage.database import Database

# No other word begins so: an index that shortens words keeps this one whole.
MARK = "zyxunspeakable"
DIGESTS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(6)]


def lift_guards(connection: sa.Connection) -> None:
    """Take what keeps the log from being changed away, as whoever has the database can."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        return
    named = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for name in connection.exec_driver_sql(named).scalars().all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")


@contextmanager
def meddling(database: Database) -> Iterator[sa.Connection]:
    """A transaction of an administrator without the guards; it is rolled back at its end."""
    connection = database.engine.connect()
    with connection:
        if not database.is_postgresql:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        lift_guards(connection)
        yield connection
        connection.rollback()


def fill(registry: Registry) -> tuple[str, str]:
    """Register a session with everything in it; returns its hash and its dataset's."""
    from plugins.glaas.tests.conftest import job_body

    opened = registry.open()
    uids = ["1" * 32, "2" * 32]
    first = job_body(uids[0], command=f"train {MARK}", git_commit="c" * 40, git_branch="main")
    first["job_hash"] = "b3" * 32
    second = job_body(uids[1], command="train more", parent_job_uid=uids[0], step_number=2)
    opened.post("jobs/batch", {"jobs": [first, second]})
    ranges = [[0, 9], [20, 29]]
    reads = [
        {"hash": DIGESTS[0], "path": f"/data/{MARK}", "size": 3, "byte_ranges": ranges},
        {"hash": DIGESTS[0], "path": "/data/again"},
    ]
    opened.post(f"jobs/{uids[0]}/inputs", {"artifacts": reads})
    opened.post(f"jobs/{uids[0]}/outputs", {"artifacts": [{"hash": DIGESTS[1], "path": "/out"}]})
    opened.post(f"jobs/{uids[1]}/inputs", {"artifacts": [{"hash": DIGESTS[1], "path": "/out"}]})
    also = [{"algorithm": "blake3", "digest": DIGESTS[1]}]
    also += [
        {"algorithm": "sha256", "digest": DIGESTS[2]},
        {"algorithm": "md5", "digest": "a" * 32},
    ]
    described = {"hashes": also, "size": 7, "source_type": "https"}
    described |= {"source_url": f"https://example.org/{MARK}", "metadata": {"is": MARK}}
    opened.post("artifacts/batch", {"artifacts": [described]})
    root = tree_hash(Leaf(f"{MARK}-{n}", "blake3", DIGESTS[n]) for n in (3, 4))
    members = [
        {
            "relative_path": f"{MARK}-{n}",
            "leaf_kind": "file",
            "component_algorithm": "blake3",
            "component_digest": DIGESTS[n],
            "component_size": n,
        }
        for n in (3, 4)
    ]
    dataset = {
        "hash": root.root,
        "hashes": [{"algorithm": root.algorithm, "digest": root.root}],
        "size": 7,
        "component_count_total": 2,
        "components": members,
        "metadata": {"is": MARK},
    }
    opened.post("artifacts/composites", dataset)
    bloom = {"bloom_filter_base64": "AAAA", "bloom_bits": 24, "bloom_hashes": 1}
    view = {"relation": "consumes", "target_hash": root.root, "selected_count": 1}
    view |= {"parent_total": 2, "bloom": bloom}
    opened.post(f"jobs/{uids[1]}/view-edges", {"view_edges": [view]})
    git = {"git_repo": f"https://example.org/{MARK}.git", "git_branch": "main"}
    name = opened.post("finalize", git | {"git_commit": "c" * 40})["session_hash"]
    of_all = {"session_hash": name, "metadata": {"word": MARK}}
    labels = [
        {"entity_type": "dag"} | of_all,
        {"entity_type": "job", "job_uid": uids[0]} | of_all,
        {"entity_type": "artifact", "artifact_hash": DIGESTS[1]} | of_all,
    ]
    opened.post("labels/batch", {"labels": labels})
    registry.register(uid="3" * 32, output=DIGESTS[5])
    return str(name), root.root
