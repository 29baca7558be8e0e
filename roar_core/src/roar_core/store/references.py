"""From what a user types (`@3`, `@3.2`, `@B1`, a uid, a hash, a path) to what it names."""

from __future__ import annotations

import os
import re
import sqlite3
from typing import TYPE_CHECKING

from roar_core.errors import AmbiguousError, NotFoundError
from roar_core.model.job import Job
from roar_core.store.artifacts import artifact_info, artifacts_by_digest, prefix_range
from roar_core.store.jobs import active_session
from roar_core.store.members import Members

if TYPE_CHECKING:
    from roar_core.store.found import ArtifactInfo, MemberInfo, PathHistory

_STEP = re.compile(r"@(?P<build>[Bb]?)(?P<number>[0-9]{1,9})(?:\.(?P<attempt>[0-9]{1,9}))?")
_HEX = re.compile(r"[0-9a-f]{4,64}")
_DIGEST = re.compile(r"(?P<algorithm>[a-z0-9][a-z0-9-]*):(?P<value>[0-9A-Za-z\"-]{4,})")


def is_step(ref: str) -> bool:
    """Whether `ref` is written as a step: `@3`, `@3.2`, `@B1`."""
    return _STEP.fullmatch(ref) is not None


class References(Members):
    """What a REF argument names."""

    def resolve(
        self, ref: str, cwd: str, project: str
    ) -> Job | ArtifactInfo | PathHistory | MemberInfo:
        """Return what `ref` names: a full job, an artifact, a member or, for a path, its history.

        Steps are those of the active session. A hash prefix needs four digits; when it starts
        several names, or nothing is called so, raises NotFoundError that lists up to five. A job
        hash that several attempts share names the newest.
        """
        with self.snapshot() as db:
            if ref.startswith("@"):
                return self.job(_uid_of_step(db, ref))
            found = self._by_hash(db, ref)
            if found is not None:
                return found
            path = _absolute(ref, cwd)
            history = self.history_of_path(path, project)
            if not history.events:
                member = self.member_at(path, project) or self._member_by_hash(ref)
                if member is not None:
                    return member
        if not history.events:
            raise NotFoundError(
                f"{ref!r} is no step (@N), job, hash or path that is recorded here; see `roar log`"
            )
        return history

    def _member_by_hash(self, ref: str) -> MemberInfo | None:
        digits = ref.removeprefix("blake3:").lower()
        return self.member_with_digest(digits) if _HEX.fullmatch(digits) else None

    def _by_hash(self, db: sqlite3.Connection, ref: str) -> Job | ArtifactInfo | None:
        digest = _DIGEST.fullmatch(ref)
        algorithm = digest["algorithm"] if digest else "blake3"
        value = digest["value"] if digest else ref
        if algorithm != "etag":
            value = value.lower()
        jobs: dict[str, str] = {}
        if algorithm == "blake3":
            if not _HEX.fullmatch(value):
                return None
            jobs = _jobs_by_prefix(db, value, by_uid=digest is None)
        artifacts = artifacts_by_digest(db, algorithm, value)
        if digest is None:  # of a dataset, too, the digits alone are enough
            artifacts += artifacts_by_digest(db, "composite-blake3", value)
            artifacts += artifacts_by_digest(db, "composite-sha256", value)
        if len(jobs) + len(artifacts) > 1:
            names = [f"{name} (job)" for name in jobs]
            found = [artifact_info(db, artifact) for artifact in artifacts]
            names += [
                f"{info.hash[: info.hash.index(':') + 17]} "
                f"({'dataset' if info.composite else 'artifact'})"
                for info in found
            ]
            raise AmbiguousError(
                f"{ref!r} is ambiguous: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
            )
        if jobs:
            return self.job(next(iter(jobs.values())))
        return artifact_info(db, artifacts[0]) if artifacts else None


def _uid_of_step(db: sqlite3.Connection, ref: str) -> str:
    match = _STEP.fullmatch(ref)
    if match is None:
        raise NotFoundError(f"{ref!r} is no step: write @3, its second attempt @3.2, a build @B1")
    step = (active_session(db), bool(match["build"]), int(match["number"]))
    rows = db.execute(
        "SELECT uid, attempt, undone_at_ns FROM job "
        "WHERE session = ? AND step_is_build = ? AND step_number = ? ORDER BY attempt DESC",
        step,
    ).fetchall()
    if not rows:
        raise NotFoundError(f"no step {ref} in this session; {_steps(db, step[0])}")
    for uid, attempt, undone_at_ns in rows:
        if attempt == int(match["attempt"]) if match["attempt"] else undone_at_ns is None:
            return str(uid)
    if match["attempt"]:
        raise NotFoundError(f"no attempt {ref}; the step has {len(rows)}")
    raise NotFoundError(f"step {ref} has been undone; its last attempt was {ref}.{rows[0][1]}")


def _steps(db: sqlite3.Connection, session: int | None) -> str:
    steps = [
        f"@{letter}1 to @{letter}{last}" if last > 1 else f"@{letter}1"
        for letter, is_build in (("", False), ("B", True))
        if (
            last := db.execute(
                "SELECT max(step_number) FROM job WHERE session = ? AND step_is_build = ?",
                (session, is_build),
            ).fetchone()[0]
        )
    ]
    return f"it has {' and '.join(steps)}" if steps else "it has none yet"


def _jobs_by_prefix(db: sqlite3.Connection, value: str, *, by_uid: bool) -> dict[str, str]:
    """Map the names that start with `value`, at most six, to the uid of the job they stand for."""
    names: dict[str, str] = {}
    if by_uid and len(value) <= 32:
        rows = db.execute(
            "SELECT uid FROM job WHERE uid BETWEEN ? AND ? LIMIT 6", (value, value + "g")
        )
        names.update({uid: uid for (uid,) in rows})
    rows = db.execute(
        "SELECT hash, uid FROM job WHERE hash BETWEEN ? AND ? "
        "ORDER BY hash, undone_at_ns IS NULL, id LIMIT 1000",
        prefix_range(value),
    )
    by_hash = {f"blake3:{digest.hex()[:16]}": uid for digest, uid in rows}
    # A job whose uid and hash both start so is still one job.
    names.update({name: uid for name, uid in by_hash.items() if uid not in names})
    return names


def _absolute(ref: str, cwd: str) -> str:
    """Return an absolute path as edges have it: resolved but for a last part that is gone."""
    return ref if "://" in ref else os.path.realpath(os.path.join(cwd, ref))  # noqa: PTH118
