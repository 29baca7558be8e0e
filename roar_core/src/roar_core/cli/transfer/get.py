"""`roar get`: fetch files, and record where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from roar_core.cli import output
from roar_core.cli.transfer import words as transfer_words

if TYPE_CHECKING:
    from roar_core.transfer.getting import GetWishes


@click.command(
    epilog="Examples: roar get https://example.org/data.csv · roar get s3://bucket/set data/"
    " · roar get -o in.csv --hash sha256:… /nfs/share/2024.csv"
)
@click.argument("words", nargs=-1, required=True, metavar="SRC… [DEST]")
@click.option("-m", "--message", metavar="TEXT", help="What this is, kept as a label of the job.")
@click.option("-o", "--output", "file", metavar="FILE", help="Fetch the one object to this file.")
@click.option(
    "--hash",
    "digests",
    multiple=True,
    metavar="ALGORITHM:HEX",
    help="Keep the file only if this is its digest: blake3, sha256, sha512 or md5.",
)
@click.option("--force", is_flag=True, help="Replace files that hold other bytes.")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option("-n", "--name", metavar="NAME", help="A name for the job.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N objects, by URL."
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="KIND=VALUE",
    help="Put this tag on what is fetched; may be repeated. See: roar tag",
)
@click.option(
    "--fold-case",
    is_flag=True,
    help="Refuse names that differ only in case: some systems cannot keep them apart.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def get(
    words: tuple[str, ...],
    message: str | None,
    file: str | None,
    digests: tuple[str, ...],
    force: bool,
    dry_run: bool,
    name: str | None,
    limit: int | None,
    tags: tuple[str, ...],
    fold_case: bool,
    as_json: bool,
) -> int:
    """Fetch files from URLs or other folders, and record where they came from.

    SRC is a URL (https, s3, gs, hf, file) or a path, of one file or of a folder; what lies below a
    folder comes to lie below DEST, which a last word without :// is. Without DEST, files go to the
    working directory, and a folder's into one of its name there.

    What was interrupted goes on when it is run again. A file that is there with the same bytes is
    not fetched; one with other bytes is refused without --force. Every file is checked against the
    digests that its store tells, and against --hash.
    """
    import os

    from roar_core.cli.tag_words import actions
    from roar_core.project import working_directory
    from roar_core.transfer.getting import GetWishes

    sources, dest = _split(words, file)
    wishes = GetWishes(
        sources=sources,
        cwd=os.fspath(working_directory()),
        dest=dest,
        is_file=file is not None,
        limit=limit,
        force=force,
        fold=fold_case,
        wanted=transfer_words.wanted_digests(digests),
    )
    told = actions(tags, ())
    if dry_run:
        return _show(wishes, as_json=as_json)
    command = ["roar", "get", *(["-m", message] if message is not None else [])]
    command += [*(word for digest in digests for word in ("--hash", digest))]
    command += ["--limit", str(limit)] if limit is not None else []
    command += ["--force"] * force + ["--fold-case"] * fold_case
    command += ["-o", *transfer_words.recorded_words([file])[-1:]] if file is not None else []
    command += transfer_words.recorded_words(words)
    return _fetch(wishes, command, name=name, message=message, tags=told, as_json=as_json)


def _split(words: tuple[str, ...], file: str | None) -> tuple[tuple[str, ...], str | None]:
    """Sources and destination: the last of several words is one, unless it is a URL."""
    from roar_core.transfer.schemes import is_url

    if file is not None or len(words) == 1 or is_url(words[-1]):
        return words, file
    return words[:-1], words[-1]


def _show(wishes: GetWishes, *, as_json: bool) -> int:
    """What would be fetched, and what is in the way; nothing is written, not even a project."""
    import os

    from roar_core.cli.documents import document, path_fields
    from roar_core.transfer.getting import plan_get

    project, transfers = transfer_words.found()
    fetches = plan_get(wishes, transfers)
    if as_json:
        files = [
            {
                **path_fields(fetch.target, project),
                "url": fetch.source.url,
                "size": fetch.source.size,
                "version": fetch.source.version,
                "etag": fetch.source.etag,
                "exists": os.path.lexists(fetch.target),
            }
            for fetch in fetches
        ]
        output.data(document("transfer_plan", kind="get", files=files, left_out=[]))
        return 0
    transfer_words.print_plan(
        [
            (fetch.source.url, fetch.target, fetch.source.size, os.path.lexists(fetch.target))
            for fetch in fetches
        ],
        "fetched",
    )
    return 0


def _fetch(
    wishes: GetWishes,
    command: list[str],
    *,
    name: str | None,
    message: str | None,
    tags: tuple[tuple[str, str, str], ...],
    as_json: bool,
) -> int:
    from roar_core.hashing.progress import HashProgress
    from roar_core.transfer.crew import Crew
    from roar_core.transfer.getting import look_around, plan_get
    from roar_core.transfer.operation import Particulars, get_files
    from roar_core.transfer.record import new_job

    with transfer_words.opened() as (books, transfers):
        fetches = plan_get(wishes, transfers)
        for url in dict.fromkeys(fetch.source.url for fetch in fetches):
            transfer_words.note_unencrypted(url, wishes.wanted)
        with HashProgress() as progress:
            plan = look_around(
                *(fetches, wishes, books.store, Crew()),
                algorithms=books.algorithms,
                on_progress=progress,
            )
        labels = {"message": message} if message is not None else {}
        job = new_job(books, "get", command, wishes.cwd, name=name, labels=labels)
        outcome = get_files(plan, wishes, books, job, Particulars(tags))
        if as_json:
            output.data(transfer_words.outcome_document(outcome, books.project))
        elif outcome.moved or outcome.there:
            output.line(transfer_words.summary(outcome))
    transfer_words.tell_failures(outcome, command)
    return 0
