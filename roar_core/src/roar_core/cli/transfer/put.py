"""`roar put`: upload files, record where they went, and publish what they came from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from roar_core.cli import output
from roar_core.cli.transfer import words as transfer_words
from roar_core.errors import RoarError, UsageError

if TYPE_CHECKING:
    from roar_core.cli.registry.publication import Publication
    from roar_core.project import Project
    from roar_core.transfer.putting import Putting, PutWishes


@click.command(
    epilog="Examples: roar put model.pt s3://bucket/models/ -m 'first try' · roar put out/ /nfs/out"
    " --no-register · roar put --dry-run data/ s3://bucket/data"
)
@click.argument("words", nargs=-1, required=True, metavar="SRC… DEST")
@click.option("-m", "--message", metavar="TEXT", help="What this is, kept as a label of the job.")
@click.option("--force", is_flag=True, help="Replace objects that hold other bytes.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded, and upload nothing.")
@click.option("-n", "--name", metavar="NAME", help="A name for the job.")
@click.option("--dataset", is_flag=True, help="Each source folder is one dataset.")
@click.option("--follow", is_flag=True, help="Upload what links below a folder lead to, anywhere.")
@click.option("--public", is_flag=True, help="Publish in your name, for everybody to see.")
@click.option("--private", is_flag=True, help="Publish in your name, for you alone to see.")
@click.option("--anonymous", is_flag=True, help="Publish in nobody's name, for everybody to see.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--no-register", is_flag=True, help="Upload and record, and publish nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
def put(
    words: tuple[str, ...],
    message: str | None,
    force: bool,
    dry_run: bool,
    name: str | None,
    dataset: bool,
    follow: bool,
    public: bool,
    private: bool,
    anonymous: bool,
    yes: bool,
    no_register: bool,
    as_json: bool,
) -> int:
    """Upload files and folders to a store, and publish all that they came from.

    A folder's files come to lie below DEST as they lie below the folder. A single file becomes DEST
    itself, unless that ends with a slash or is a folder. Two files that would get one URL are
    refused, as is replacing other bytes without --force; what is there with the same bytes is not
    uploaded. Links that lead out of a folder are left out, and told.

    The lineage of the files is registered as with roar register, which is asked about before
    anything is uploaded. Run again, it finishes whatever was interrupted, and uploads nothing
    twice.
    """
    from roar_core.project import working_directory
    from roar_core.registry.scopes import refuse_several
    from roar_core.transfer.putting import PutWishes

    if len(words) < 2:
        raise UsageError(
            "name what to put, and where to; try: roar put model.pt s3://bucket/models/"
        )
    refuse_several(public=public, private=private, anonymous=anonymous)
    if no_register and (public or private or anonymous):
        raise UsageError("--no-register publishes nothing: it goes with no option about whom for")
    cwd = os.fspath(working_directory())
    wishes = PutWishes(words[:-1], words[-1], cwd, force=force, follow=follow)
    if dry_run:
        return _show(wishes, as_json=as_json)
    command = ["roar", "put"]
    command += ["-m", message] if message is not None else []
    command += ["--force"] * force + ["--dataset"] * dataset + ["--follow"] * follow
    command += ["--no-register"] * no_register
    command += ["--public"] * public + ["--private"] * private + ["--anonymous"] * anonymous
    command += transfer_words.recorded_words(words)
    publication = None
    if not no_register:
        from roar_core.cli.registry.publication import Publication
        from roar_core.registry.publishing.destination import Flags

        flags = Flags(public=public, private=private, anonymous=anonymous)
        publication = Publication(flags, yes)
    return _upload(
        wishes,
        command,
        publication,
        name=name,
        message=message,
        is_dataset=dataset,
        as_json=as_json,
    )


def _show(wishes: PutWishes, *, as_json: bool) -> int:
    from roar_core.cli.documents import document
    from roar_core.transfer.putting import objects_there, plan_put

    project, transfers = transfer_words.found()
    puts, left_out = plan_put(wishes, transfers)
    there = objects_there(puts, wishes)
    if as_json:
        files = [_planned(each, project, is_there=each.url in there) for each in puts]
        left = [output.printable(each) for each in left_out]
        output.data(document("transfer_plan", kind="put", files=files, left_out=left))
        return 0
    _tell_left_out(left_out)
    rows = [(each.path, each.url, each.fingerprint.size, each.url in there) for each in puts]
    transfer_words.print_plan(rows, "uploaded")
    return 0


def _planned(each: Putting, project: Project, *, is_there: bool) -> dict[str, Any]:
    from roar_core.cli.documents import path_fields

    return {
        **path_fields(each.path, project),
        "url": each.url,
        "size": each.fingerprint.size,
        "version": None,
        "etag": None,
        "exists": is_there,
    }


def _upload(
    wishes: PutWishes,
    command: list[str],
    publication: Publication | None,
    *,
    name: str | None,
    message: str | None,
    is_dataset: bool,
    as_json: bool,
) -> int:
    from roar_core.hashing.progress import HashProgress
    from roar_core.transfer.crew import Crew
    from roar_core.transfer.operation import Particulars, put_files
    from roar_core.transfer.putting import look_there, plan_put
    from roar_core.transfer.record import new_job

    with transfer_words.opened() as (books, transfers):
        puts, left_out = plan_put(wishes, transfers)
        with HashProgress() as progress:
            plan = look_there(
                *(puts, wishes, left_out, books.store, Crew()),
                algorithms=books.algorithms,
                on_progress=progress,
            )
        _tell_left_out(left_out)
        root = os.fspath(books.project.root)
        if publication is not None and not publication.is_agreed(root, len(puts), wishes.dest):
            output.note("nothing was uploaded")
            return 1
        labels = {"message": message} if message is not None else {}
        job = new_job(books, "put", command, wishes.cwd, name=name, labels=labels)
        datasets = tuple(_folders(wishes)) if is_dataset else ()
        outcome = put_files(plan, wishes, books, job, Particulars(datasets=datasets))
        project = books.project
    if not as_json and (outcome.moved or outcome.there):
        output.line(transfer_words.summary(outcome))
    published: dict[str, Any] | None = None
    problem: RoarError | None = None
    if publication is not None and outcome.job.state == "succeeded":
        try:
            published = publication.carry_out(outcome.job, quiet=as_json)
        except RoarError as error:
            problem = _unpublished(error, wishes, outcome.job.step)
    if as_json:
        more = {"registration": published, "problem": None if problem is None else str(problem)}
        output.data(transfer_words.outcome_document(outcome, project, **more))
    transfer_words.tell_failures(outcome, command)
    if problem is not None:
        raise problem
    return 0


def _unpublished(error: RoarError, wishes: PutWishes, step: object) -> RoarError:
    return RoarError(
        f"the files are at {wishes.dest} and recorded as {step}, but nothing says so at the"
        f" registry yet: {error}; finish it with the same command, or with: roar register {step}"
    )


def _folders(wishes: PutWishes) -> list[str]:
    paths = [os.path.normpath(os.path.join(wishes.cwd, word)) for word in wishes.sources]  # noqa: PTH118 - any bytes
    return [path for path in paths if os.path.isdir(path)]  # noqa: PTH112 - any bytes


def _tell_left_out(left_out: tuple[str, ...]) -> None:
    for each in left_out[: transfer_words.LISTED_MAX]:
        output.tell(f"left out: {each}")
    if len(left_out) > transfer_words.LISTED_MAX:
        output.tell(f"left out: {len(left_out) - transfer_words.LISTED_MAX:,} more")
