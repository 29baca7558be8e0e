"""One `roar run`, from the command line to the recorded job.

Order matters here. Everything that can refuse refuses before the command starts; the job is written
*running* before, so that a crash leaves a trace; and once the command runs, nothing of ours may
change how it ends: a failure to record is told, and the journal stays for the next roar command to
complete.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from roar_core.config.layers import Config, load
from roar_core.discovery import find_plugins
from roar_core.environment.git import GitProbe
from roar_core.errors import RoarError
from roar_core.hookspecs import Tracer
from roar_core.model.environment import GitState
from roar_core.model.job import Job
from roar_core.plugins import config_sections
from roar_core.plugins import load as plugins_of
from roar_core.project import Project, initialise, recordable_project, working_directory
from roar_core.run.begun import BegunJob
from roar_core.run.beside import Alone, Company
from roar_core.run.choose import choose_tracer
from roar_core.run.code import code_of
from roar_core.run.execution import Execution
from roar_core.run.follow import nobody_watches
from roar_core.run.interrupts import OneInterrupt
from roar_core.run.launching import make_journal, prepare_launch
from roar_core.run.leftovers import remove_unclaimed_journals, remove_unclaimed_runs
from roar_core.run.limits import require_descriptors
from roar_core.run.options import RunOptions
from roar_core.run.planned import Planned
from roar_core.run.processes import age_of_this_process_s
from roar_core.run.relay import Ended, SignalRelay
from roar_core.run.spawn import CannotStartError, find_program
from roar_core.store.owner import Owner
from roar_core.store.writer import Store
from roar_core.telemetry.suppression import for_commands

if TYPE_CHECKING:
    from roar_core.run.record import Recorded

Tell = Callable[[str], None]

T = TypeVar("T")

# Plugins of these groups take part in runs besides the tracer.
COMPANIONS = ("roar.backends", "roar.storage_proxies")


class RunResult(NamedTuple):
    """How the command ended, and what was recorded of it: None when that failed and was told.

    `added_s` is the time roar itself took, from its own start on, before and after the command.
    """

    ended: Ended
    recorded: Recorded | None
    added_s: float


def run_command(options: RunOptions, *, tell: Tell, warn: Tell) -> RunResult:
    """Run and record one command.

    Raises a `RoarError` or `CannotStartError` before anything was started; once the command runs it
    returns, whatever happens. `tell` and `warn` get sentences for the user.
    """
    began = time.perf_counter() - age_of_this_process_s()
    require_descriptors()
    cwd = working_directory()
    project = recordable_project(cwd)
    program = find_program(options.command[0], os.environ.get("PATH"))
    git = GitProbe.start(os.fspath(cwd))
    if initialise(project):
        tell(f"initialised {project.roar_dir}")
    config = configured(project, options, warn)
    _give_variables(config, tell)
    chosen = choose_tracer(config.get("run.tracer"), config.get("run.fallback"), warn)
    with Store.open(project.roar_dir, create=True) as store:
        code = code_of(git, project, config, store, warn)
        job = _new_job(options, project, chosen.tracer, cwd, code.git)
        companions = _companions(project, config, job, warn)
        try:
            environ = for_commands(os.environ)
            planned = companions.prepare(Planned(program, job.command, environ))
            # Whatever a backend made of it: no worker counts as a use of roar.
            planned = planned._replace(environ=for_commands(planned.environ))
            watch = companions.watch(chosen.tracer)
            place = project.journals / f"{job.uid}.jnl"
            journal = make_journal(place, job, chosen, config, tells_again=watch is not None)
        except BaseException:
            companions.abandon()
            raise
        with journal:
            try:
                launch = prepare_launch(chosen, planned, job, journal, config)
                job = store.begin(job, owner=Owner.current(), rerun_of_step=options.rerun_of)
                if options.tags:
                    from roar_core.store.tags import tag_job

                    tag_job(store, job.uid, options.tags)
            except BaseException:
                companions.abandon()
                journal.remove()
                raise
            begun = BegunJob(project, config, store, job, code)
            # Before any thread of ours exists: one that did not block SIGCHLD would swallow it.
            with SignalRelay() as relay:
                companions.begin(begun, store)
                execution = Execution(
                    *(begun, planned, chosen, journal, launch, warn),
                    watch=watch or nobody_watches,
                    is_server=companions.serves,
                )
                try:
                    started, ended, ended_at = execution.carry_out(relay)
                except CannotStartError:
                    companions.abandon()
                    raise
                interrupt = OneInterrupt()

            def record() -> Recorded:
                with interrupt.allowed():
                    beside = companions.finish(begun, store)
                    recorded = execution.record(ended, ended_at - started, beside)
                    companions.let_go()
                return recorded

            try:
                recorded = _unless_it_fails(record, warn)
            finally:
                execution.let_go()
        # From here on none may become how we end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _unless_it_fails(lambda: _recover_others(project, store, warn), warn)
    added_s = (started - began) + (time.perf_counter() - ended_at)
    return RunResult(ended, recorded, added_s)


def _give_variables(config: Config, tell: Tell) -> None:
    """From here on it is as if they had stood before `roar run` in the shell."""
    variables = config.get("environment.set")
    if variables:
        from roar_core.environment.variables import HIDDEN, give, is_secret

        for name, mine in give(variables, os.environ).items():
            value = HIDDEN if is_secret(name, mine) else mine
            tell(f"{name}={value} of your shell is used, not what roar env has for it")


def configured(project: Project, options: RunOptions, warn: Tell) -> Config:
    """The configuration of this run: the project's, overridden by the options that were given."""
    flags: dict[str, object] = {
        "run.backend": options.backend,
        "run.tracer": options.tracer,
        "run.fallback": options.fallback,
        "git.dirty": options.dirty,
    }
    if options.algorithms:
        flags["hash.algorithms"] = list(options.algorithms)
    groups = ["roar.tracers", *COMPANIONS]
    sections, failures = config_sections([plugins_of(group) for group in groups])
    for failure in failures:
        warn(str(failure))
    config = load(project.root, project.roar_dir, os.environ, flags, sections)
    for mistake in config.mistakes:
        warn(mistake)
    return config


def _new_job(
    options: RunOptions, project: Project, tracer: Tracer, cwd: Path, git: GitState
) -> Job:
    return Job(
        uid=os.urandom(16).hex(),
        kind=options.kind,
        command=options.command,
        cwd=os.fspath(cwd),
        project=os.fspath(project.root),
        state="running",
        started_at_ns=time.time_ns(),
        name=options.name,
        tracer=tracer.name,
        git=git,
    )


def _companions(project: Project, config: Config, job: Job, warn: Tell) -> Company:
    if not find_plugins(COMPANIONS) and config.get("run.backend") in ("auto", "none"):
        return Alone()
    from roar_core.run.companions import companions_of

    return companions_of(project, config, job, warn)


def _recover_others(project: Project, store: Store, warn: Tell) -> None:
    """Complete what killed roars left behind in this project."""
    if store.orphans():
        from roar_core.run.recovery import recover_interrupted

        recover_interrupted(project, store, warn)
    remove_unclaimed_journals(project, store)
    remove_unclaimed_runs(project, store)


def _unless_it_fails(record: Callable[[], T], warn: Tell) -> T | None:
    """Record; None when that failed, which the user is told: the command has ended as it did."""
    try:
        return record()
    except KeyboardInterrupt:
        warn("interrupted while recording; the next roar command here completes the job")
    except Exception as error:
        import logging

        logging.getLogger(__name__).debug("recording failed", exc_info=True)
        is_ours = isinstance(error, RoarError)
        what = str(error) if is_ours else f"{type(error).__name__}: {error}"
        warn(
            f"the command ended, but its job could not be recorded: {what};"
            " what was traced is kept where .roar still is, and the next roar command tries again"
        )
    return None
