"""Where something is registered, told from what this machine remembers: nobody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.store.logged import Registration, registrations_of

if TYPE_CHECKING:
    import sqlite3

    from roar_core.cli.documents import Document
    from roar_core.lineage.recipe import Recipe
    from roar_core.model.job import Job
    from roar_core.registry.log.proving import Proof
    from roar_core.store.found import ArtifactInfo, MemberInfo

_SHOWN = 3


def registrations_about(
    db: sqlite3.Connection, found: Job | ArtifactInfo | Recipe | MemberInfo
) -> list[Registration]:
    """Where a job is registered, or the jobs that made an artifact, else those that read it."""
    from roar_core.model.job import Job
    from roar_core.store.found import MemberInfo

    if isinstance(found, MemberInfo):
        return []
    if isinstance(found, Job):
        groups: Sequence[Sequence[str]] = [[found.uid]]
    else:
        groups = [[use.uid for use in uses] for uses in (found.producers, found.consumers)]
    for uids in groups:
        places = {
            (one.registry, one.session_hash, one.leaf): one
            for some in registrations_of(db, uids).values()
            for one in some
        }
        if places:
            return sorted(places.values(), key=lambda one: -one.at_ns)
    return []


def print_registrations(registrations: Sequence[Registration]) -> None:
    """A line for each, the last few."""
    for one in registrations[:_SHOWN]:
        label = output.style(f"{'registered':<9}", "dim")
        output.line(f"  {label} {output.printable(sentence(one))}")
    if len(registrations) > _SHOWN:
        more = len(registrations) - _SHOWN
        output.line(f"    {output.symbol('…', '...')} and {more:,} more: --json")


def sentence(one: Registration) -> str:
    """`https://host  session 0123456789ab, public, 2026-…, in the log at #12`."""
    words = [f"session {one.session_hash[:12]}", one.visibility, wording.local_time(one.at_ns)]
    if one.leaf is not None:
        words.append(f"in the log at #{one.leaf}")
    else:
        words.append("not proven to be in its log: roar registry verify")
    return f"{one.registry}  {', '.join(words)}"


def proof_sentence(url: str, proof: Proof | None) -> str:
    """What was proven just now."""
    if proof is None:
        return f"{url} has no log, so that nobody can prove what it keeps"
    held = ""
    if proof.jobs:
        first, last = min(proof.jobs.values()), max(proof.jobs.values())
        places = f"#{first}" if first == last else f"#{first} to #{last}"
        held = f" holds {wording.count(len(proof.jobs), 'job')} at {places} and"
    seen = "is seen for the first time" if proof.is_first else "continues the one seen before"
    return f"the registry's log of {proof.size:,} records{held} {seen}"


def registration_documents(registrations: Sequence[Registration]) -> list[Document]:
    """docs/json.md, "registrations"."""
    from roar_core.cli.documents import timestamp

    return [
        {
            "registry": one.registry,
            "session_hash": one.session_hash,
            "visibility": one.visibility,
            "scope": one.owner,
            "url": one.url,
            "registered_at": timestamp(one.at_ns),
            "log_index": one.leaf,
            "log_size": one.size,
        }
        for one in registrations
    ]
