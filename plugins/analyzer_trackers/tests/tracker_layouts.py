"""What trackers leave behind, written without them: for states that are hard to bring about.

Each function writes below `root` what the real tracker of the version named in its analyzer's
module writes, as far as an analyzer looks at it, and returns the paths of all files it wrote. The
layouts of W&B and SwanLab, MLflow's stores, Neptune's, ClearML's offline, Comet's, Aim's and
trackio's were compared with real runs; ClearML's session file of an online task is written as
`Task.__update_last_used_task_id` of clearml 2.1.12 reads.
"""

from __future__ import annotations

import json
import sqlite3
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path, PurePath

WANDB_TAG, SWANLAB_TAG = b":W&B\xe1\xbe\x00", b":SWL\xd6\xe1\x02"
_BLOCK = 32768

Written = frozenset[PurePath]


def wandb_run(
    root: Path,
    run_id: str = "n3givgxm",
    *,
    mode: str = "run",
    project: str | None = "digits",
    record_entity: str | None = None,
    finished_as: str | None = None,
    time: str = "20261125_144201",
) -> Written:
    """A run of W&B; `mode` is `run` or `offline-run`, `finished_as` what debug.log ends with."""
    folder = root / "wandb" / f"{mode}-{time}-{run_id}"
    fields = {1: run_id, 2: record_entity, 3: project, 8: "first"}
    record = message({17: message({k: v for k, v in fields.items() if v})})
    log = "2026-11-25 14:42:01,863 INFO    MainThread:1 [wandb_setup.py:_flush():81] …\n"
    if finished_as:
        log += f"2026-11-25 14:42:02,290 INFO    MainThread:1 [x:1] finishing run {finished_as}\n"
    return written(
        {
            folder / f"run-{run_id}.wandb": record_log(WANDB_TAG, [message({21: b"h"}), record]),
            folder / "logs" / "debug.log": log,
            folder / "files" / "requirements.txt": "wandb==0.31.0\n",
        }
    )


def swanlab_run(root: Path, run_id: str = "xmbzpcii", *, workspace: str | None = None) -> Written:
    """A run of SwanLab."""
    folder = root / "swanlog" / f"run-20261125_144413-{run_id}"
    fields = {1: "digits", 2: workspace, 4: "first", 10: run_id}
    record = message({10: message({k: v for k, v in fields.items() if v})})
    return written({folder / f"run-{run_id}.swanlab": record_log(SWANLAB_TAG, [record])})


def mlflow_database(
    root: Path, runs: Iterable[tuple[str, str, int]], *, name: str = "mlflow.db"
) -> Written:
    """MLflow's database with runs of (id, name, start in ms), in the experiment `digits`."""
    path = root / name
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE experiments (experiment_id INTEGER, name TEXT);"
            "CREATE TABLE runs"
            " (run_uuid TEXT, name TEXT, start_time INTEGER, experiment_id INTEGER);"
            "INSERT INTO experiments VALUES (1, 'digits');"
        )
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?, 1)", runs)
    return frozenset({path})


def mlflow_file_store(root: Path, run_id: str, *, name: str = "first") -> Written:
    """A run in MLflow's file store."""
    experiment = root / "mlruns" / "418"
    return written(
        {
            experiment / "meta.yaml": "experiment_id: '418'\nname: 'it''s digits'\n",
            experiment / run_id / "meta.yaml": f"run_id: {run_id}\nrun_name: {name}\nstatus: 3\n",
            experiment / run_id / "metrics" / "loss": "1 0.5 0\n",
        }
    )


def neptune_run(root: Path, run_id: str, *, mode: str = "offline") -> Written:
    """A run of neptune 1.x."""
    folder = root / ".neptune" / mode / f"run__{run_id}__473__qqfo2f04"
    about = {"mode": mode, "containerId": run_id, "containerType": "run"}
    return written({folder / "metadata.json": json.dumps(about), folder / "data-1.log": "{}"})


def neptune_scale_run(root: Path, project: str, run_id: str) -> Written:
    """A run of neptune-scale."""
    name = f"{project.replace('/', '_')}_{run_id}_1795617812709437184"
    path = root / ".neptune" / name / "run_operations.sqlite3"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE metadata (id INTEGER, project TEXT, run_id TEXT)")
        connection.execute("INSERT INTO metadata VALUES (1, ?, ?)", (project, run_id))
    return frozenset({path})


def tensorboard_run(root: Path, folder: str = "runs/a") -> Written:
    """An event file."""
    return written({root / folder / "events.out.tfevents.1795617855.vm": b"\0" * 24})


def clearml_offline(home: Path, task_id: str) -> Written:
    """An offline task of ClearML."""
    folder = home / ".clearml" / "cache" / "offline" / task_id
    task = {"id": task_id, "name": "first", "project_name": "digits"}
    return written({folder / "task.json": json.dumps(task), folder / "log.jsonl": ""})


def clearml_session(home: Path, tasks: Iterable[tuple[str, float]], *, api: str) -> Written:
    """ClearML's note of the tasks of a day, as (id, time in s)."""
    noted = {
        f"<{api}>:<digits>:<{task_id}>:<training>": {
            "time": time,
            "project": "digits",
            "name": "first",
            "type": "training",
            "id": task_id,
        }
        for task_id, time in tasks
    }
    content = json.dumps({"<class 'clearml.task.Task'>": noted})
    return written({home / ".clearml" / ".session.json": content})


def comet_archive(root: Path, key: str) -> Written:
    """An offline experiment of Comet."""
    path = root / ".cometml-runs" / f"{key}.zip"
    path.parent.mkdir(parents=True)
    about = {"offline_id": key, "project_name": "digits", "workspace": "ada"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("experiment.json", json.dumps(about))
        archive.writestr("messages.json", "{}\n")
    return frozenset({path})


def aim_run(root: Path, run_hash: str) -> Written:
    """A run of Aim."""
    repository = root / ".aim"
    repository.mkdir(parents=True)
    with closing(sqlite3.connect(repository / "run_metadata.sqlite")) as connection, connection:
        connection.executescript(
            "CREATE TABLE experiment (id INTEGER, name TEXT);"
            "CREATE TABLE run (hash TEXT, name TEXT, experiment_id INTEGER);"
            "INSERT INTO experiment VALUES (2, 'digits');"
        )
        connection.execute("INSERT INTO run VALUES (?, 'first', 2)", (run_hash,))
    chunk = written({repository / "meta" / "chunks" / run_hash / "000008.log": b""})
    return chunk | {repository / "run_metadata.sqlite"}


def trackio_database(
    home: Path, runs: Iterable[tuple[str, str]], *, space: str | None = None
) -> Written:
    """trackio's database of the project `digits`, with runs of (id, time of creation)."""
    path = home / ".cache" / "huggingface" / "trackio" / "digits.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            "CREATE TABLE configs (run_id TEXT, run_name TEXT, created_at TEXT);"
            "CREATE TABLE project_metadata (key TEXT, value TEXT);"
        )
        connection.executemany("INSERT INTO configs VALUES (?, 'first', ?)", runs)
        if space:
            connection.execute("INSERT INTO project_metadata VALUES ('space_id', ?)", (space,))
    return frozenset({path})


def written(files: Mapping[Path, str | bytes]) -> Written:
    """Write these files, folders included."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return frozenset(files)


def message(fields: Mapping[int, str | bytes]) -> bytes:
    """A protobuf message of texts and messages."""
    content = b""
    for number, value in fields.items():
        value = value.encode() if isinstance(value, str) else value
        content += _varint(number << 3 | 2) + _varint(len(value)) + value
    return content


def record_log(tag: bytes, records: Iterable[bytes]) -> bytes:
    """A log of records as LevelDB lays them out; checksums are left zero."""
    content = tag
    for record in records:
        rest, is_first = record, True
        while is_first or rest:
            left = _BLOCK - len(content) % _BLOCK
            if left < 7:
                content += bytes(left)
                continue
            part, rest = rest[: left - 7], rest[left - 7 :]
            kind = (1 if is_first else 4) if not rest else (2 if is_first else 3)
            content += bytes(4) + len(part).to_bytes(2, "little") + bytes([kind]) + part
            is_first = False
    return content


def _varint(value: int) -> bytes:
    content = b""
    while value > 0x7F:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])
