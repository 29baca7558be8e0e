"""The requests that a registration is made of, cut to what a registry takes at once.

For the same work and the same registry they are the same, in the same order: what was begun is
continued where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from blake3 import blake3

from roar_core.registry.answers import object_of
from roar_core.registry.publishing.dataset_documents import PLAIN, Limits
from roar_core.registry.publishing.work import PublishedJob, Work

Document = dict[str, Any]

# Our server takes bodies of 32 MiB unless it is told otherwise (max_body_bytes); smaller ones are
# answered before anything between here and there loses its patience.
_ROOM = 4 << 20
_LARGE = Limits(1_000_000, 24 << 20)
_PLAIN_ARTIFACTS = 90 * 1024
_PLAIN_LINKS = 100
_MOST_LINKS = 10_000


class Ability(NamedTuple):
    """What a registry can do beyond GLaaS v1, by what its `/health` says."""

    registration_sessions: bool
    anonymous: bool
    links_batch: bool
    known_jobs: bool
    publish: bool

    @classmethod
    def from_health(cls, health: Any) -> Ability:
        """Read it from the answer to `/health`; what is not said is not there."""
        features = object_of(object_of(health).get("features"))
        told = object_of(features.get("registration_sessions"))
        authoritative = told.get("finalize_server_authoritative_hash") is True
        return cls(
            registration_sessions=authoritative,
            anonymous=authoritative and told.get("anonymous_public") is True,
            links_batch=told.get("links_batch") is True,
            known_jobs=told.get("known_jobs") is True,
            publish=told.get("publish") is True,
        )

    @property
    def limits(self) -> Limits:
        """How much of a dataset it takes."""
        return _LARGE if self.links_batch else PLAIN


class Request(NamedTuple):
    """One call below the registration's address; `many` names the list that may be halved."""

    path: str
    body: Document
    many: str | None = None


def requests_of(work: Work, uids: Collection[str], ability: Ability) -> Iterator[Request]:
    """Everything about these jobs, in the protocol's order: datasets, jobs, artifacts, links."""
    for dataset in work.datasets_to_send(uids, ability.limits):
        yield Request("artifacts/composites", dataset, "components")
    jobs = [job for uid, job in work.jobs.items() if uid in uids]
    sent = [
        job.wire | ({"parent_job_uid": job.told["parent"]} if job.told["parent"] in uids else {})
        for job in jobs
    ]
    for part in _parts(sent, _ROOM):
        yield Request("jobs/batch", {"jobs": part}, "jobs")
    files = work.files_to_send(uids)
    for part in _parts(files, _ROOM if ability.links_batch else _PLAIN_ARTIFACTS):
        yield Request("artifacts/batch", {"artifacts": part}, "artifacts")
    yield from _links_together(jobs) if ability.links_batch else _links_apart(jobs)


def digest_of_content(
    work: Work, uids: Collection[str], ability: Ability, place: Mapping[str, Any]
) -> bytes:
    """BLAKE3 of all that `requests_of` is made of, and of where it goes."""
    hasher = blake3(json.dumps([sorted(uids), ability, place], sort_keys=True).encode())
    for uid in uids:
        job = work.jobs[uid]
        hasher.update(json.dumps(job.wire).encode())
        hasher.update(json.dumps([job.inputs.links, job.outputs.links, job.views]).encode())
    for artifact in work.artifacts_of(uids):
        hasher.update(
            json.dumps([artifact["hash"], artifact["size"], artifact["digests"]]).encode()
        )
    return hasher.digest()


def _links_together(jobs: Iterable[PublishedJob]) -> Iterator[Request]:
    """The links of many jobs in each request; and the protocol's one request of views a job."""
    part: list[Document] = []
    links, size = 0, 0
    for job in jobs:
        for piece in _sides(job):
            count = len(piece["inputs"]) + len(piece["outputs"])
            length = len(json.dumps(piece))
            if part and (links + count > _MOST_LINKS or size + length > _ROOM):
                yield Request("links/batch", {"links": part}, "links")
                part, links, size = [], 0, 0
            part.append(piece)
            links, size = links + count, size + length
    if part:
        yield Request("links/batch", {"links": part}, "links")
    for job in jobs:
        yield from _views(job)


def _sides(job: PublishedJob) -> Iterator[Document]:
    """What a job read and wrote, in pieces that one request takes."""
    inputs, outputs = job.inputs.links, job.outputs.links
    if len(inputs) + len(outputs) <= _MOST_LINKS // 2:
        if inputs or outputs:
            yield {"job_uid": job.uid, "inputs": inputs, "outputs": outputs}
        return
    for side, links in (("inputs", inputs), ("outputs", outputs)):
        for part in _slices(links, _MOST_LINKS // 2):
            yield {"job_uid": job.uid, "inputs": [], "outputs": [], side: part}


def _links_apart(jobs: Iterable[PublishedJob]) -> Iterator[Request]:
    """As GLaaS v1 has it, section 4.5."""
    for job in jobs:
        for part in _slices(job.inputs.links, _PLAIN_LINKS):
            yield Request(f"jobs/{job.uid}/inputs", {"artifacts": part}, "artifacts")
        yield from _views(job)
        for part in _slices(job.outputs.links, _PLAIN_LINKS):
            yield Request(f"jobs/{job.uid}/outputs", {"artifacts": part}, "artifacts")


def _views(job: PublishedJob) -> Iterator[Request]:
    if job.views:
        yield Request(f"jobs/{job.uid}/view-edges", {"view_edges": job.views}, "view_edges")


def _slices(items: list[Document], count: int) -> Iterator[list[Document]]:
    for start in range(0, len(items), count):
        yield items[start : start + count]


def _parts(items: Iterable[Document], room: int) -> Iterator[list[Document]]:
    """Items in lists of at most `room` bytes of JSON; a larger item is alone in its list."""
    part: list[Document] = []
    size = 0
    for item in items:
        length = len(json.dumps(item, separators=(",", ":"))) + 1
        if part and size + length > room:
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def label_requests(labels: Iterable[Document]) -> Iterator[Request]:
    """The labels of a session that is registered."""
    for part in _parts(labels, _ROOM):
        yield Request("labels/batch", {"labels": part}, "labels")


def expected_of(jobs: Iterable[PublishedJob]) -> dict[str, int]:
    """What an anonymous registration announces: distinct digests of each job and direction."""
    found = {"jobs": 0, "inputs": 0, "outputs": 0}
    for job in jobs:
        found["jobs"] += 1
        for side, links in (("inputs", job.inputs), ("outputs", job.outputs)):
            found[side] += len({link["hash"] for link in links.links})
    return found
