"""What `roar get` and `roar put` have in common: where they record, and how they tell it."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from roar_core.cli import output, wording
from roar_core.errors import RoarError, UsageError
from roar_core.telemetry.endpoint import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roar_core.cli.documents import Document
    from roar_core.project import Project
    from roar_core.transfer.operation import Outcome
    from roar_core.transfer.record import Books, Moved
    from roar_core.transfer.schemes import Transfers

_DIGEST = re.compile(r"(blake3|sha256|sha512|md5):([0-9a-fA-F]+)")
_LENGTHS = {"blake3": 64, "sha256": 64, "sha512": 128, "md5": 32}
LISTED_MAX = 20


def wanted_digests(words: Sequence[str]) -> dict[str, str]:
    """What `--hash` says, by algorithm. Raises UsageError."""
    wanted: dict[str, str] = {}
    for word in words:
        found = _DIGEST.fullmatch(word)
        if found is None or len(found[2]) != _LENGTHS[found[1]]:
            raise UsageError(
                f"{word!r} is no digest; write ALGORITHM:HEX, as in sha256:9f86d0…, with one of"
                f" {', '.join(_LENGTHS)}"
            )
        if wanted.setdefault(found[1], found[2].lower()) != found[2].lower():
            raise UsageError(f"--hash gives two digests of {found[1]}; one file has one")
    return wanted


def recorded_words(words: Sequence[str]) -> list[str]:
    """Arguments as they are recorded: the same from another directory of another checkout.

    Paths out of the project are told from the root of the machine; all stand behind `--` when one
    of them looks like an option.
    """
    from roar_core.cli.settings import here
    from roar_core.project import working_directory
    from roar_core.transfer.schemes import is_url

    cwd, root = str(working_directory()), str(here().root)
    told = []
    for word in words:
        path = os.path.normpath(os.path.join(cwd, word))  # noqa: PTH118 - any bytes
        is_inside = is_url(word) or path == root or path.startswith(f"{root}/")
        slash = "/" * (word.endswith("/") and path != "/")
        told.append(word if is_inside else path + slash)
    return ["--", *told] if any(word.startswith("-") for word in told) else told


@contextmanager
def opened() -> Iterator[tuple[Books, Transfers]]:
    """The project around the working directory, which is made if need be, and the transfers."""
    from roar_core.project import initialise, recordable_project, working_directory
    from roar_core.run.recovery import recover_interrupted
    from roar_core.store.writer import Store
    from roar_core.transfer.record import Books
    from roar_core.transfer.schemes import Transfers, configured

    project = recordable_project(working_directory())
    if initialise(project):
        output.tell(f"initialised {project.roar_dir}")
    config = configured(project.root, project.roar_dir, os.environ)
    for warning in config.warnings:
        output.warn(warning)
    with Store.open(project.roar_dir, create=True) as store:
        if store.orphans():
            recover_interrupted(project, store, output.warn)
        books = Books(project, config, store, output.warn)
        yield books, Transfers.find(project.root, config)


def note_unencrypted(url: str, wanted: Mapping[str, str]) -> None:
    """Say what http means; nothing when a digest proves the bytes, or they stay on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "http" and not wanted and parts.hostname not in LOOPBACK:
        output.warn(
            f"{parts.netloc} is asked over http: whoever is on the way can change what comes;"
            " https is safe, and so is --hash"
        )


def found() -> tuple[Project, Transfers]:
    """The project around the working directory, begun or not, and the transfers."""
    from roar_core.cli.settings import here
    from roar_core.transfer.schemes import Transfers, configured

    project = here()
    config = configured(project.root, project.roar_dir, os.environ)
    return project, Transfers.find(project.root, config)


def summary(outcome: Outcome) -> str:
    """`@4 got 3 files, 1.2 MiB; 2 were there already`."""
    job = outcome.job
    place = job.step or job.uid[:8]
    there, is_one = len(outcome.there), len(outcome.there) == 1
    if not outcome.is_new:
        verb = "is" if is_one else "are"
        done = "got" if job.kind == "get" else "put"
        object_ = "it" if is_one else "them"
        return f"{wording.count(there, 'file')} {verb} there already, as {place} {done} {object_}"
    size = wording.size(sum(each.fingerprint.size for each in outcome.moved))
    words = f"{place} {'got' if job.kind == 'get' else 'put'}"
    words += f" {wording.count(len(outcome.moved), 'file')}, {size}"
    if there:
        words += f"; {there:,} {'was' if is_one else 'were'} there already"
    return words


def tell_failures(outcome: Outcome, command: Sequence[str]) -> None:
    """Raise what kept a transfer from being whole, and say how to go on."""
    if outcome.is_interrupted:
        files = len(outcome.moved) + len(outcome.there)
        output.tell(
            f"{wording.count(files, 'file')} done; what was begun is kept, and goes on with:"
            f" {shlex.join(command)}"
        )
        _die_interrupted()
    failures = outcome.failures
    if len(failures) == 1 and not outcome.moved:
        raise failures[0]
    if failures:
        raise RoarError(
            f"{wording.count(len(failures), 'file')} could not be moved: {failures[0]}"
            f"{' (the first)' if len(failures) > 1 else ''}; what could is recorded, and the same"
            " command goes on with the rest"
        )


def _die_interrupted() -> None:
    """End as the signal has it: a shell's loop stops, and no thread is waited for."""
    output.finish()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def print_plan(rows: Sequence[tuple[str, str, int | None, bool]], verb: str) -> None:
    """What would be moved: from, to, size, and whether something is there."""
    for source, target, size, is_there in rows[:LISTED_MAX]:
        told = "?" if size is None else wording.size(size)
        note = "  (there is something already)" if is_there else ""
        arrow = output.symbol("→", "->")
        output.line(
            f"{told:>8}  {output.printable(source)} {arrow} {output.printable(target)}{note}"
        )
    if len(rows) > LISTED_MAX:
        output.line(f"          and {len(rows) - LISTED_MAX:,} more; all of them: --json")
    total = wording.size(sum(size or 0 for _, _, size, _ in rows))
    output.note(f"{wording.count(len(rows), 'file')}, {total}, would be {verb}; nothing was done")


def outcome_document(outcome: Outcome, project: Project, **more: Any) -> Document:
    """What came of a transfer: each file and its object, in the order of the files' paths."""
    from roar_core.cli.documents import document, path_fields

    def tell(each: Moved, *, is_new: bool) -> Document:
        return {
            **path_fields(each.path, project),
            "url": each.source.url,
            "size": each.fingerprint.size,
            "hash": f"blake3:{each.digests['blake3']}",
            "version": each.source.version,
            "etag": each.source.etag,
            "moved": is_new,
        }

    job = outcome.job
    told = [tell(each, is_new=True) for each in outcome.moved]
    told += [tell(each, is_new=False) for each in outcome.there]
    return document(
        "transfer",
        kind=job.kind,
        job=job.uid,
        step=str(job.step) if job.step else None,
        state=job.state,
        recorded=outcome.is_new,
        files=sorted(told, key=lambda file: file["path"]),
        failures=[str(failure) for failure in outcome.failures],
        **more,
    )
