"""All who take part in a run besides its tracer: storage proxies and execution backends.

Most runs have none; then nothing of this is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roar_core.config.layers import Config, load
from roar_core.contracts import Offer
from roar_core.hookspecs import RunContext, Tracer
from roar_core.model.coverage import CoverageReason
from roar_core.model.job import Job
from roar_core.plugins import config_sections, offered
from roar_core.plugins import load as load_plugins
from roar_core.project import Project
from roar_core.run.backends import Backends
from roar_core.run.begun import BegunJob
from roar_core.run.beside import Beside
from roar_core.run.follow import Watch
from roar_core.run.live import LiveCollection
from roar_core.run.objects import object_edges
from roar_core.run.partners import Partner, Shortfall, folder_of, pending
from roar_core.run.planned import Planned
from roar_core.run.proxies import Proxies
from roar_core.run.relay import WAITED
from roar_core.store.writer import Store

if TYPE_CHECKING:
    from roar_core.run.tasks import TaskMerger

_GROUPS = {"backend": "roar.backends", "proxy": "roar.storage_proxies"}


class Companions:
    """The proxies and backends of one run, from before its start until it is recorded."""

    def __init__(
        self, proxies: Proxies, backends: Backends, shortfall: Shortfall, wanted: str = "auto"
    ) -> None:
        self._proxies = proxies
        self._backends = backends
        self._shortfall = shortfall
        self._wanted = wanted
        self._live: LiveCollection | None = None
        self._done: list[Partner] = []

    def prepare(self, command: Planned) -> Planned:
        """Let backends plan and adopt, then start the proxies."""
        return self._proxies.start(self._backends.prepare(self._wanted, command))

    def abandon(self) -> None:
        """Stop all: nothing can have come of the run."""
        if self._live is not None:
            self._live.stop()
        self._proxies.finish()
        self._proxies.forget()
        for partner in self._backends.partners:
            self._backends.finalise(partner)

    def watch(self, tracer: Tracer) -> Watch | None:
        """Who wants the records of the run as they come; None: nobody does."""
        subtrees = self._backends.subtrees
        if subtrees is None or tracer.abilities.tells_again:
            return None if subtrees is None else subtrees.watch
        # Nobody could say which of the run's processes used a file.
        words = f"{tracer.name} tells of a file once a run: {subtrees.name}'s are not told apart"
        self._shortfall.reasons.append(CoverageReason("tasks", 1, words))
        return None

    def serves(self, pid: int, words: Sequence[str]) -> bool:
        """Whether a process that outlives the command is a platform's own server."""
        return self._backends.serves(pid, words)

    def begin(self, begun: BegunJob, store: Store) -> None:
        """Collect while the command runs, from the backends that want it so."""
        eager = [p for p in self._backends.partners if p.offer.value.collect_every_s > 0]
        if eager:
            self._live = LiveCollection(eager, lambda: self._merger(begun, store), self._shortfall)

    def finish(self, begun: BegunJob, store: Store) -> Beside:
        """Bring in objects and tasks when the command has ended; the job is still to be completed.

        Nothing here can be lost: until `let_go`, all of it may be done again.
        """
        if self._live is not None:
            self._live.stop()
        objects, missing = self._proxies.finish()
        inputs, outputs = object_edges(objects)
        missing += self.collect(begun, store)

        def reasons() -> tuple[CoverageReason, ...]:
            return (*self._shortfall.reasons, *missing)

        return Beside(
            inputs,
            outputs,
            self._backends.claims,
            reasons,
            self._backends.subtrees,
            lambda backend, tasks: self._merger(begun, store).merge(backend, tasks),
        )

    def collect(self, begun: BegunJob, store: Store) -> list[CoverageReason]:
        """Merge what tasks have reported; return what is known to be missing of them."""
        reasons: list[CoverageReason] = []
        if not self._backends.partners:
            return reasons
        merger = self._merger(begun, store)
        for partner in self._backends.partners:
            missing, is_final = self._backends.collect(partner, merger)
            reasons += missing
            if is_final:
                self._done.append(partner)
        return reasons

    def _merger(self, begun: BegunJob, store: Store) -> TaskMerger:
        # The command waits for none of what merging needs.
        from roar_core.run.tasks import TaskMerger

        return TaskMerger(begun, store, self._backends.claims)

    def collect_late(self, begun: BegunJob, store: Store) -> list[CoverageReason]:
        """Merge what came after the job was completed; return what is missing still."""
        self._proxies.finish()
        missing = self.collect(begun, store)
        return [*self._shortfall.reasons, *missing]

    def let_go(self) -> None:
        """Have the backends from which nothing more will come finalise; the job is completed."""
        self._proxies.forget()
        for partner in self._done:
            self._backends.finalise(partner)
        self._done.clear()


def companions_of(
    project: Project, config: Config, job: Job, warn: Callable[[str], None]
) -> Companions:
    """The companions of a run that is about to start, as far as the configuration lets them."""
    shortfall = Shortfall(warn)
    wanted = config.get("run.backend")
    kinds = {"backend": wanted != "none", "proxy": config.get("run.proxies")}
    partners = {
        kind: _partners(kind, _offers(kind, project, config, shortfall), project, config, job)
        if is_wanted
        else []
        for kind, is_wanted in kinds.items()
    }
    return Companions(
        Proxies(partners["proxy"], shortfall),
        Backends(partners["backend"], shortfall),
        shortfall,
        "auto" if wanted == "none" else wanted,
    )


def companions_left(project: Project, job: Job, warn: Callable[[str], None]) -> Companions:
    """Those that have not let go of a run, for the roar that carries on where another one was.

    Raises ConfigError when the configuration cannot be read any more.
    """
    shortfall = Shortfall(warn)
    sections, failures = config_sections([load_plugins(group) for group in _GROUPS.values()])
    for failure in failures:
        warn(str(failure))
    config = load(project.root, project.roar_dir, os.environ, sections=sections)
    partners: dict[str, list[Partner]] = {}
    for kind in _GROUPS:
        names = pending(project, job.uid, kind)
        found = _offers(kind, project, config, shortfall) if names else []
        kept = [offer for offer in found if offer.value.name in names]
        partners[kind] = _partners(kind, kept, project, config, job)
        for name in sorted(names - {offer.value.name for offer in kept}):
            words = f"{kind} {name} is not installed, and what it holds of this run not collected"
            shortfall.reasons.append(CoverageReason(kind, 1, words))
    backends = Backends(partners["backend"], shortfall)
    backends.resume()
    return Companions(Proxies(partners["proxy"], shortfall), backends, shortfall)


def _offers(kind: str, project: Project, config: Config, shortfall: Shortfall) -> list[Offer]:
    found = offered(_GROUPS[kind], project.root, config.section)
    for failure in found.failures:
        shortfall.note(kind, failure)
    return list(found.offers)


def _partners(
    kind: str, offers: Iterable[Offer], project: Project, config: Config, job: Job
) -> list[Partner]:
    found = []
    for offer in offers:
        folder = folder_of(project, job.uid, kind, offer.value.name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        run = RunContext(job.uid, job.command, Path(job.cwd), project.root, folder)
        # What a plugin starts must not take signals that are the command's.
        found.append(Partner(kind, offer, run, config.get("run.patience"), WAITED))
    return found
