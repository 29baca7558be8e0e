"""A registration package: what would be sent, as one file to carry elsewhere.

The format is `roar.registration_package` version 1. Its checksum is SHA-256 of the canonical JSON
in which it is itself null.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from roar_core.registry.publishing.dataset_documents import PLAIN
from roar_core.registry.publishing.work import PublishedJob, Work

Document = dict[str, Any]

FORMAT = "roar.registration_package"
VERSION = 1
_MOST_TRIES = 10


def package_of(work: Work, uids: Collection[str], created_at: str, version: str) -> bytes:
    """The package of these jobs, in canonical JSON: UTF-8, keys sorted, no spaces."""
    jobs = [work.jobs[uid] for uid in uids]
    links = [link for job in jobs for link in _links(job)]
    files = work.files_to_send(uids)
    git = work.git_of(uids)
    document: Document = {
        "format": FORMAT,
        "version": VERSION,
        "created_at": created_at,
        "producer": {"name": "roar", "version": version},
        "source": work.root,
        "manifest": {
            "package_sha256": None,
            "uncompressed_size_bytes": 0,
            "job_count": len(jobs),
            "artifact_count": len(files),
            "link_count": len(links),
        },
        "session": {"git_repo": git.repo, "git_commit": git.commit, "git_branch": git.branch},
        "jobs": [
            job.wire | {"parent_job_uid": job.told["parent"]}
            if job.told["parent"] in uids
            else job.wire
            for job in jobs
        ],
        "artifacts": files,
        "links": links,
        "redaction": {"masked": sum(len(job.told["masked"]) for job in jobs)},
        "composites": work.datasets_to_send(uids, PLAIN),
        "labels": [
            {key: value for key, value in label.items() if key != "session_hash"}
            for label in work.labels_of(uids, "")
        ],
    }
    return _sealed(document)


def checksum_of(document: Document) -> str:
    """What `manifest.package_sha256` of a package must be."""
    blank = document | {"manifest": document["manifest"] | {"package_sha256": None}}
    return hashlib.sha256(_canonical(blank)).hexdigest()


def _sealed(document: Document) -> bytes:
    """With its size, in which the digits of the size count too, and its checksum."""
    manifest = document["manifest"]
    manifest["package_sha256"] = "0" * 64
    for _ in range(_MOST_TRIES):
        size = len(_canonical(document))
        if manifest["uncompressed_size_bytes"] == size:
            break
        manifest["uncompressed_size_bytes"] = size
    manifest["package_sha256"] = checksum_of(document)
    return _canonical(document)


def _links(job: PublishedJob) -> list[Document]:
    plain = [
        {"job_uid": job.uid, "direction": direction, **link}
        for direction, links in (("input", job.inputs.links), ("output", job.outputs.links))
        for link in links
    ]
    return [*plain, *({"job_uid": job.uid, "direction": "view", **view} for view in job.views)]


def _canonical(document: Document) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")
