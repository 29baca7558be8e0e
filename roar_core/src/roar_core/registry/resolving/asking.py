"""Ask one registry for lineage: in one request for everything where it can, else one by one.

A registry is a stranger: what it tells is kept as it came, within bounds, and checked later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import attrs

from roar_core.errors import RegistryError, RoarError, UnreachableError
from roar_core.registry.answers import list_in, objects_in
from roar_core.registry.publishing.job_documents import from_wire

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

Document = dict[str, Any]
# near: who wrote or read it. builds: of sessions.
Direction = Literal["near", "upstream", "downstream", "builds"]

MOST_JOBS = 20_000
_AT_ONCE = 100
_MOST_PAGES = 200
_MOST_ROUNDS = 50


class Named(NamedTuple):
    """One thing that a reference means there; `algorithm` is that of an artifact's digest."""

    kind: str
    name: str
    algorithm: str = "blake3"

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.name}" if self.kind == "artifact" else self.name


@attrs.define
class Answers:
    """All that a registry told.

    `named` is what each reference may mean. `jobs` are graph jobs by uid, their `session` being the
    hash of the registration; `wire` the documents they were read from. `artifacts` are by digest.
    `left_out` are sentences about what cannot be read; `is_whole` is False when there is more.
    """

    url: str
    named: dict[str, list[Named]] = attrs.field(factory=dict)
    jobs: dict[str, Document] = attrs.field(factory=dict)
    wire: dict[str, Document] = attrs.field(factory=dict)
    artifacts: dict[str, Document] = attrs.field(factory=dict)
    sessions: dict[str, Document] = attrs.field(factory=dict)
    left_out: list[str] = attrs.field(factory=list)
    is_whole: bool = True

    def add_job(self, told: object) -> None:
        """Read one job document; what cannot be read is left out, and told so."""
        if not isinstance(told, dict) or len(self.jobs) >= MOST_JOBS:
            self.is_whole = False
            return
        uid = told.get("jobUid")
        if not isinstance(uid, str):
            self.left_out.append("a job without a uid")
            return
        if uid in self.jobs:
            return
        try:
            job = from_wire(told) | {"session": str(told["sessionHash"])}
        except (RoarError, KeyError) as error:
            self.left_out.append(f"job {str(uid)[:32]}: {error}")
            return
        self.jobs[job["uid"]] = job
        self.wire[job["uid"]] = told
        self.is_whole = self.is_whole and told.get("edgesAreWhole", True) is True

    def is_about(self, asked: str, named: Named) -> bool:
        """Whether a registry named what it was asked for: by that beginning, or a digest of it."""
        known = [named.name]
        if named.kind == "job":
            known.append(str(self.wire.get(named.name, {}).get("jobHash")))
        told = self.artifacts.get(named.name, {}) if named.kind == "artifact" else {}
        known += [str(one.get("digest")) for one in objects_in(told, "hashes")]
        return any(one.lower().startswith(asked) for one in known)

    def tells_of(self, artifact: Named) -> bool:
        """Whether anything of an artifact is told but that it is there."""
        told = self.artifacts.get(artifact.name, {})
        if any(told.get(key) for key in ("registeredAt", "size", "composite", "labels")):
            return True
        edges = (edge for job in self.jobs.values() for edge in (*job["inputs"], *job["outputs"]))
        return any(edge["hash"] == str(artifact) for edge in edges)

    def makers(self) -> set[str]:
        """The uids of the jobs that made what these jobs read, as they themselves say."""
        return {
            uid
            for job in self.jobs.values()
            for edge in job["inputs"]
            for uid in (edge["producer"], *edge["further_producers"])
            if isinstance(uid, str)
        }


def ask(connection: Connection, names: Iterable[str], direction: Direction) -> Answers:
    """What the registry knows of these digests, uids and hashes of sessions, and around them.

    Raises RegistryError when it cannot be asked. What it does not know has no names in the answer.
    """
    answers = Answers(connection.url)
    wanted = list(dict.fromkeys(names))
    asked: set[str] = set()
    for _ in range(_MOST_ROUNDS):
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            if not _ask_whole(connection, batch, direction, answers):
                from roar_core.registry.resolving.protocol import ask_plainly

                ask_plainly(connection, wanted, direction, answers)
                return answers
        asked.update(wanted)
        if direction not in ("upstream", "builds") or not answers.is_whole:
            break
        # A dataset's members were written one by one: only the reader knows by whom.
        wanted = sorted(answers.makers() - asked - answers.jobs.keys())
        direction = "upstream"
        if not wanted:
            break
    return answers


def _ask_whole(
    connection: Connection, names: list[str], direction: Direction, answers: Answers
) -> bool:
    """Ask our own server's question; False when this registry does not know it."""
    params = {"of": ",".join(names), "direction": direction}
    for _ in range(_MOST_PAGES):
        try:
            told = connection.get("graph/whole", params)
        except RegistryError as error:
            # A registry without it says so, or shows the page of a proxy for it.
            if error.status in (404, 405):
                return False
            raise
        if not isinstance(told, dict) or "references" not in told:
            raise UnreachableError(f"{connection.url} gave an answer that no registry gives")
        _take(told, answers)
        cursor = told.get("nextCursor")
        if not isinstance(cursor, str) or len(answers.jobs) >= MOST_JOBS:
            answers.is_whole = answers.is_whole and told.get("truncated") is not True
            return True
        params["cursor"] = cursor
    answers.is_whole = False
    return True


def _take(told: Mapping[str, Any], answers: Answers) -> None:
    for reference in objects_in(told, "references"):
        text = str(reference.get("reference"))
        answers.named[text] = [
            Named(str(one.get("kind")), str(one.get("name")), str(one.get("algorithm") or "blake3"))
            for one in objects_in(reference, "named")
        ]
    for job in list_in(told, "jobs"):
        answers.add_job(job)
    for artifact in objects_in(told, "artifacts"):
        answers.artifacts.setdefault(str(artifact.get("hash")), artifact)
    for session in objects_in(told, "sessions"):
        answers.sessions[str(session.get("hash"))] = session
