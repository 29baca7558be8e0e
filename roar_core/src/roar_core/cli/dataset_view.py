"""Datasets and their members: the answers of `roar show` about them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.errors import NotFoundError

if TYPE_CHECKING:
    from roar_core.cli.documents import Document
    from roar_core.lineage.session import JobRow
    from roar_core.project import Project
    from roar_core.store.found import Answer, MemberInfo, Use
    from roar_core.store.writer import Store


def print_member(member: MemberInfo, project: Project, jobs: Mapping[str, JobRow]) -> None:
    """Print which datasets some bytes are a member of, and who touched them there."""
    output.line(f"{output.style(member.hash, 'bold')}  {wording.size(member.size)}")
    for place in member.memberships:
        output.line(
            f"  {output.style('member of', 'dim')} {place.layout} "
            f"{wording.short_hash(place.dataset)} as {output.printable(os.fsdecode(place.path))}"
        )
        _print_uses("written by", place.producers, project, jobs)
        _print_uses("read by", place.consumers, project, jobs)


def member_document(member: MemberInfo, project: Project, jobs: Mapping[str, JobRow]) -> Document:
    """The document `member` of docs/json.md."""
    from roar_core.cli.documents import document, text

    return document(
        "member",
        hash=member.hash,
        size=member.size,
        memberships=[
            {
                "dataset": place.dataset,
                "layout": place.layout,
                "path": text(os.fsdecode(place.path)),
                "producers": _places(place.producers, project, jobs),
                "consumers": _places(place.consumers, project, jobs),
            }
            for place in member.memberships
        ],
    )


def show_components(store: Store, dataset: str, *, as_json: bool) -> None:
    """Print every member of a dataset, or the document `components`."""
    from roar_core.cli.documents import document, text

    components = store.components(dataset)
    if as_json:
        rows = [
            {
                "path": text(component.path),
                "hash": f"blake3:{component.digest}",
                "size": component.size,
                "kind": component.kind,
            }
            for component in components
        ]
        output.data(document("components", dataset=dataset, components=rows))
        return
    for component in components:
        output.line(
            f"blake3:{component.digest}  {component.size:>12}  {output.printable(component.path)}"
        )


def show_membership(store: Store, dataset: str, what: str, *, as_json: bool) -> int:
    """Say whether a file, or a hash, is a member of a dataset; exit 1 when it is not."""
    answer = store.contains(dataset, _digest_of(store, what))
    if as_json:
        from roar_core.cli.documents import document, text

        output.data(
            document(
                "membership",
                dataset=dataset,
                verdict=answer.verdict,
                paths=[text(path) for path in answer.paths],
            )
        )
    else:
        output.line(_in_words(answer, dataset, what))
    return 1 if answer.verdict == "no" else 0


def _in_words(answer: Answer, dataset: str, what: str) -> str:
    name, shown = wording.short_hash(dataset), output.printable(what)
    if answer.verdict == "yes":
        return f"yes: {name} has {shown} as {', '.join(map(output.printable, answer.paths))}"
    if answer.verdict == "no":
        return f"no: {shown} is no member of {name}"
    return (
        f"perhaps: the members of {name} are too many to be kept, and the filter that stands for "
        f"them, wrong once in a thousand, knows {shown}"
    )


def _digest_of(store: Store, what: str) -> str:
    from roar_core.lineage.recipe import look

    digits = what.removeprefix("blake3:").lower()
    if len(digits) == 64 and not digits.strip("0123456789abcdef"):
        return digits
    disk = look(store, os.path.realpath(what), limit=None)
    if disk.hash is None:
        raise NotFoundError(f"{what!r} is neither a file that can be read nor a whole blake3 hash")
    return disk.hash.removeprefix("blake3:")


def _print_uses(
    label: str, uses: Iterable[Use], project: Project, jobs: Mapping[str, JobRow]
) -> None:
    for use in uses:
        job = jobs[use.uid]
        place = project.relative(use.path) or use.path
        output.line(
            f"    {output.style(label, 'dim')} {job.reference:<8}"
            f"  {wording.local_time(job.started_at_ns)}  {wording.title(job.name, job.command)}"
            f"  {output.printable(place)}/"
        )


def _places(uses: Iterable[Use], project: Project, jobs: Mapping[str, JobRow]) -> list[Document]:
    from roar_core.cli.documents import path_fields, summary_document

    return [
        path_fields(use.path, project) | {"job": summary_document(jobs[use.uid])} for use in uses
    ]
