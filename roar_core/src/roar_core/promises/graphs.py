"""Graphs to try exporters with: the document "graph" of docs/json.md."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

_SESSION = f"{7:032x}"
_TIME = "2026-01-05T10:00:00.000000000Z"


class Read(Sequence[dict[str, Any]]):
    """Items that are made anew each time one goes through them, as those from a database are."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (copy.deepcopy(item) for item in self._items)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return copy.deepcopy(self._items[index])


def as_handed_over(graph: Mapping[str, Any]) -> dict[str, Any]:
    """A graph as `roar export` hands it over: jobs and artifacts are read one by one."""
    whole = copy.deepcopy(dict(graph))
    return whole | {"jobs": Read(whole["jobs"]), "artifacts": Read(whole["artifacts"])}


def _hash(number: int) -> str:
    return f"blake3:{number:064x}"


def _edge(name: str, number: int | None, producer: int | None = None) -> dict[str, Any]:
    return {
        "path": name,
        "place": "outside" if name.startswith("/") else "project",
        "hash": None if number is None else _hash(number),
        "size": 5,
        "kind": "file",
        "hash_state": "unknown" if number is None else "exact",
        "producer": None if producer is None else f"{producer:032x}",
        "further_producers": [],
        "composite": None,
    }


def _dataset(name: str, number: int) -> dict[str, Any]:
    touched = {"layout": "zarr", "members": 2, "touched": 1, "whole": True, "bits": "AQ=="}
    return _edge(name, None) | {
        "hash": f"composite-{_hash(number)}",
        "kind": "composite",
        "hash_state": "exact",
        "composite": touched,
    }


def _artifact(number: int) -> dict[str, Any]:
    return {
        "hash": _hash(number),
        "size": 5,
        "kind": "file",
        "digests": {"blake3": f"{number:064x}"},
        "first_seen_at": _TIME,
        "composite": None,
        "labels": {},
    }


def _job(number: int, command: list[str], **fields: Any) -> dict[str, Any]:
    return {
        "uid": f"{number:032x}",
        "hash": _hash(100 + number),
        "session": _SESSION,
        "step": f"@{number}",
        "attempt": 1,
        "kind": "run",
        "name": None,
        "command": command,
        "cwd": ".",
        "state": "succeeded",
        "exit_code": 0,
        "signal": None,
        "started_at": _TIME,
        "ended_at": "2026-01-05T10:00:00.250000000Z",
        "duration_s": 0.25,
        "rerun_of": None,
        "parent": None,
        "tracer": "preload",
        "coverage": {"state": "complete", "reasons": []},
        "inputs": [],
        "outputs": [],
        "git": {
            "commit": "a" * 40,
            "branch": "main",
            "remote": "https://example.org/ada/digits",
            "dirty": False,
            "snapshot": None,
        },
        "packages": {"python": {"numpy": "2.3.1"}, "system": {}},
        "environment": {
            "os": "Debian GNU/Linux 12",
            "arch": "x86_64",
            "interpreter": "cpython 3.11.7",
            "cpu": None,
            "memory_bytes": 2**34,
            "gpus": [],
            "cuda": None,
            "container": None,
            "variables": {"MODE": "yes"},
        },
        "trackers": [],
        "labels": {},
        "masked": [],
        "task": None,
    } | fields


EMPTY: dict[str, Any] = {
    "schema": 1,
    "type": "graph",
    "root": {"kind": "artifact", "id": _hash(1)},
    "absolute_paths": False,
    "secrets": False,
    "sessions": [],
    "artifacts": [],
    "jobs": [],
}

# With what a format must be able to say: quotes, angle brackets, line ends, bytes that are no
# text, a name, a failure, a signal, a dataset, a secret, and bytes whose hash is not known.
EXAMPLE: dict[str, Any] = EMPTY | {
    "root": {"kind": "session", "id": _SESSION},
    "sessions": [{"id": _SESSION, "number": 1, "started_at": _TIME}],
    "artifacts": [
        *(_artifact(number) for number in (1, 2, 3)),
        _artifact(4)
        | {
            "hash": f"composite-{_hash(4)}",
            "kind": "composite",
            "digests": {"composite-blake3": f"{4:064x}"},
            "composite": {
                "layout": "zarr",
                "members": 2,
                "listed": True,
                "components": [
                    {"path": name, "hash": _hash(5), "size": 1, "kind": "file"}
                    for name in ("c0", "zarr.json")
                ],
                "filter": None,
            },
        },
    ],
    "jobs": [
        _job(
            1,
            ["python", "prepare.py", "--api-key", "***"],
            name='the "first" <step> & more',
            inputs=[_edge("/…/raw,\n'1'.csv", 1), _dataset("data.zarr", 4)],
            outputs=[_edge("clean \ufffd.csv", 2) | {"raw": "Y2xlYW4g/y5jc3Y="}],
            masked=[
                {
                    "where": "command",
                    "argument": 3,
                    "rule": "generic_api_key_arg",
                    "what": "--api-key",
                }
            ],
        ),
        _job(
            2,
            ["sh", "-c", "tr '\\n' \"x\" <a >b # ü"],
            inputs=[_edge("clean \ufffd.csv", 2, 1) | {"raw": "Y2xlYW4g/y5jc3Y="}],
            outputs=[_edge("model.bin", 3)],
        ),
        _job(
            3,
            ["false"],
            state="failed",
            exit_code=1,
            coverage={"state": "partial", "reasons": [{"code": "gap", "count": 1, "detail": "x"}]},
            inputs=[_edge("model.bin", None)],
        ),
        _job(
            4,
            ["sleep", "9"],
            step=None,
            attempt=None,
            kind="task",
            parent=f"{2:032x}",
            state="interrupted",
            exit_code=None,
            signal="SIGTERM",
            environment=None,
            task={"backend": "ray", "task": "t1", "attempt": 1, "where": None, "group": "rank 0"},
            inputs=[_edge("model.bin", 3, 2)],
        ),
    ],
}
