"""Work that another machine wrote into a package, read so that it can be registered from here.

The file is somebody's: what is no package, was changed after it was sealed, or names what it does
not tell is refused before anything is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NoReturn

import attrs

from roar_core.errors import RoarError
from roar_core.redaction import Redactor
from roar_core.registry.answers import object_of
from roar_core.registry.labels.documents import Labelled
from roar_core.registry.publishing.checkout import Git
from roar_core.registry.publishing.dataset_documents import Limits
from roar_core.registry.publishing.link_documents import Links
from roar_core.registry.publishing.package import FORMAT, VERSION, checksum_of
from roar_core.registry.publishing.work import PublishedJob, Work

Document = dict[str, Any]

_UID = re.compile(r"[0-9a-f]{32}")
_LISTS = ("jobs", "artifacts", "links", "composites", "labels")
_SIDES = {"input": 0, "output": 1, "view": 2}


@attrs.frozen(kw_only=True)
class PackagedWork(Work):
    """The jobs of a package, with everything about them as the protocol has it.

    `document` is the package itself. Its artifacts are sent whole: what is there already is not
    kept twice.
    """

    document: Document
    git: Git

    @property
    def masked(self) -> int:
        """How many secrets were masked when it was written."""
        found = object_of(self.document.get("redaction")).get("masked")
        return found if isinstance(found, int) else 0

    @property
    def paths(self) -> list[str]:
        """The paths that its jobs read and wrote, sorted."""
        sides = [links for job in self.jobs.values() for links in (job.inputs, job.outputs)]
        return sorted({str(link.get("path")) for side in sides for link in side.links})

    def git_of(self, uids: Iterable[str]) -> Git:
        return self.git

    def artifacts_of(self, uids: Iterable[str]) -> list[Document]:
        """None as the graph tells them: the package has them as they are sent."""
        return []

    def datasets_to_send(self, uids: Iterable[str], limits: Limits) -> list[Document]:
        found: list[Document] = self.document["composites"]
        return found

    def files_to_send(self, uids: Iterable[str]) -> list[Document]:
        found: list[Document] = self.document["artifacts"]
        return found

    def labels_of(self, uids: Collection[str], session_hash: str) -> list[Document]:
        # A registry refuses labels of what is in another session than these jobs are.
        wanted = set(uids)
        elsewhere = self._touched(self.jobs.keys() - wanted) - self._touched(wanted)
        return [
            label | {"session_hash": session_hash}
            for label in self.document["labels"]
            if label.get("job_uid") in (None, *wanted)
            and label.get("artifact_hash") not in elsewhere
        ]

    def _touched(self, uids: Iterable[str]) -> set[str]:
        jobs = [self.jobs[uid] for uid in uids]
        sides = [side for job in jobs for side in (job.inputs, job.outputs)]
        return {link["hash"] for side in sides for link in side.links}


def read_package(path: str, redactor: Redactor) -> PackagedWork:
    """Read and check the package at `path`. Raises RoarError."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise RoarError(f"{path} cannot be read: {error.strerror}") from error
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RoarError(f"{path} is no registration package: it is no JSON") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RoarError(
            f"{path} is no registration package; one is written by: roar register --package FILE"
        )
    version = document.get("version")
    if type(version) is not int or version != VERSION:
        raise RoarError(
            f"{path} is a package of version {str(version)[:20]}, this roar reads version {VERSION}"
        )
    _check(document, path)
    jobs = _jobs(document, path)
    session = object_of(document.get("session"))
    git = Git(*(str(session.get(name) or "") for name in ("git_repo", "git_commit", "git_branch")))
    root = object_of(document.get("source"))
    return PackagedWork(
        name=path,
        root={"kind": str(root.get("kind", "")), "id": str(root.get("id", ""))},
        jobs=jobs,
        artifacts={},
        labelled=Labelled(None, None, {}, {}),
        redactor=redactor,
        document=document,
        git=git,
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _check(document: Document, path: str) -> None:
    manifest = document.get("manifest")
    lists = [document.get(name) for name in _LISTS]
    if not isinstance(manifest, dict) or not all(
        isinstance(some, list) and all(isinstance(one, dict) for one in some) for some in lists
    ):
        raise RoarError(f"{path} is no whole registration package; write it again")
    try:
        is_as_sealed = manifest.get("package_sha256") == checksum_of(document)
    except (ValueError, RecursionError):
        is_as_sealed = False
    if not is_as_sealed:
        raise RoarError(
            f"{path} is not as it was written: its checksum is another; carry it over again"
        )


def _jobs(document: Document, path: str) -> dict[str, PublishedJob]:
    found: dict[str, tuple[list[Document], list[Document], list[Document]]] = {}
    for job in document["jobs"]:
        uid = job.get("job_uid")
        if not isinstance(uid, str) or not _UID.fullmatch(uid) or uid in found:
            raise RoarError(f"{path} has a job without a uid of its own")
        found[uid] = ([], [], [])
    if not found:
        raise RoarError(f"{path} has no job that could be registered")
    for link in document["links"]:
        uid, direction = str(link.get("job_uid")), str(link.get("direction"))
        if uid not in found or direction not in _SIDES:
            raise RoarError(f"{path} has a link of a job that is not in it")
        rest = {k: v for k, v in link.items() if k not in ("job_uid", "direction")}
        if direction != "view" and not isinstance(rest.get("hash"), str):
            raise RoarError(f"{path} has a link to nothing")
        found[uid][_SIDES[direction]].append(rest)
    _check_labels(document, found, path)
    jobs = {}
    for job in document["jobs"]:
        # Whether the job that started it is sent along is known when it is sent.
        wire = {name: value for name, value in job.items() if name != "parent_job_uid"}
        uid, parent = job["job_uid"], job.get("parent_job_uid")
        if not isinstance(parent, str | None):
            raise RoarError(f"{path} has a job that was started by none")
        inputs, outputs, views = found[uid]
        told = {"uid": uid, "step": None, "parent": parent}
        jobs[uid] = PublishedJob(told, wire, _links(inputs), _links(outputs), views)
    return jobs


def _check_labels(document: Document, uids: Collection[str], path: str) -> None:
    for label in document["labels"]:
        uid, digest = label.get("job_uid"), label.get("artifact_hash")
        if not (uid is None or (isinstance(uid, str) and uid in uids)):
            raise RoarError(f"{path} has labels of a job that is not in it")
        if not (isinstance(digest, str | None) and isinstance(label.get("metadata"), dict)):
            raise RoarError(f"{path} has labels of nothing, or none")


def _links(links: list[Document]) -> Links:
    return Links(links, [], {}, {})
