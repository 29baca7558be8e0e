"""The label documents that go with a registration: of its session, its jobs, its artifacts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from roar_core.redaction import mask_in
from roar_core.registry.publishing.work import Work

Document = dict[str, Any]


def labels_of(work: Work, session_hash: str, uids: Collection[str]) -> list[Document]:
    """What `labels/batch` is told once these jobs are the session of this hash."""
    return [
        {
            "entity_type": kind,
            "session_hash": session_hash,
            **name,
            "metadata": mask_in(dict(labels))[0],
            "key_origins": {},
        }
        for kind, name, labels in _labelled(work, uids)
        if labels
    ]


def _labelled(
    work: Work, uids: Collection[str]
) -> Iterator[tuple[str, dict[str, str], Mapping[str, Any]]]:
    yield "dag", {}, work.labels
    for uid in uids:
        yield "job", {"job_uid": uid}, work.jobs[uid].told["labels"]
    for artifact in work.artifacts_of(uids):
        digest = artifact["hash"].partition(":")[2]
        yield "artifact", {"artifact_hash": digest}, artifact["labels"]
