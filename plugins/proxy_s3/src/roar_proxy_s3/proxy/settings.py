"""What the proxy is told when it starts: one JSON object, in a file that is deleted once read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs


@attrs.frozen
class Credential:
    """A key that the command may sign with, and with which the proxy signs in its place."""

    key: str
    secret: str = attrs.field(repr=False)
    token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Settings:
    """One run's proxy.

    `endpoint` is the store's URL; `{region}` in it stands for the region of the bucket, which is
    then asked for (`https://s3.{region}.amazonaws.com`). `region` is what is signed for when a
    request does not tell. `addressing` is how buckets are told to the store: in the path, or before
    the host's name where a name permits that. `secret` admits what is passed through. `ca_bundle`
    is a file of certificates, None for the system's. `grace_s` bounds the wait after SIGTERM.
    `listening` is a descriptor that listens already, None to listen on a port of its own.
    """

    folder: Path
    endpoint: str
    region: str
    credentials: Mapping[str, Credential]
    secret: str = attrs.field(repr=False)
    addressing: Literal["path", "virtual"] = "path"
    ca_bundle: str | None = None
    grace_s: float = 600.0
    listening: int | None = None


def take(file: Path) -> Settings:
    """The settings in the file, which is then gone."""
    try:
        told: dict[str, Any] = json.loads(file.read_bytes())
    finally:
        file.unlink(missing_ok=True)
    credentials = [Credential(**each) for each in told.pop("credentials")]
    return Settings(
        folder=Path(told.pop("folder")),
        credentials={each.key: each for each in credentials},
        **told,
    )
