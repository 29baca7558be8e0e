"""What a proxy is told before it runs, and what is said of it, in the files of its folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from roar_proxy_s3.runs.resolving import Resolved, reason_against

SETTINGS, ANSWER, HOOK = "settings.json", "answer.json", "hook.json"
# The descriptor on which the proxy finds itself listening, and the program that it is.
LISTENING = 3
PROXY = "roar_proxy_s3.proxy"
_ENDPOINT = "AWS_ENDPOINT_URL_S3"


@attrs.frozen
class Answer:
    """Whether the proxy `listens`, and can be given to clients as their endpoint.

    `reason` is what is missing.
    """

    listens: bool = False
    injects: bool = False
    reason: str = ""


def prepare(folder: Path, found: Resolved, environ: Mapping[str, str]) -> None:
    """Write what the proxy and its clients are to know of a command with these variables."""
    secret = secrets.token_urlsafe(32)
    write_document(folder / SETTINGS, _settings(folder, found, secret))
    theirs = environ.get(_ENDPOINT)
    hook = {"secret": secret, "ca_bundle": found.ca_bundle, "theirs": theirs}
    write_document(folder / HOOK, hook)
    injects = bool(found.credentials)
    write_answer(folder, Answer(listens=True, injects=injects, reason=reason_against(found)))


def proxy_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the proxy's own process: no keys are among them."""
    return {name: text for name, text in environ.items() if not name.startswith("AWS_")}


def write_answer(folder: Path, said: Answer) -> None:
    """Say what is to be said of a proxy."""
    write_document(folder / ANSWER, attrs.asdict(said))


def write_document(file: Path, told: Mapping[str, Any]) -> None:
    """Write a document that only this user may read: it is there whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as target:
        json.dump(told, target)
    new.replace(file)


def document(file: Path) -> dict[str, Any]:
    """A document, empty when there is none."""
    try:
        told: dict[str, Any] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    return told


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
        "listening": LISTENING,
    }
