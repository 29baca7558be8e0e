"""Whether the user agrees to publish somewhere: said before, said on the command line, or asked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from roar_core.cli.asking import agreed
from roar_core.errors import RefusedError

if TYPE_CHECKING:
    from roar_core.registry.publishing.destination import Destination


def is_agreed(
    destination: Destination, project: str, what: str, *, yes: bool, otherwise: str
) -> bool:
    """Whether `what`, words like "publish 3 jobs", may be done there with work of `project`.

    What somebody answers is remembered. `yes`: nobody need be asked. Raises RefusedError when there
    is nobody to ask: `otherwise` is then what was not done, and the remedy.
    """
    from roar_core.registry.publishing.consent import Consent

    consent = Consent.of(os.environ, project)
    if yes or consent.is_given(destination):
        return True
    where = f"{destination.registry}, for {destination.audience} to see"
    if sys.stdin is None or not sys.stdin.isatty():
        raise RefusedError(
            f"publishing to {where}, was not agreed to yet, and nothing was {otherwise}"
        )
    if not agreed(f"{what} at {where}?", yes=False):
        return False
    consent.keep(destination)
    return True
