"""What the tests of the pages look at: trainings, a dataset, large sessions, and hostile texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa
from registering import digest, register

from roar_core.identity import Leaf, tree_hash
from roar_glaas.storage import tables

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

WANDB = "https://wandb.ai/team/digits/runs/7x"


def link(name: str, path: str | None = None) -> dict[str, Any]:
    return {"hash": digest(name), "path": path or f"/home/ada/{name}", "size": len(name) * 1000}


def metadata(torch: str, **more: Any) -> str:
    runtime = {
        "hostname": "gpu-7",
        "os": {"system": "Linux", "release": "6.1.0"},
        "python": {"version": "3.11.2", "implementation": "CPython"},
        "gpu": [{"name": "A100", "memory_gb": 80}],
    }
    pip = {"numpy": "1.26.4", "torch": torch, "pandas": "2.2.0"}
    runs = [{"tracker": "wandb", "url": WANDB}, {"tracker": "mlflow", "url": "javascript:alert(1)"}]
    analysis = {"experiment_tracking": {"runs": runs}}
    document = {"runtime": runtime, "packages": {"pip": pip}, "analysis": analysis}
    return json.dumps(document | {"cwd": "/home/ada"} | more)


def job(number: int, command: str, **more: Any) -> dict[str, Any]:
    started = 1_700_000_000.0 + number * 60
    return {
        "command": command,
        "timestamp": started,
        "job_uid": f"{number:032x}",
        "step_number": number % 10_000,
        "duration_seconds": 75.5,
        "exit_code": 0,
        "git_commit": "",
    } | more


def register_training(registry: Registry, first: int, rate: str, commit: str, torch: str) -> str:
    """Clean, train on what was cleaned and on a dataset, judge: models differ by `rate`."""
    model, cleaned = f"model-{rate}.pt", f"clean-{torch}.parquet"
    train = f"python -m torch.distributed.run src/train.py --data clean.parquet --lr {rate}"
    same = {"git_commit": commit}
    jobs = [
        job(first - 1, "sh collect.sh images/", views=[view("produces", 120)]),
        job(
            first,
            "python prepare.py raw.csv -o clean.parquet",
            reads=[link(f"raw-{torch}.csv", "/home/ada/raw.csv"), link("schema.json")],
            writes=[link(cleaned, "/home/ada/clean.parquet")],
            **same,
        ),
        job(
            first + 1,
            train + " --epochs 20 --seed 7",
            reads=[
                link(cleaned, "/home/ada/clean.parquet"),
                link("config.toml"),
            ],
            writes=[link(model, "/home/ada/out/model.pt")],
            metadata=metadata(torch),
            views=[view("consumes", 90)],
            **same,
        ),
        job(
            first + 2,
            "python judge.py out/model.pt > metrics.json",
            reads=[link(model, "/home/ada/out/model.pt")],
            writes=[link(f"metrics-{rate}.json", "/home/ada/metrics.json")],
            exit_code=int(rate == "0.1"),
            **same,
        ),
    ]
    return register(
        registry,
        jobs,
        composites=[dataset_body()],
        git_repo="https://github.com/team/digits",
        git_commit=commit,
        git_branch="main",
        labels=[
            {"entity_type": "artifact", "artifact_hash": digest(model), "metadata": document}
            for document in (
                {"stage": "candidate", "score": 0.91},
                {"stage": "released", "score": 0.93, "card": "https://example.org/card"},
            )
        ],
    )


def members() -> list[Leaf]:
    return [Leaf(f"train/{n:03}.png", "blake3", digest(f"image {n}")) for n in range(120)]


def dataset_hash() -> str:
    return tree_hash(members()).root


def view(relation: str, selected: int) -> dict[str, Any]:
    """An edge to some of the dataset's members."""
    chosen = {"selected_count": selected, "parent_total": len(members())}
    return {"target_hash": dataset_hash(), "relation": relation, **chosen}


def dataset_body() -> dict[str, Any]:
    name = dataset_hash()
    components = [
        {
            "relative_path": leaf.path,
            "leaf_kind": "file",
            "component_algorithm": leaf.algorithm,
            "component_digest": leaf.digest,
            "component_size": 7000,
        }
        for leaf in members()
    ]
    body = {"hash": name, "hashes": [{"algorithm": "composite-blake3", "digest": name}]}
    body |= {"component_count_total": len(components), "components": components, "size": 840_000}
    return body


def insert_sweep(
    registry: Registry, first: int, number: int, wide: int, visibility: str = "public"
) -> str:
    """Many jobs: rows of `wide` that read one another, joined now and then. Returns the session.

    Straight into the database: over HTTP each would be three requests.
    """
    name = digest(f"sweep {first}")
    with registry.database() as database, database.write() as connection:
        row = {"hash": bytes.fromhex(name), "owner_id": 0, "git_repo": ""}
        row |= {
            "visibility": visibility,
            "git_commit": "",
            "git_branch": "",
            "client_version": "",
            "leaf_index": 0,
        }
        connection.execute(sa.insert(tables.session), row | {"registered_at_us": first})
        session_id = connection.execute(
            sa.select(tables.session.c.id).where(tables.session.c.hash == row["hash"])
        ).scalar_one()
        jobs, artifacts, edges = [], [], []
        for n in range(number):
            command = f"python {('load', 'fit', 'merge')[n // wide % 3]}.py --part {n}"
            told = {"id": first + n, "uid": (first + n).to_bytes(16), "owner_id": 0, "step": n + 1}
            told |= {"session_id": session_id, "kind": "run", "command": command, "exit_code": 0}
            told |= {"started_at_us": (first + n) * 1000, "git_commit": "", "git_branch": ""}
            jobs.append(told | {"leaf_index": 0})
            written = bytes.fromhex(digest(f"sweep {first} {n}"))
            artifacts.append({"id": first + n, "digest": written, "algorithm": "blake3"})
            reads = [n - wide] * (n >= wide) + [n - 1] * (n % 50 == 0 and n > 0)
            for side, others in (("out", [n]), ("in", reads)):
                for one in others:
                    edge = {"job_id": first + n, "direction": side, "artifact_id": first + one}
                    edges.append(edge | {"ordinal": 0, "path": f"/home/ada/part-{one}"})
        for table, rows in ((tables.job, jobs), (tables.artifact, artifacts), (tables.edge, edges)):
            connection.execute(sa.insert(table), rows)
    return name


HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '"><svg onload="document.title=\'owned\'">',
    "javascript:document.title='owned'",
    "{{ 7 * 7 }}</title><b>",
    "abc\u202ecba",
)


def register_hostile(registry: Registry) -> tuple[str, str]:
    """A session and an artifact whose every text is out for mischief."""
    nasty = " ".join(HOSTILE)
    uid = f"{950:032x}"
    output = digest("hostile output")
    opened = registry.open()
    body = job(950, nasty + "x" * 10_000, git_branch=nasty, job_type=HOSTILE[0][:32])
    document = metadata(nasty, **{"cwd": nasty, "roar_version": nasty, nasty: {nasty: nasty}})
    opened.post("jobs/batch", {"jobs": [body | {"metadata": document}]})
    reads = [{"hash": digest(text), "path": f"/home/ada/{text}"} for text in HOSTILE]
    opened.post(f"jobs/{uid}/inputs", {"artifacts": reads})
    opened.post(f"jobs/{uid}/outputs", {"artifacts": [{"hash": output, "path": f"/{nasty}"}]})
    described = {"hashes": [{"algorithm": "blake3", "digest": output}], "size": 1}
    described |= {"source_type": "https", "source_url": "javascript:document.title='owned'"}
    opened.post("artifacts/batch", {"artifacts": [described]})
    final = {"git_repo": "javascript:document.title='owned'", "git_branch": nasty}
    session = str(opened.post("finalize", final)["session_hash"])
    many = {f"key {n}": f"value {n}" for n in range(3000)}
    for kind, of in (
        ("dag", {}),
        ("artifact", {"artifact_hash": output}),
        ("job", {"job_uid": uid}),
    ):
        document = {nasty: nasty, "link": "javascript:alert(1)", **many}
        told = {"entity_type": kind, "session_hash": session, "metadata": document, **of}
        opened.post("labels/batch", {"labels": [told]})
    return session, output


@attrs.frozen
class World:
    """What the server holds: sessions, and an artifact that is out for mischief."""

    registry: Registry
    session: str
    sweep: str
    beyond: str
    hostile: str
    mischief: str

    def address(self, page: str) -> str:
        """A page's address, its words in capitals replaced by hashes."""
        names = {
            "MODEL": digest("model-0.1.pt"),
            "OTHER": digest("model-0.01.pt"),
            "DATASET": dataset_hash(),
            "SESSION": self.session,
            "SWEEP": self.sweep,
            "BEYOND": self.beyond,
            "HOSTILE": self.hostile,
            "MISCHIEF": self.mischief,
            "IN": digest(HOSTILE[0]),
            "RECORD": str(self._record_of(self.hostile) + 1),
        }
        for word, value in names.items():
            page = page.replace(word, value)
        return page

    def _record_of(self, session_hash: str) -> int:
        """Where the log has a session; its first job follows."""
        told = self.registry.client.get(f"/api/v1/log/sessions/{session_hash}").json()
        return int(told["leafIndex"])
