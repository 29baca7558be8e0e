"""A small lineage, registered through the real protocol, that the graph's tests ask about.

raw -> prepare -> clean -> train (with 1 of 2 members of a dataset) -> model -> evaluate -> score
part-0 -> train again -> second model                     model -> hidden (private) -> secret
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from registering import digest, register

from roar_core.identity import BloomFilter, Leaf, tree_hash
from roar_glaas.storage.database import open_database
from roar_glaas.storage.tables import session

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def uid(name: str) -> str:
    return digest(name)[:32]


RAW, CLEAN, MODEL, SCORE = map(digest, ("raw", "clean", "model", "score"))
SECOND, SECRET = map(digest, ("second", "secret"))
PARTS = [digest("part-0"), digest("part-1")]
DATASET = tree_hash(Leaf(f"part-{n}", "blake3", one) for n, one in enumerate(PARTS)).root
VAST_PARTS = [digest(f"vast-{n}") for n in range(50)]
VAST = digest("vast")  # a dataset of which only the filter is known
TRAINED = digest("what was done as train")  # by hidden, too
COMMIT, OTHER_COMMIT = "c" * 40, "d" * 40


def job(name: str, command: str, step: int, at: float, **more: Any) -> dict[str, Any]:
    packages = more.pop("packages", {"torch": "2.4.0"})
    return {
        "command": command,
        "timestamp": 1_700_000_000.0 + at,
        "job_uid": uid(name),
        "step_number": step,
        "duration_seconds": 1.0,
        "exit_code": 0,
        "git_commit": COMMIT,
        "metadata": json.dumps({"packages": {"pip": packages}}),
    } | more


def link(name: str, path: str) -> dict[str, str]:
    return {"hash": name, "path": path}


def dataset() -> dict[str, Any]:
    members = [
        {
            "relative_path": f"part-{n}",
            "leaf_kind": "file",
            "component_algorithm": "blake3",
            "component_digest": one,
            "component_size": 10,
        }
        for n, one in enumerate(PARTS)
    ]
    return {
        "hash": DATASET,
        "hashes": [{"algorithm": "composite-blake3", "digest": DATASET}],
        "component_count_total": 2,
        "components": members,
        "size": 20,
    }


def vast() -> dict[str, Any]:
    bloom = BloomFilter.of(("blake3", one) for one in VAST_PARTS).to_wire()
    return {
        "hash": VAST,
        "hashes": [{"algorithm": "composite-blake3", "digest": VAST}],
        "component_count_total": len(VAST_PARTS),
        "components": [],
        "membership_index": bloom,
    }


def view(target: str, selected: int, total: int) -> dict[str, Any]:
    return {
        "relation": "consumes",
        "target_hash": target,
        "selected_count": selected,
        "parent_total": total,
    }


def register_all(registry: Registry) -> dict[str, str]:
    """Register the whole lineage; returns the sessions' hashes by their names."""
    first = register(
        registry,
        [
            job(
                *("prepare", "python prepare.py raw.csv", 1, 0),
                reads=[link(RAW, "/p/data/raw.csv")],
                writes=[link(CLEAN, "/p/clean.csv")],
            ),
            job(
                *("train", "python train.py --lr=3e-4", 2, 10),
                job_hash=TRAINED,
                reads=[link(CLEAN, "/p/clean.csv")],
                writes=[link(MODEL, "/p/model.pt")],
                views=[view(DATASET, 1, 2)],
            ),
            job(
                *("evaluate", "python evaluate.py model.pt", 3, 20),
                reads=[link(MODEL, "/p/model.pt")],
                writes=[link(SCORE, "/p/score.json")],
            ),
        ],
        artifacts=[
            {
                "hashes": [
                    {"algorithm": "blake3", "digest": RAW},
                    {"algorithm": "sha256", "digest": digest("sha256 of raw")},
                ],
                "size": 7,
                "source_type": "s3",
                "source_url": "s3://bucket/raw.csv",
            }
        ],
        composites=[dataset(), vast()],
        labels=[
            {"entity_type": "artifact", "artifact_hash": MODEL, "metadata": {"stage": "draft"}},
            {
                "entity_type": "artifact",
                "artifact_hash": MODEL,
                "metadata": {"stage": "released", "tags": ["a", "b"], "n": {"deep": True}},
            },
            {"entity_type": "dag", "metadata": {"stage": "draft"}},
            {"entity_type": "job", "job_uid": uid("train"), "metadata": {"note": "it's"}},
        ],
        **_git(COMMIT),
    )
    second = register(
        registry,
        [
            job(
                *("again", "python train.py --lr=1e-3", 1, 30),
                packages={"torch": "2.5.1", "six": "1"},
                git_commit=OTHER_COMMIT,
                job_hash=f"blake3:{digest('what was done again')}",
                reads=[link(PARTS[0], "/q/part-0"), link(digest("config"), "/q/config.yaml")],
                writes=[link(SECOND, "/q/model.pt")],
            )
        ],
        **_git(OTHER_COMMIT),
    )
    hidden = register(
        registry,
        [
            job(
                *("hidden", "python steal.py hush", 1, 40),
                job_hash=TRAINED,
                reads=[link(MODEL, "/h/model.pt"), link(SCORE, "/h/score.json")],
                writes=[link(SECRET, "/h/secret.bin"), link(CLEAN, "/h/clean.csv")],
            )
        ],
        labels=[
            {"entity_type": "artifact", "artifact_hash": MODEL, "metadata": {"stage": "hushed"}}
        ],
        **_git(COMMIT),
    )
    make_private(registry.database_url, hidden)
    return {"first": first, "second": second, "hidden": hidden}


def _git(commit: str) -> dict[str, str]:
    return {"git_repo": "", "git_commit": commit, "git_branch": "main"}


def make_private(database_url: str, name: str) -> None:
    """Have a session be seen by its owner only, past the guards of the database."""
    database = open_database(database_url)
    with database.write() as connection:
        if database.is_postgresql:
            off, on = (f"ALTER TABLE session {do} TRIGGER session_update" for do in _DO)
        else:
            off = "DROP TRIGGER session_update"
            found = sa.text("SELECT sql FROM sqlite_master WHERE name = 'session_update'")
            on = connection.execute(found).scalar_one()
        connection.execute(sa.text(off))
        connection.execute(
            sa.update(session)
            .where(session.c.hash == bytes.fromhex(name))
            .values(visibility="private")
        )
        connection.execute(sa.text(on))
    database.dispose()


_DO = ("DISABLE", "ENABLE")
