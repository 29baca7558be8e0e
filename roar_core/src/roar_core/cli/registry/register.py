"""`roar register`: publish all that something came from, after a look at what that is."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from roar_core.cli import output, wording
from roar_core.cli.opening import open_project
from roar_core.cli.registry.agreeing import is_agreed
from roar_core.cli.registry.reaching import json_option, reach, registry_config
from roar_core.config.layers import Config
from roar_core.config.redacting import redactor_of
from roar_core.errors import LogError, RegistryError, UsageError
from roar_core.garbage import collection_paused

if TYPE_CHECKING:
    import sqlite3

    from roar_core.lineage.target import Target
    from roar_core.project import Project
    from roar_core.registry.connection import Connection
    from roar_core.registry.publishing.destination import Destination, Flags
    from roar_core.registry.publishing.plan import Plan
    from roar_core.registry.publishing.sending import Published
    from roar_core.registry.publishing.work import Work
    from roar_core.store.writer import Store


@click.command()
@click.argument("ref", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would be sent; nobody is asked anything.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--public", is_flag=True, help="In your name, for everybody to see.")
@click.option("--private", is_flag=True, help="In your name, for you alone to see.")
@click.option("--anonymous", is_flag=True, help="In nobody's name, for everybody to see.")
@click.option("--package", metavar="FILE", help="Write what would be sent to FILE instead.")
@click.option("--from-package", metavar="FILE", help="Send what --package wrote elsewhere.")
@click.option("--absolute-paths", is_flag=True, help="Tell paths and host names as they are.")
@click.option("--show-masked", is_flag=True, help="List every secret that is masked, and its rule.")
@json_option
def register(
    ref: str | None,
    dry_run: bool,
    yes: bool,
    public: bool,
    private: bool,
    anonymous: bool,
    package: str | None,
    from_package: str | None,
    absolute_paths: bool,
    show_masked: bool,
    as_json: bool,
) -> int:
    """Publish all that REF came from: its jobs, across sessions, with datasets and labels.

    REF is a step (@3), a job, an artifact's hash, a path, an object's URL, a dataset or session:N;
    without it the current session. What will leave this machine is shown first: secrets are
    masked, paths outside of the project are told as /…/name. It asks before it publishes to a
    registry for the first time, and before it publishes a project for everybody for the first
    time. What is there already is not sent again; what was interrupted is finished by running it
    again.

    A machine without a network writes a file with --package, and another one sends it: there
    --from-package takes the place of REF.

    Examples: roar register --dry-run · roar register model.pkl --private · roar register -y @3
    """
    from roar_core.cli.registry.register_package import send_package, write_package
    from roar_core.registry.publishing.destination import Flags

    if package is not None and (dry_run or public or private or anonymous):
        raise UsageError("--package sends nothing: it goes with none of the options about whom")
    config = registry_config()
    flags = Flags(public=public, private=private, anonymous=anonymous)
    if from_package is not None:
        if ref is not None or package is not None or absolute_paths or show_masked:
            raise UsageError(
                "--from-package sends a file as it is: it goes with --dry-run, -y, --json and the"
                " options about whom alone"
            )
        how = {"dry_run": dry_run, "yes": yes, "as_json": as_json}
        return send_package(from_package, config, flags, **how)
    reading = Reading(ref or "session:current", absolute_paths, config)
    if package is not None:
        return write_package(reading.wanted.work, package, as_json=as_json)
    if dry_run:
        return _show(reading, config, flags, show_masked=show_masked, as_json=as_json)
    return _publish(reading, config, flags, yes=yes, show_masked=show_masked, as_json=as_json)


class Reading:
    """The work that REF names, and further work of the same project where that is needed."""

    project: Project

    def __init__(self, ref: str, absolute_paths: bool, config: Config) -> None:
        self._ref = ref
        self._absolute_paths = absolute_paths
        self._redactor = redactor_of(config, output.warn)
        from roar_core.export.graph import uids_of
        from roar_core.registry.publishing.work import Wanted
        from roar_core.store.pruning import unregistered_makers

        with self._target() as (_, db, target):
            self.wanted = Wanted(target.name, uids_of(db, target), lambda: self.read(()))
            self.pruned = unregistered_makers(db, self.wanted.uids)

    @contextmanager
    def _target(self) -> Iterator[tuple[Store, sqlite3.Connection, Target]]:
        from roar_core.lineage.target import find_target
        from roar_core.store.writer import Store

        with open_project(Store) as (self.project, store), store.snapshot() as db:
            yield store, db, find_target(store, self._ref, self.project)

    def read(self, uids: Collection[str]) -> Work:
        """All that REF came from, and these jobs."""
        import json

        from roar_core import __version__
        from roar_core.export.graph import Options
        from roar_core.registry.publishing.work import work_of

        with collection_paused(), self._target() as (store, db, target):
            query = "SELECT id FROM job WHERE uid IN (SELECT value FROM json_each(?))"
            more = [row[0] for row in db.execute(query, (json.dumps(list(uids)),))]
            target = target._replace(jobs=(*target.jobs, *more))
            options = Options(self._absolute_paths, redactor=self._redactor)
            return work_of(db, store, target, options, __version__)


def _show(
    reading: Reading, config: Config, flags: Flags, *, show_masked: bool, as_json: bool
) -> int:
    """The preview, from what this machine knows: the registry is not asked anything."""
    from roar_core.cli.registry.register_view import preview_document, preview_lines
    from roar_core.registry.publishing.destination import planned_destination
    from roar_core.registry.publishing.registering import remembered_plan
    from roar_core.store.database import Database

    with reach(config, anonymous=flags.anonymous) as connection:
        destination = planned_destination(connection, config, flags)
    with Database.open(reading.project.roar_dir, read_only=True) as database:
        plan = remembered_plan(database, reading.wanted, destination)
    warnings = _warnings(plan, reading)
    if as_json:
        output.data(preview_document(plan, warnings, is_dry_run=True))
        return 0
    for line in preview_lines(plan, show_masked=show_masked):
        output.line(line)
    for warning in warnings:
        output.warn(warning)
    output.note("nothing was sent")
    return 0


def _publish(
    reading: Reading, config: Config, flags: Flags, *, yes: bool, show_masked: bool, as_json: bool
) -> int:
    done = publish(reading, config, flags, yes=yes, show_masked=show_masked)
    if done is None:
        output.note("nothing was sent")
        return 1
    if as_json:
        output.data(done.document)
        return 0
    done.tell()
    return 0


class Done(NamedTuple):
    """What came of publishing; `leaves` are places in the registry's log, by session hash."""

    plan: Plan
    warnings: Sequence[str]
    published: Sequence[Published]
    leaves: Mapping[str, int]

    def tell(self) -> None:
        """Print what is registered, and how others come to it."""
        from roar_core.cli.registry.register_view import next_step, summary_lines

        for line in summary_lines(self.plan, self.published, self.leaves):
            output.line(line)
        if self.published:
            output.tell(next_step(self.plan, self.published))

    @property
    def document(self) -> dict[str, Any]:
        """docs/json.md, "registration"."""
        from roar_core.cli.registry.register_view import preview_document

        return preview_document(
            self.plan,
            self.warnings,
            is_dry_run=False,
            published=self.published,
            leaves=self.leaves,
        )


def publish(
    reading: Reading, config: Config, flags: Flags, *, yes: bool, show_masked: bool = False
) -> Done | None:
    """Show what will be sent, ask if need be, and send it; None when the user says no.

    Raises RegistryError: what was sent until then counts, and the next time goes on there.
    """
    from roar_core.cli.registry.register_view import preview_lines
    from roar_core.progress import ProgressLine
    from roar_core.registry.publishing.destination import destination_of
    from roar_core.registry.publishing.registering import Registering
    from roar_core.store.writer import Store

    with ExitStack() as stack:
        connection = stack.enter_context(reach(config, anonymous=flags.anonymous))
        destination = destination_of(connection, config, flags)
        if destination.is_anonymous:
            connection = stack.enter_context(connection.as_nobody())
        store = stack.enter_context(Store.open(reading.project.roar_dir))
        progress = ProgressLine()

        def advance(done: int, total: int) -> None:
            progress.show(lambda _: f"roar: sending, {done:,} of {total:,} requests")

        registering = Registering.at(
            *(connection, store, reading.project.roar_dir, destination),
            *(reading.wanted, reading.read, advance),
        )
        plan = registering.plan()
        has_begun = registering.has_begun()
        warnings = _warnings(plan, reading)
        if not plan.is_done:
            for line in preview_lines(plan, show_masked=show_masked):
                output.note(line)
            for warning in warnings:
                output.warn(warning)
            jobs = wording.count(len(plan.new), "job")
            if not is_agreed(
                destination,
                os.fspath(reading.project.root),
                f"publish {jobs}" if plan.new else "make it public",
                yes=yes or has_begun,
                otherwise="sent; look at it with --dry-run, and agree with -y",
            ):
                return None
        with progress:
            published = registering.carry_out(plan)
        leaves = _proven(connection, store, destination, reading.wanted.uids, published)
    return Done(plan, warnings, published, leaves)


def _proven(
    connection: Connection,
    store: Store,
    destination: Destination,
    uids: Sequence[str],
    published: Sequence[Published],
) -> Mapping[str, int]:
    """The numbers of sessions in the registry's log, by hash; none where it has no log.

    Checks that the log goes on, and that it holds whatever of the jobs was not found in it before:
    what was stays so as long as the log only grows. Raises LogError when it does not.
    """
    from roar_core.cli.registry.registration_view import proof_sentence
    from roar_core.registry.log.keeping import prove_sessions
    from roar_core.store.logged import unproven

    with store.reading() as db:
        sessions = unproven(db, destination.registry, destination.owner, uids)
    try:
        told = {one.session_hash: one.leaf for one in published if one.leaf is not None}
        proof = prove_sessions(connection, store, os.environ, sessions, told)
    except LogError:
        raise
    except RegistryError as error:
        output.warn(f"it is registered; whether the registry's log holds it is not known: {error}")
        return {}
    output.note(proof_sentence(connection.url, proof))
    return {} if proof is None else proof.sessions


def _warnings(plan: Plan, reading: Reading) -> list[str]:
    """What others will miss: jobs that are gone, code without an address, commits that they cannot
    fetch."""
    from roar_core.registry.publishing.checkout import shareable, unfetchable

    told = [git for uid in reversed(plan.new) if (git := plan.work.jobs[uid].told["git"])["commit"]]
    addressed = [git["commit"] for git in told if shareable(git["remote"] or "")]
    warnings = []
    if homeless := len(told) - len(addressed):
        which = (
            "the code" if homeless == len(told) else f"the code of {wording.count(homeless, 'job')}"
        )
        warnings = [
            f"{which} had no address that others could use, so that they can look this up and not"
            " make it again; for that: git remote add origin URL, git push, and run it once more"
        ]
    missing = _unpushed(unfetchable(os.fspath(reading.project.root), addressed))
    return _gone(reading.pruned) + warnings + missing


def _gone(pruned: Mapping[str, int]) -> list[str]:
    """That inputs are told as nobody's although a job had made them, which was pruned."""
    if not pruned:
        return []
    names = wording.some([wording.short_uid(uid) for uid in pruned])
    those = "that job was" if len(pruned) == 1 else f"those {len(pruned):,} jobs were"
    inputs = wording.count(sum(pruned.values()), "input")
    verb = "comes" if sum(pruned.values()) == 1 else "come"
    return [
        f"{inputs} {verb} from nobody any more: {names} had made them, and {those} pruned here"
        " before any registry had them; run them, and what came after them, again to have that part"
        " of lineage"
    ]


def _unpushed(missing: Sequence[str]) -> list[str]:
    if not missing:
        return []
    names = ", ".join(commit[:8] for commit in missing[:5])
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    noun = "commit" if len(missing) == 1 else "commits"
    verb = "is" if len(missing) == 1 else "are"
    it = "it" if len(missing) == 1 else "them"
    return [
        f"{noun} {names}{more} {verb} on no remote branch; others can fetch {it} after: git push"
    ]
