"""`python -m roar_proxy_s3.runs.launch SETTINGS`: ask botocore, then be the proxy.

A process of its own, in the command's environment: what botocore loads for that costs roar nothing
and is not kept, since the proxy takes this process's place. SETTINGS is the file that it is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from roar_proxy_s3.runs.preparing import PROXY, Answer, prepare, proxy_environ, write_answer
from roar_proxy_s3.runs.resolving import resolved


def launch(settings: Path) -> None:
    """Write what the proxy is to know and execute it; or say why there is none."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    folder = settings.parent
    try:
        found = resolved()
    except BotoCoreError as error:
        write_answer(folder, Answer(reason=f"{type(error).__name__}: {error}"))
        return
    prepare(folder, found, os.environ)
    argv = (sys.executable, "-P", "-m", PROXY, os.fspath(settings))
    os.execve(sys.executable, argv, proxy_environ(os.environ))  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
