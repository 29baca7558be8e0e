"""A job between its first row and its last: what is known of it while its command runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import attrs

from roar_core.config.layers import Config
from roar_core.hashing.cache import StatCache, key_of
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.code import Code

if TYPE_CHECKING:
    from roar_core.model.composite import KnownDataset
    from roar_core.store.composites import Datasets


class JobStore(StatCache, Protocol):
    """Where a job goes when it has ended, and what is known before: mostly the database."""

    def dataset_of_version(self, version: bytes) -> KnownDataset | None:
        """The dataset that files of these fingerprints are."""

    def complete(self, job: Job, datasets: Datasets = ...) -> Job:
        """Keep a job that has ended, and what its datasets are; return it as it is kept."""


class BegunJob(NamedTuple):
    """One begun job in one project, and what it takes to complete it."""

    project: Project
    config: Config
    store: JobStore
    job: Job
    code: Code

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The digests every artifact of this run gets, blake3 first."""
        return ("blake3", *self.config.get("hash.algorithms"))

    def known_digests(self, version: Fingerprint) -> dict[str, str] | None:
        """What the stat cache remembers of exactly this version; None unless it knows all."""
        key = key_of(version)
        known: dict[str, str] = {}
        for name in self.algorithms:
            digest = self.store.digests_for([version], name).get(key)
            if digest is None:
                return None
            known[name] = digest
        return known

    def complete_unstarted(self, exit_code: int) -> Job:
        """Complete a job whose command could not be executed after all."""
        return self.store.complete(attrs.evolve(self.job, state="failed", exit_code=exit_code))
