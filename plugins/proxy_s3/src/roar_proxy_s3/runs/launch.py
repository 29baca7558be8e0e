"""`python -m roar_proxy_s3.runs.launch FOLDER`: find the user's settings, then become the proxy.

A process of its own, in the command's environment: what botocore loads for that costs roar nothing
and is not kept, since the proxy takes this process's place.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import attrs

from roar_proxy_s3.runs.listener import HOOK, SETTINGS, Answer, write_answer, write_private
from roar_proxy_s3.runs.resolving import Resolved, reason_against, resolved

ENDPOINT = "AWS_ENDPOINT_URL_S3"


def launch(folder: Path) -> None:
    """Write what the proxy is to know and execute it; or say why there is none."""
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

    try:
        found = resolved()
    except BotoCoreError as error:
        write_answer(folder, Answer(reason=f"{type(error).__name__}: {error}"))
        return
    secret = secrets.token_urlsafe(32)
    settings = folder / SETTINGS
    write_private(settings, _settings(folder, found, secret))
    theirs = os.environ.get(ENDPOINT)
    hook = {"secret": secret, "ca_bundle": found.ca_bundle, "theirs": theirs}
    write_private(folder / HOOK, hook)
    write_answer(folder, Answer(bool(found.credentials), reason_against(found)))
    # Wherever the command works, the proxy is not in the way of unmounting it.
    os.chdir("/")
    argv = (sys.executable, "-P", "-m", "roar_proxy_s3.proxy", os.fspath(settings))
    environ = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    os.execve(sys.executable, argv, environ)  # noqa: S606 - no shell is wanted


def _settings(folder: Path, found: Resolved, secret: str) -> dict[str, Any]:
    credentials = [
        {"key": key, "secret": secret, "token": token} for key, secret, token in found.credentials
    ]
    told = attrs.asdict(found)
    del told["method"]
    return {
        **told,
        "folder": os.fspath(folder),
        "credentials": credentials,
        "secret": secret,
    }


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
