"""Observe a command where a task runs, and carry what it did to the run that it belongs to.

For execution backends whose workers can import roar-core. `observe` runs a command as `roar run`
does, with the same tracers and rules, but keeps nothing: what was seen is delivered as a
`TaskFragment`. When the observer itself was killed, `recover` makes a fragment of the journal that
it left. `to_json` and `from_json` take fragments through files, sockets and logs. Where workers
share a folder with roar, `roar_core.reports` does all of it.

    attempt = Attempt("t1", ("python", "task.py"), project="/home/ada/project")
    observe(attempt, Path("t1.jnl"), lambda fragment: Path("t1").write_bytes(to_json(fragment)))
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import attrs

from roar_core.config.layers import load
from roar_core.fragment_format import from_json as from_json
from roar_core.fragment_format import to_json as to_json
from roar_core.hashing.cache import FingerprintKey
from roar_core.journal import Kind
from roar_core.journal_file import is_held, remove
from roar_core.model.composite import KnownDataset
from roar_core.model.environment import GitState
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.fragment import TaskFile, TaskFragment
from roar_core.model.job import Edge, Job
from roar_core.project import Project, working_directory
from roar_core.run.begun import BegunJob
from roar_core.run.beside import Beside
from roar_core.run.choose import choose_tracer
from roar_core.run.code import Code
from roar_core.run.execution import Execution
from roar_core.run.extensions import Extensions
from roar_core.run.launching import make_journal, prepare_launch
from roar_core.run.planned import Planned
from roar_core.run.record import record_job
from roar_core.run.recovery import contents_of, ended_as_told_by, finished_by, still_runs
from roar_core.run.relay import Ended, SignalRelay
from roar_core.run.spawn import CannotStartError, find_program
from roar_core.standing_in import forget_own_locale
from roar_core.store.composites import Datasets
from roar_core.telemetry.suppression import for_commands

Deliver = Callable[[TaskFragment], None]
Tell = Callable[[str], None]


def _nobody(_: str) -> None:
    """Who is told when nobody wants to know."""


@attrs.frozen
class Attempt:
    """An attempt at a task, before anything is known of how it went.

    `task` is the platform's name for it, `name` what it is an instance of (the program's name when
    empty). `project` is the root of the driver's project, whose settings hold where they can be
    read. `where` names the host or node, this one when empty.
    """

    task: str
    command: tuple[str, ...]
    project: str
    name: str = ""
    number: int = 1
    where: str = ""


def observe(
    attempt: Attempt, journal: Path, deliver: Deliver, *, tracer: str = "auto", warn: Tell = _nobody
) -> TaskFragment:
    """Run an attempt's command and observe it; return what it did, as it was delivered.

    Call it in the main thread of a process of its own: the command gets this process's working
    directory, environment, descriptors and signals. `journal` is where to report to; it is deleted
    once `deliver` has returned, which must put the fragment where no crash can take it. A command
    that cannot be executed has failed with exit code 126 or 127. Raises RefusedError before
    anything was started when there is no way to observe it: then run it without.
    """
    with observing(attempt, journal, deliver, tracer=tracer, warn=warn) as observed:
        return observed.record()


class _Observed(NamedTuple):
    """An attempt whose command has ended, so that nothing of ours may change how."""

    ended: Ended
    record: Callable[[], TaskFragment]


@contextmanager
def observing(
    attempt: Attempt, journal: Path, deliver: Deliver, *, tracer: str, warn: Tell
) -> Iterator[_Observed]:
    """`observe` for who must know how the command ended whatever becomes of its record."""
    forget_own_locale()
    project = Project(Path(attempt.project))
    config = load(project.root, project.roar_dir, os.environ, {**_SETTINGS, "run.tracer": tracer})
    chosen = choose_tracer(config.get("run.tracer"), config.get("run.fallback"), warn)
    job = attrs.evolve(_job(attempt, os.fspath(working_directory())), tracer=chosen.tracer.name)
    kept = _Kept(attempt, deliver)
    begun = BegunJob(project, config, kept, job, _NO_CODE)
    try:
        program = find_program(attempt.command[0], os.environ.get("PATH"))
    except CannotStartError as error:
        warn(str(error))
        begun.complete_unstarted(error.exit_code)
        yield _Observed(Ended(error.exit_code << 8), lambda: kept.fragment)
        return
    planned = Planned(program, attempt.command, for_commands(os.environ))
    with make_journal(journal, job, chosen, config) as opened:
        launch = prepare_launch(chosen, planned, job, opened, config)
        with SignalRelay() as relay:
            execution = Execution(begun, planned, chosen, opened, launch, warn)
            try:
                started, ended, ended_at = execution.carry_out(relay)
            except CannotStartError as error:
                warn(str(error))
                yield _Observed(Ended(error.exit_code << 8), lambda: kept.fragment)
                return

            def record() -> TaskFragment:
                execution.record(ended, ended_at - started, Beside())
                return kept.fragment

            # Still inside: whoever waits for the task is told how its command ended, also when a
            # signal comes meanwhile.
            yield _Observed(ended, record)


def is_running(journal: Path) -> bool:
    """Whether a command whose observer was killed is still alive, on this machine.

    Also as long as a tracer's service has not told all of it.
    """
    if is_held(os.fspath(journal)):
        return True
    contents = contents_of(os.fspath(journal))
    return contents is not None and still_runs(contents)


def recover(attempt: Attempt, journal: Path, deliver: Deliver, *, cwd: Path) -> TaskFragment:
    """Deliver what a journal tells of an attempt whose observer was killed; it is then deleted.

    Its state is `interrupted` unless the observer lived to see its end. Call it when the command
    is gone. A journal that is gone too makes a fragment that says so.
    """
    project = Project(Path(attempt.project))
    config = load(project.root, project.roar_dir, os.environ, _SETTINGS)
    contents = contents_of(os.fspath(journal))
    records = contents.records if contents else ()
    # The observer's own first word is that it has started the command.
    observer = next((record.pid for record in records if record.kind == Kind.FORK), 0)
    job = _job(attempt, os.fspath(cwd))
    if contents is not None:
        job = attrs.evolve(job, started_at_ns=contents.header.created_realtime_ns)
    kept = _Kept(attempt, deliver)
    begun = BegunJob(project, config, kept, job, _NO_CODE)
    finished = finished_by(contents, ended_as_told_by(records, observer))
    record_job(begun, finished, Extensions.prepare(project, config, environ={}))
    remove(os.fspath(journal))
    return kept.fragment


# A part of a dataset is no dataset: what a task touched goes out file by file.
_SETTINGS = {"composites.detect": False}
_NO_DATASETS = Datasets()
# Which sources a commit stands for is the driver's to say: it knows its checkout.
_NO_CODE = Code(GitState(), lambda paths: frozenset())


class _Kept:
    """Where an observed job goes: to the one who collects it. It remembers no digests."""

    fragment: TaskFragment

    def __init__(self, attempt: Attempt, deliver: Deliver) -> None:
        self._attempt = attempt
        self._deliver = deliver

    def complete(self, job: Job, datasets: Datasets = _NO_DATASETS) -> Job:
        self.fragment = _fragment(self._attempt, job)
        self._deliver(self.fragment)
        return job

    def digests_for(
        self, fingerprints: Iterable[Fingerprint], algorithm: str
    ) -> dict[FingerprintKey, str]:
        return {}

    def dataset_of_version(self, version: bytes) -> KnownDataset | None:
        return None

    def remember(self, rows: Iterable[tuple[Fingerprint, str, str, int]]) -> None:
        """A process of one task has nobody to remember it for."""


def _job(attempt: Attempt, cwd: str) -> Job:
    return Job(
        uid=os.urandom(16).hex(),
        kind="task",
        command=attempt.command,
        cwd=cwd,
        project=attempt.project,
        state="running",
        started_at_ns=time.time_ns(),
        name=attempt.name or os.path.basename(attempt.command[0]),  # noqa: PTH119 - any bytes
    )


def _fragment(attempt: Attempt, job: Job) -> TaskFragment:
    return TaskFragment(
        task=attempt.task,
        name=job.name or "",
        state=job.state if job.state == "succeeded" or job.state == "failed" else "interrupted",
        started_at_ns=job.started_at_ns,
        attempt=attempt.number,
        command=job.command,
        cwd=job.cwd,
        where=attempt.where or platform.node(),
        duration_s=job.duration_s,
        exit_code=job.exit_code,
        signal=job.signal,
        tracer=job.tracer,
        read=tuple(_file(edge) for edge in job.inputs),
        written=tuple(_file(edge) for edge in job.outputs),
        coverage=job.coverage.reasons,
        packages=job.packages,
        environment=job.environment,
    )


def _file(edge: Edge) -> TaskFile:
    return TaskFile(edge.path, edge.size, edge.digests, is_changed=edge.hash_state != "exact")
