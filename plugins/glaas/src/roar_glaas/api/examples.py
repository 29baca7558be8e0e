"""An answer of each kind, for the description of the API: what programs can expect to read."""

from __future__ import annotations

from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example

_DATA, _MODEL, _DATASET = "a1" * 32, "b2" * 32, "d4" * 32
_SESSION, _UID, _COMMIT = "5e" * 32, "1f" * 16, "c0" * 20
_NEXT = "WyI4ZjM0YzBhMTkyZDMiLDQyXQ"

_JOB = {
    "jobUid": _UID,
    "jobHash": "7e" * 32,
    "command": "python train.py --epochs 3",
    "jobType": "run",
    "stepNumber": 2,
    "startedAt": 1767225600.25,
    "durationSeconds": 61.5,
    "exitCode": 0,
    "gitCommit": _COMMIT,
    "sessionHash": _SESSION,
}
_USES = {"hash": _DATASET, "path": None, "selectedCount": 900, "total": 1000}
_JOBS = {"jobs": [_JOB], "nextCursor": None}
_SOURCE = {
    "hash": _DATA,
    "algorithm": "blake3",
    "isComposite": False,
    "size": 1048576,
    "sourceUrl": "s3://bucket/train.csv",
    "path": "/home/ada/train.csv",
    "readers": 1,
    "selectedCount": None,
    "total": None,
}
_RESULT = {
    "hash": _MODEL,
    "isComposite": False,
    "path": "/home/ada/model.pt",
    "size": 4096,
    "jobUid": _UID,
    "sessionHash": _SESSION,
}
_ARTIFACT = {"hash": _MODEL, "algorithm": "blake3", "isComposite": False}
_EDGE = {"job": 0, "direction": "out", "artifact": 0, "path": "/home/ada/model.pt"}
_MEMBER = {
    "path": "part-0.csv",
    "kind": "file",
    "algorithm": "blake3",
    "digest": _DATA,
    "size": 1048576,
}
_APART = {
    "onlyLeft": [],
    "onlyRight": [{"path": "/home/ada/more.csv", "hash": _DATA}],
    "changed": [{"path": "/home/ada/train.csv", "left": _DATA, "right": "a9" * 32}],
    "sharedCount": 3,
}
_USED = {
    "hash": _DATA,
    "algorithm": "blake3",
    "path": "/home/ada/train.csv",
    "size": 1048576,
    "byteRanges": None,
}

_WHOLE_JOB = _JOB | {
    "id": 7,
    "parentJobUid": None,
    "gitRepo": "https://example.org/team/model.git",
    "gitBranch": "main",
    "metadata": "{}",
    "inputs": [_USED | {"selectedCount": None, "total": None}],
    "outputs": [],
    "edgesAreWhole": True,
    "logIndex": 13,
}

_ANSWERS: dict[str, dict[str, Any]] = {
    "producers": _JOBS,
    "consumers": {"jobs": [_JOB | {"uses": [_USES]}], "nextCursor": _NEXT},
    "closure": {
        "jobs": [_JOB | {"hop": 1}],
        "artifacts": [_ARTIFACT],
        "edges": [_EDGE | {"selectedCount": None, "total": None}],
        "edgesAreWhole": True,
        "truncated": False,
        "nextCursor": None,
    },
    "sources": {
        "sources": [_SOURCE | {"memberOf": [{"hash": _DATASET, "path": "part-0.csv"}]}],
        "datasets": [],
        "jobCount": 2,
        "truncated": False,
        "nextCursor": None,
    },
    "results": {
        "readers": [_JOB | {"uses": [_USES]}],
        "downstream": [],
        "results": [_RESULT],
        "truncated": False,
        "nextCursor": None,
    },
    "members": {
        "total": 1000,
        "stored": 1000,
        "isProven": True,
        "members": [_MEMBER],
        "nextCursor": _NEXT,
    },
    "membership": {
        "answer": "probably",
        "basis": "bloom",
        "isProven": False,
        "falsePositiveRate": 0.001,
        "paths": [],
    },
    "datasets": {
        "datasets": [
            {
                "hash": _DATASET,
                "path": "part-0.csv",
                "total": 1000,
                "isProven": True,
                "sessionHash": _SESSION,
            }
        ],
        "nextCursor": None,
    },
    "path": {
        "direction": "downstream",
        "hops": 1,
        "path": [
            {"kind": "artifact", "hash": _DATA, "algorithm": "blake3", "isComposite": False},
            {"kind": "job", **_JOB},
            {"kind": "artifact", **_ARTIFACT},
        ],
        "truncated": False,
    },
    "comparison": {
        "left": {"hash": _MODEL, "jobCount": 2},
        "right": {"hash": "b3" * 32, "jobCount": 2},
        "isSame": False,
        "truncated": False,
        "inputs": _APART,
        "steps": [
            {
                "left": _JOB,
                "right": _JOB | {"command": "python train.py --epochs 5"},
                "changes": ["command", "inputs", "outputs"],
                "inputs": _APART,
                "outputs": _APART,
            }
        ],
        "sameCount": 1,
        "commits": {"onlyLeft": [], "onlyRight": [], "shared": [_COMMIT]},
        "packages": [{"manager": "pip", "name": "torch", "left": ["2.4.0"], "right": ["2.5.1"]}],
    },
    "sessions": {
        "sessions": [
            {
                "hash": _SESSION,
                "owner": "anonymous",
                "project": None,
                "visibility": "public",
                "gitRepo": "https://example.org/team/model.git",
                "gitCommit": _COMMIT,
                "gitBranch": "main",
                "registeredAt": 1767225700.5,
                "jobCount": 2,
                "logIndex": 12,
            }
        ],
        "nextCursor": None,
    },
    "jobs": _JOBS,
    "job": _WHOLE_JOB,
    "whole": {
        "references": [
            {
                "reference": _MODEL[:8],
                "named": [{"kind": "artifact", "name": _MODEL, "algorithm": "blake3"}],
            }
        ],
        "jobs": [_WHOLE_JOB],
        "artifacts": [
            {
                "hash": _DATA,
                "algorithm": "blake3",
                "hashes": [{"algorithm": "sha256", "digest": "c3" * 32}],
                "size": 1048576,
                "sourceUrl": "s3://bucket/train.csv",
                "sourceType": "s3",
                "metadata": {},
                "registeredAt": 1767225700.5,
                "labels": [],
                "composite": None,
            }
        ],
        "sessions": [
            {
                "hash": _SESSION,
                "owner": "anonymous",
                "visibility": "public",
                "gitRepo": "https://example.org/team/model.git",
                "gitCommit": _COMMIT,
                "gitBranch": "main",
                "registeredAt": 1767225700.5,
                "logIndex": 12,
            }
        ],
        "truncated": False,
        "nextCursor": None,
    },
    "published": {
        "session_hash": _SESSION,
        "visibility": "public",
        "published_url": f"https://glaas.example.org/dag/{_SESSION}",
        "logIndex": 12,
    },
    "known jobs": {
        "known": [
            {
                "job_uid": _UID,
                "job_hash": "7e" * 32,
                "session_hash": _SESSION,
                "visibility": "private",
                "owner_id": "0d" * 16,
                "owner_name": "lab",
                "project_id": "9c" * 16,
                "project_name": "cats",
                "is_own": False,
            }
        ]
    },
    "labels of many things": {
        "labels": [
            {
                "entityType": "artifact",
                "sessionHash": _SESSION,
                "jobUid": None,
                "artifactHash": _MODEL,
                "version": 2,
                "metadata": {"stage": "prod"},
                "keyOrigins": {"stage": "user"},
                "registeredAt": 1767225800.0,
                "logIndex": 14,
                "canEdit": True,
            },
            None,
        ]
    },
    "labels": {
        "labels": [
            {
                "entityType": "artifact",
                "sessionHash": _SESSION,
                "jobUid": None,
                "artifactHash": _MODEL,
                "version": 2,
                "metadata": {"stage": "released"},
                "labelledAt": 1767225800.0,
            }
        ],
        "nextCursor": None,
    },
    "files": {
        "files": [
            {
                "path": "/home/ada/model.pt",
                "direction": "out",
                "hash": _MODEL,
                "jobUid": _UID,
                "sessionHash": _SESSION,
            }
        ],
        "nextCursor": None,
    },
}


def told(name: str) -> dict[int, ResponseSpec]:
    """The description of a good answer, with an example of it."""
    example = Example(summary=name, value=_ANSWERS[name])
    return {
        200: ResponseSpec(
            dict[str, Any], description="The answer", examples=[example], generate_examples=False
        )
    }
