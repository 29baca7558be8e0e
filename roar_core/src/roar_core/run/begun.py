"""A job between its first row and its last: what is known of it while its command runs."""

from __future__ import annotations

from typing import NamedTuple

import attrs

from roar_core.config.layers import Config
from roar_core.hashing.cache import key_of
from roar_core.model.fingerprint import Fingerprint
from roar_core.model.job import Job
from roar_core.project import Project
from roar_core.run.code import Code
from roar_core.store.writer import Store


class BegunJob(NamedTuple):
    """One begun job in one project, and what it takes to complete it."""

    project: Project
    config: Config
    store: Store
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
