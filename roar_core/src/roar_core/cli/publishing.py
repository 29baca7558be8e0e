"""Publishing a job that has just been recorded, agreed to before its work begins."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import attrs

from roar_core.cli.asking import agreed
from roar_core.errors import RefusedError

if TYPE_CHECKING:
    from roar_core.model.job import Job
    from roar_core.registry.publishing.destination import Flags


@attrs.frozen
class Publication:
    """For whom; `yes`: it was agreed to on the command line."""

    public: bool = False
    private: bool = False
    anonymous: bool = False
    yes: bool = False

    def is_agreed(self, files: int, where: str) -> bool:
        """Ask what `roar register` would ask after the upload, before it.

        Reaches the registry, so that one that refuses is known before anything is uploaded. Raises
        RegistryError, and RefusedError when there is nobody to ask.
        """
        from roar_core.cli.reaching import reach, registry_config
        from roar_core.registry.publishing.consent import Consent
        from roar_core.registry.publishing.destination import destination_of

        config = registry_config()
        with reach(config, anonymous=self.anonymous) as connection:
            destination = destination_of(connection, config, self._flags())
        consent = Consent.of(os.environ)
        if self.yes or consent.is_given(destination):
            return True
        if sys.stdin is None or not sys.stdin.isatty():
            raise RefusedError(
                f"publishing to {destination.registry}, for {destination.audience} to see, was not"
                " agreed to yet, and nothing was uploaded; agree with -y, or upload alone with"
                " --no-register; what would be published: roar register --dry-run REF"
            )
        question = (
            f"upload {files:,} {'file' if files == 1 else 'files'} to {where}, and publish all that"
            f" they came from at {destination.registry}, for {destination.audience} to see?"
        )
        if not agreed(question, yes=False):
            return False
        consent.keep(destination)
        return True

    def carry_out(self, job: Job, *, quiet: bool) -> dict[str, Any]:
        """Register the job and all that it came from; the part of the document about it.

        Raises RegistryError: what was sent until then counts, and the next time goes on there.
        """
        from roar_core.cli.reaching import registry_config
        from roar_core.cli.register import Reading, publish

        config = registry_config()
        reading = Reading(job.uid, absolute_paths=False, config=config)
        # Whoever was asked before the upload is not asked again after it.
        done = publish(reading, config, self._flags(), yes=True)
        assert done is not None
        if not quiet:
            done.tell()
        return done.document

    def _flags(self) -> Flags:
        from roar_core.registry.publishing.destination import Flags

        return Flags(public=self.public, private=self.private, anonymous=self.anonymous)
