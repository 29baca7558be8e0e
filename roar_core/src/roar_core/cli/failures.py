"""The one place where what went wrong becomes a sentence and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from roar_core.cli import output
from roar_core.errors import RoarError


def explained(call: Callable[[], int], *, is_run: bool) -> int:
    """What `call` returns; an exception becomes one sentence, and 125 where a run was asked for."""
    try:
        status = call()
        output.finish()
        return status
    except RoarError as error:
        return explain(str(error), error.exit_code, is_run=is_run)
    except KeyboardInterrupt:
        output.error("interrupted")
        return 130
    except BrokenPipeError:
        # The reader of our output (`roar log | head`) has gone; leave no second complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a defect of ours: one sentence for the user, all of it for us
        if os.environ.get("ROAR_DEBUG"):
            raise
        defect = f"this is a defect of roar: {type(error).__name__}: {error}"
        return explain(f"{defect}; please report what ROAR_DEBUG=1 shows", 1, is_run=is_run)


def explain(message: str, exit_code: int, *, is_run: bool) -> int:
    """Print why, and return the status: of a run, 125 says that the command was not started."""
    output.error(message)
    return 125 if is_run else exit_code
