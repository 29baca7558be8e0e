"""Which files of a checkout git tracks, modified or not: asked of git itself, when no run waits."""

from __future__ import annotations

import os

from roar_core.environment.checkout import Checkout, git_command
from roar_core.environment.git import STATUS_TIMEOUT_S
from roar_core.environment.output_of import output_of, program
from roar_core.errors import RoarError


def tracked_files(checkout: Checkout) -> frozenset[str]:
    """Absolute paths of all that a checkout tracks. Raises `RoarError` when git cannot tell."""
    git = program("git")
    why = "git is not installed"
    if git is not None:
        try:
            argv, extra = git_command(git, checkout)
            listing = output_of([*argv, "ls-files", "-z"], STATUS_TIMEOUT_S, extra)
        except (OSError, ValueError) as error:
            why = str(error)
        else:
            if listing.ok:
                names = filter(None, listing.out.split(b"\0"))
                return frozenset(f"{checkout.root}/{os.fsdecode(name)}" for name in names)
            why = listing.complaint.removeprefix("fatal: ")
    raise RoarError(f"whether git tracks it cannot be told: {why}")
