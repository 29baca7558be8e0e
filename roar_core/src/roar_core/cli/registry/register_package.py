"""`roar register --package FILE` writes what would be sent; `--from-package FILE` sends it."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.cli import output, wording
from roar_core.cli.registry.agreeing import is_agreed
from roar_core.cli.registry.reaching import reach
from roar_core.cli.registry.register_view import fact, path_lines
from roar_core.config.redacting import redactor_of
from roar_core.errors import RoarError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from roar_core.config.layers import Config
    from roar_core.project import Project
    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination, Flags
    from roar_core.registry.publishing.packaged import PackagedWork
    from roar_core.registry.publishing.sending import Published
    from roar_core.registry.publishing.work import Work
    from roar_core.store.writer import Store


def write_package(work: Work, path: str, *, as_json: bool) -> int:
    """Write the package of all of this work."""
    from roar_core import __version__
    from roar_core.cli.documents import document, timestamp
    from roar_core.cli.export import writing
    from roar_core.registry.publishing.package import package_of

    uids = tuple(work.jobs)
    content = package_of(work, uids, timestamp(time.time_ns()), __version__)
    with writing(path) as file:
        file.write(content)
    if as_json:
        output.data(document("package", path=path, jobs=len(uids), size=len(content)))
    else:
        output.tell(
            f"wrote {wording.count(len(uids), 'job')} to {path}; nothing was sent; where there is a"
            f" network: roar register --from-package {Path(path).name}"
        )
    return 0


def send_package(
    path: str, config: Config, flags: Flags, *, dry_run: bool, yes: bool, as_json: bool
) -> int:
    """Register what a package holds, but for what the registry has already."""
    from roar_core.registry.publishing.destination import destination_of, planned_destination
    from roar_core.registry.publishing.packaged import read_package

    work = read_package(path, redactor_of(config, output.warn))
    with ExitStack() as stack:
        connection = stack.enter_context(reach(config, anonymous=flags.anonymous))
        if dry_run:
            destination = planned_destination(connection, config, flags)
            if as_json:
                output.data(_document(work, destination, None))
                return 0
            for line in _preview(work, destination, tuple(work.jobs)):
                output.line(line)
            output.note("nothing was sent")
            return 0
        destination = destination_of(connection, config, flags)
        if destination.is_anonymous:
            connection = stack.enter_context(connection.as_nobody())
        published = _send(connection, destination, work, stack, yes=yes)
    if published is None:
        output.note("nothing was sent")
        return 1
    if as_json:
        output.data(_document(work, destination, published))
        return 0
    for one in published:
        jobs = wording.count(len(one.uids), "job")
        place = "" if one.leaf is None else f", #{one.leaf} in the log"
        output.line(
            output.printable(f"registered {jobs}{place}: session {one.session_hash}  {one.url}")
        )
    if not published:
        output.note(f"all of {path} is registered at {connection.url} already")
    return 0


def _send(
    connection: Connection,
    destination: Destination,
    work: PackagedWork,
    stack: ExitStack,
    *,
    yes: bool,
) -> list[Published] | None:
    """The sessions that came of it; None when the user says no.

    What is noted down on the way is noted in memory: run again, all jobs that the registry has not
    got are sent again, and come to the same session. What is registered is noted in the project
    around, if it has these jobs.
    """
    from roar_core.progress import ProgressLine
    from roar_core.project import find_project, working_directory
    from roar_core.registry.publishing.known import keep_published, known_jobs, private_sessions
    from roar_core.registry.publishing.pieces import Ability
    from roar_core.registry.publishing.plan import check
    from roar_core.registry.publishing.sending import Sender
    from roar_core.registry.publishing.tokens import Tokens
    from roar_core.registry.resolving.overlay import overlay_of

    ability = Ability.from_health(connection.get("health"))
    check(destination, ability)
    project = find_project(working_directory())
    store = stack.enter_context(overlay_of(None, project))
    own = _own_store(project, stack)
    uids = tuple(work.jobs)
    known = known_jobs(connection, own or store, destination, ability, uids)
    new = tuple(uid for uid in uids if uid not in known)
    if destination.is_public:
        for name in sorted(private_sessions(known.values())):
            output.warn(
                f"session {name[:12]}, which has jobs of it, stays private, for it may have others,"
                " too; make it public where it was recorded: roar register --public"
            )
    if not new:
        return []
    for line in _preview(work, destination, new):
        output.note(line)
    if not is_agreed(
        destination,
        f"package:{work.document['manifest']['package_sha256']}",
        f"publish {wording.count(len(new), 'job')}",
        yes=yes,
        otherwise="sent; look at it with --dry-run, and agree with -y",
    ):
        return None
    progress = ProgressLine()

    def advance(done: int, total: int) -> None:
        progress.show(lambda _: f"roar: sending, {done:,} of {total:,} requests")

    secrets = Tokens(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="roar-"))))
    with progress:
        sender = Sender(connection, store, secrets, destination, ability, advance)
        published = sender.send(work, new)
    if own is not None:
        try:
            keep_published(own, destination, published)
        except RoarError as error:
            output.warn(f"it is registered, but that could not be noted down here: {error}")
    return [published]


def _own_store(project: Project, stack: ExitStack) -> Store | None:
    """The database of the project around; None where there is none that can be used."""
    from roar_core.store.writer import Store

    if not project.database.exists():
        return None
    try:
        return stack.enter_context(Store.open(project.roar_dir))
    except RoarError as error:
        output.warn(f"what is registered is not noted down here: {error}")
        return None


def _preview(work: PackagedWork, destination: Destination, uids: Sequence[str]) -> Iterator[str]:
    """What will leave the machine, a fact to each line; of paths the first."""
    yield fact("to", f"{destination.registry}, {destination.words}")
    yield fact("seen by", destination.audience)
    beyond = len(work.jobs) - len(uids)
    yield fact("jobs", f"{len(uids):,}{f', and {beyond:,} are there already' if beyond else ''}")
    datasets, files = len(work.document["composites"]), len(work.document["artifacts"])
    more = f", {wording.count(datasets, 'dataset')}" if datasets else ""
    yield fact("of", f"{wording.count(files, 'artifact')}{more}")
    if work.git.commit:
        yield fact("checkout", f"{work.git.repo or 'no address'}, {work.git.commit[:12]}")
    yield from path_lines(work.paths, "they are in the file")
    yield fact("masked", f"{wording.count(work.masked, 'secret')} when it was written")


def _document(
    work: PackagedWork, destination: Destination, published: Sequence[Published] | None
) -> dict[str, object]:
    """docs/json.md, "package_registration"; None: nobody was asked anything."""
    from roar_core.cli.documents import document

    is_dry_run, published = published is None, published or ()
    sent = set(work.jobs) if is_dry_run else {uid for one in published for uid in one.uids}
    return document(
        "package_registration",
        dry_run=is_dry_run,
        registry=destination.registry,
        visibility=destination.visibility or None,
        jobs=[uid for uid in work.jobs if uid in sent],
        there=[uid for uid in work.jobs if uid not in sent],
        sessions=[
            {
                "hash": one.session_hash,
                "url": one.url or None,
                "jobs": list(one.uids),
                "log_index": one.leaf,
            }
            for one in published
        ],
    )
