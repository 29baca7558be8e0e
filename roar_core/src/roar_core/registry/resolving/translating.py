"""What a registry tells of artifacts and of other clients' jobs, in the graph document's words."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from roar_core.identity import relative_to_project
from roar_core.registry.answers import objects_in
from roar_core.registry.publishing.job_documents import metadata_of
from roar_core.registry.resolving.asking import Answers, Document
from roar_core.spelling import exact_timestamp

_NEVER = "1970-01-01T00:00:00.000000000Z"
_ALGORITHM = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
# A file system's top and its next level hold everybody's work, and are nobody's project.
_LEAST_DEEP = 2


def artifacts_of(answers: Answers) -> list[Document]:
    """The graph document's artifacts: those told, and the datasets that jobs used untold."""
    found = {}
    for told in answers.artifacts.values():
        document = _artifact(told)
        found[document["hash"]] = document
    for job in answers.jobs.values():
        for edge in (*job["inputs"], *job["outputs"]):
            if edge["kind"] == "composite" and edge["hash"] not in found:
                found[edge["hash"]] = _untold_dataset(edge)
    return list(found.values())


def source_urls(answers: Answers) -> dict[str, str]:
    """Where bytes were fetched from, by hash."""
    return {
        f"{told.get('algorithm', 'blake3')}:{name}": str(told["sourceUrl"])
        for name, told in answers.artifacts.items()
        if told.get("sourceUrl")
    }


def registered_by(answers: Answers, origins: Iterable[str]) -> tuple[str, ...]:
    """Who registered the sessions that these jobs are of, in sentences, the newest first."""
    told = {}
    for origin in dict.fromkeys(origins):
        registry, is_page, name = origin.rpartition("/dag/")
        if not is_page:
            continue
        session = answers.sessions.get(name, {})
        owner, moment = session.get("owner"), session.get("registeredAt")
        words = f"session {name} at {registry}"
        if isinstance(owner, str):
            words += f", registered by {owner[:80]}"
        if isinstance(moment, int | float) and moment:
            words += f", {_moment(moment)[:10]}"
        told[words] = moment if isinstance(moment, int | float) else 0
    return tuple(sorted(told, key=told.__getitem__, reverse=True))


def as_in_a_project(answers: Answers) -> None:
    """Tell the paths of jobs that other clients registered from the root of their project.

    They are absolute there. The root is what the working directories of a session have in common.
    """
    roots: dict[str, list[str]] = {}
    others = {
        uid: str(metadata.get("cwd") or "")
        for uid, told in answers.wire.items()
        if not isinstance((metadata := metadata_of(told)).get("roar"), dict)
    }
    for uid, cwd in others.items():
        roots.setdefault(answers.jobs[uid]["session"], []).append(cwd)
    for uid in others:
        root = _common(roots[answers.jobs[uid]["session"]])
        if root is not None:
            _move(answers.jobs[uid], root)


def _common(folders: list[str]) -> str | None:
    if not all(folder.startswith("/") for folder in folders):
        return None
    root = posixpath.commonpath([posixpath.normpath(folder) for folder in folders])
    return root if root.count("/") >= _LEAST_DEEP or len(set(folders)) == 1 != len(root) else None


def _move(job: Document, root: str) -> None:
    cwd = posixpath.normpath(job["cwd"])
    job["cwd"] = relative_to_project(cwd, root) or "."
    for edge in (*job["inputs"], *job["outputs"]):
        inside = relative_to_project(posixpath.normpath(edge["path"]), root)
        if edge["place"] == "outside" and inside is not None:
            edge["path"], edge["place"] = inside, "project"
    job["command"] = [
        posixpath.relpath(word, cwd)
        if word.startswith("/") and relative_to_project(word, root) is not None
        else word
        for word in job["command"]
    ]


def _artifact(told: Mapping[str, Any]) -> Document:
    algorithm, digest = str(told.get("algorithm") or "blake3"), str(told.get("hash"))
    digests = {algorithm: digest}
    for one in objects_in(told, "hashes"):
        if _ALGORITHM.fullmatch(str(one.get("algorithm"))):
            digests.setdefault(str(one["algorithm"]), str(one.get("digest")))
    dataset = told.get("composite")
    return {
        "hash": f"{algorithm}:{digest}",
        "size": told.get("size") or 0,
        "kind": "composite" if isinstance(dataset, dict) else "file",
        "digests": digests,
        "first_seen_at": _moment(told.get("registeredAt")),
        "composite": _dataset(told, dataset) if isinstance(dataset, dict) else None,
        # Told apart from the labels of here: `labelled`.
        "labels": {},
    }


def _dataset(told: Mapping[str, Any], dataset: Mapping[str, Any]) -> Document:
    metadata = metadata_of(told)
    roar = metadata.get("roar")
    layout = roar.get("layout") if isinstance(roar, dict) else None
    members = dataset.get("members")
    return {
        "layout": layout if isinstance(layout, str) else "unknown",
        "members": dataset.get("total") or 0,
        "components": None
        if not isinstance(members, list) or len(members) != dataset.get("total")
        else [
            {
                "path": one.get("path"),
                "hash": f"{one.get('algorithm')}:{one.get('digest')}",
                "size": one.get("size") or 0,
                "kind": one.get("kind"),
            }
            for one in members
            if isinstance(one, dict)
        ],
        "filter": dataset.get("bloom"),
    }


def _untold_dataset(edge: Mapping[str, Any]) -> Document:
    use, (algorithm, _, digest) = edge["composite"], str(edge["hash"]).partition(":")
    return {
        "hash": edge["hash"],
        "size": edge["size"],
        "kind": "composite",
        "digests": {algorithm: digest},
        "first_seen_at": _NEVER,
        "composite": {
            "layout": use["layout"],
            "members": use["members"] or 0,
            "components": None,
            "filter": None,
        },
        "labels": {},
    }


def _moment(seconds: object) -> str:
    if isinstance(seconds, int | float) and 0 <= seconds < 7e9:
        return exact_timestamp(round(seconds * 1e6) * 1000)
    return _NEVER
