"""Graphs to try exporters with: documents of `roar dag --json --show-artifacts`, docs/json.md."""

from __future__ import annotations

from typing import Any

_SESSION = {"number": 1, "started_at": "2026-01-05T10:00:00.000000Z", "is_active": True}
_RAW = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"

EMPTY: dict[str, Any] = {"schema": 1, "type": "dag", "session": None, "steps": [], "edges": []}


def _edge(name: str, producer: str | None) -> dict[str, Any]:
    return {
        "path": f"/home/ada/project/{name}",
        "relative": name,
        "hash": _RAW,
        "size": 0,
        "kind": "file",
        "producer": producer,
        "hash_state": "exact",
        "composite": None,
        "further_producers": [],
    }


def _dataset(name: str) -> dict[str, Any]:
    touched = {"layout": "parquet-shards", "members": 3, "touched": 2, "whole": True}
    return _edge(name, f"{2:032x}") | {
        "kind": "composite",
        "composite": touched,
        "further_producers": [f"{1:032x}"],
    }


def _step(number: int, command: list[str], **fields: Any) -> dict[str, Any]:
    return {
        "uid": f"{number:032x}",
        "hash": f"blake3:{number:064x}",
        "step": f"@{number}",
        "attempt": 1,
        "session": 1,
        "kind": "run",
        "name": None,
        "command": command,
        "state": "succeeded",
        "exit_code": 0,
        "signal": None,
        "started_at": "2026-01-05T10:00:00.000000Z",
        "duration_s": 0.25,
        "coverage": "complete",
        "input_count": 1,
        "output_count": 1,
        "attempts": 1,
        "newest_state": "succeeded",
    } | fields


# With what a format must be able to say: quotes, angle brackets, line ends, bytes that are no
# text, a name, a failure, a dataset, and bytes whose hash is not known.
EXAMPLE: dict[str, Any] = {
    "schema": 1,
    "type": "dag",
    "session": _SESSION,
    "steps": [
        _step(
            1,
            ["python", "prepare.py"],
            name='the "first" <step> & more',
            inputs=[_edge("raw,\n'1'.csv", None)],
            outputs=[_edge("clean \ufffd.csv", f"{1:032x}") | {"raw": "Y2xlYW4g/y5jc3Y="}],
        ),
        _step(
            2,
            ["sh", "-c", "tr '\\n' \"x\" <a >b # ü"],
            inputs=[_edge("clean \ufffd.csv", f"{1:032x}") | {"raw": "Y2xlYW4g/y5jc3Y="}],
            outputs=[_edge("model.bin", f"{2:032x}"), _dataset("shards")],
            output_count=2,
        ),
        _step(
            3,
            ["false"],
            state="failed",
            exit_code=1,
            coverage="partial",
            newest_state="failed",
            inputs=[_edge("model.bin", f"{2:032x}") | {"hash": None, "hash_state": "unknown"}],
            outputs=[],
            output_count=0,
        ),
    ],
    "edges": [
        {"from": "@1", "to": "@2", "artifacts": 1, "superseded": False},
        {"from": "@2", "to": "@3", "artifacts": 1, "superseded": True},
    ],
}
