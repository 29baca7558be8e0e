"""The words and the document of `roar register`: what will be sent, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roar_core.cli import output, wording
from roar_core.cli.documents import document

if TYPE_CHECKING:
    from roar_core.registry.publishing.plan import Plan
    from roar_core.registry.publishing.preview import Masked
    from roar_core.registry.publishing.sending import Published

_MOST_PATHS = 20


def preview_lines(plan: Plan, *, show_masked: bool) -> Iterator[str]:
    """What will leave the machine, a fact to each line."""
    from roar_core.registry.publishing.preview import preview_of

    preview = preview_of(plan)
    destination = plan.destination
    yield fact("to", f"{destination.registry}, {destination.words}")
    yield fact("seen by", destination.audience)
    if plan.there:
        there = list(dict.fromkeys(r.session_hash[:12] for r in plan.there.values()))
        names = ", ".join(there[:5]) + (f" and {len(there) - 5} more" if len(there) > 5 else "")
        jobs = wording.count(len(plan.there), "job")
        yield fact("there", f"{jobs} already, in session {names}")
    for session_hash, uids in plan.widened.items():
        beyond = len(set(uids) - set(plan.wanted.uids))
        more = f", with {wording.count(beyond, 'job')} beyond {plan.wanted.name}" if beyond else ""
        yield fact("public", f"session {session_hash[:12]} becomes public{more}; for good")
    if not plan.new:
        yield fact("jobs", "none to be sent")
        return
    yield fact("jobs", f"{preview.jobs:,}")
    files = wording.count(preview.artifacts, "artifact")
    if preview.datasets:
        members = wording.count(preview.members, "file")
        files += f", {wording.count(preview.datasets, 'dataset')} of {members}"
    yield fact("of", files)
    if preview.labels:
        yield fact("labels", f"of {wording.count(preview.labels, 'thing')}")
    if preview.git.commit:
        branch = f" on {preview.git.branch}" if preview.git.branch else ""
        repo = preview.git.repo or "no address that others could use"
        yield fact("checkout", f"{repo}, {preview.git.commit[:12]}{branch}")
    yield from path_lines(preview.paths, "all of them: --json")
    yield from _masked_lines(preview.masked, show_masked=show_masked)


def path_lines(paths: Sequence[str], where_all: str) -> Iterator[str]:
    """The first paths, and where the rest can be read."""
    label = "paths"
    for path in paths[:_MOST_PATHS]:
        yield fact(label, path)
        label = ""
    if len(paths) > _MOST_PATHS:
        yield fact("", f"and {len(paths) - _MOST_PATHS:,} more; {where_all}")


def _masked_lines(masked: Sequence[Masked], *, show_masked: bool) -> Iterator[str]:
    if not masked:
        yield fact("masked", "no secrets were found")
        return
    if not show_masked:
        count = wording.count(len(masked), "secret")
        yield fact("masked", f"{count}; each with its rule: --show-masked")
        return
    label = "masked"
    for one in masked:
        argument = "" if one.argument is None else f" {one.argument}"
        yield fact(label, f"{one.place} {one.where}{argument}: {one.what}  ({one.rule})")
        label = ""


def summary_lines(
    plan: Plan, published: Sequence[Published], leaves: Mapping[str, int]
) -> Iterator[str]:
    """What is registered now: each session on a line of its own, `leaves` its place in the log."""
    for session in published:
        jobs = wording.count(len(session.uids), "job")
        leaf = leaves.get(session.session_hash)
        place = "" if leaf is None else f", #{leaf} in the log"
        yield _session(f"registered {jobs}{place}", session.session_hash, session.url)
    if published:
        return
    sessions = {r.session_hash: r.url for r in plan.there.values()}
    for session_hash, url in sessions.items():
        url = url or f"{plan.destination.registry}/dag/{session_hash}"
        yield _session("registered already", session_hash, url)


def next_step(plan: Plan, published: Sequence[Published]) -> str:
    """What people type on another machine."""
    if plan.work.root["kind"] != "artifact":
        return f"from elsewhere: roar lineage {published[-1].session_hash} --remote"
    ref = plan.work.root["id"]
    return f"from elsewhere: roar lineage {ref} --remote; to make it again: roar reproduce {ref}"


def _session(what: str, session_hash: str, url: str) -> str:
    return output.printable(f"{what}: session {session_hash}{f'  {url}' if url else ''}")


def preview_document(
    plan: Plan,
    warnings: Sequence[str],
    *,
    is_dry_run: bool,
    published: Sequence[Published] = (),
    leaves: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """docs/json.md, "registration"."""
    import attrs

    from roar_core.registry.publishing.preview import preview_of

    preview = preview_of(plan)
    return document(
        "registration",
        registry=plan.destination.registry,
        visibility=plan.destination.visibility or None,
        anonymous=plan.destination.is_anonymous,
        audience=plan.destination.audience,
        dry_run=is_dry_run,
        jobs=list(plan.new),
        artifacts=preview.artifacts,
        datasets=preview.datasets,
        members=preview.members,
        labels=preview.labels,
        paths=list(preview.paths),
        masked=[attrs.asdict(one) for one in preview.masked],
        git={
            "repository": preview.git.repo or None,
            "commit": preview.git.commit or None,
            "branch": preview.git.branch or None,
        },
        there=[
            {"uid": r.uid, "session": r.session_hash, "visibility": r.visibility, "url": r.url}
            for r in plan.there.values()
        ],
        widened=list(plan.widened),
        warnings=list(warnings),
        sessions=[
            {
                "hash": one.session_hash,
                "url": one.url or None,
                "jobs": list(one.uids),
                "log_index": (leaves or {}).get(one.session_hash),
            }
            for one in published
        ],
    )


def fact(label: str, value: str) -> str:
    """One line of a preview."""
    return f"{output.style(f'{label:<9}', 'dim')} {output.printable(value)}"
