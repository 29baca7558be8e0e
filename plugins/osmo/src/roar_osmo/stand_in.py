"""`python -I stand_in.py FOLDER -- osmo workflow submit …`: stands in the command's place.

It finds roar where the roar that planned the run found it, whatever variables of Python's the
command gets; where it cannot, it becomes the command.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Submit with roar's help, or become the command."""
    folder, command = arguments[0], arguments[2:]
    try:
        sys.path[:] = json.loads(Path(folder, "plan.json").read_bytes())["path"]
        from roar_core.standing_in import forget_own_locale, occupy_standard_descriptors
        from roar_osmo.submit import submit
    except (ImportError, OSError, ValueError, KeyError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - the user's own, as it was typed
    occupy_standard_descriptors()
    forget_own_locale()
    return submit(Path(folder), tuple(command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
