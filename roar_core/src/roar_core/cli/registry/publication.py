"""Publishing a job that has just been recorded, agreed to before its work begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from roar_core.cli import wording
from roar_core.cli.registry.agreeing import is_agreed

if TYPE_CHECKING:
    from roar_core.model.job import Job
    from roar_core.registry.publishing.destination import Flags


@attrs.frozen
class Publication:
    """For whom; `yes`: it was agreed to on the command line."""

    flags: Flags
    yes: bool = False

    def is_agreed(self, project: str, files: int, where: str) -> bool:
        """Ask what `roar register` would ask after the upload, before it.

        Reaches the registry, so that one that refuses is known before anything is uploaded. Raises
        RegistryError, and RefusedError when there is nobody to ask.
        """
        from roar_core.cli.registry.reaching import reach, registry_config
        from roar_core.registry.publishing.destination import destination_of

        config = registry_config()
        with reach(config, anonymous=self.flags.anonymous) as connection:
            destination = destination_of(connection, config, self.flags)
        what = f"upload {wording.count(files, 'file')} to {where}"
        return is_agreed(
            destination,
            project,
            f"{what}, and publish all that they came from",
            yes=self.yes,
            otherwise="uploaded; agree with -y, or upload alone with --no-register;"
            " what would be published: roar register --dry-run REF",
        )

    def carry_out(self, job: Job, *, quiet: bool) -> dict[str, Any]:
        """Register the job and all that it came from; the part of the document about it.

        Raises RegistryError: what was sent until then counts, and the next time goes on there.
        """
        from roar_core.cli.registry.reaching import registry_config
        from roar_core.cli.registry.register import Reading, publish

        config = registry_config()
        reading = Reading(job.uid, absolute_paths=False, config=config)
        # Whoever was asked before the upload is not asked again after it.
        done = publish(reading, config, self.flags, yes=True)
        assert done is not None
        if not quiet:
            done.tell()
        return done.document
