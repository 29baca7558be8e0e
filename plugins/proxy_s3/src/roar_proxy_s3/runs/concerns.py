"""Whether a command could use an object store, told without a look at anything but a few names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Where the user's own tools are told of AWS, when no variable says so.
_FILES = (".aws/config", ".aws/credentials")
_LOOPBACK = "127.0.0.1"


def may_use_s3(environ: Mapping[str, str]) -> bool:
    """Whether the variables, or files that they lead to, say anything of AWS."""
    if any(name.startswith("AWS_") for name in environ):
        return True
    home = environ.get("HOME")
    return bool(home) and any((Path(home or "/") / name).exists() for name in _FILES)


def proxy_in_the_way(environ: Mapping[str, str]) -> str | None:
    """The variable that would send what is meant for loopback elsewhere."""
    own = {name.lower(): value for name, value in environ.items()}
    if not own.get("http_proxy"):
        return None
    # Slow to import, and seldom needed.
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    if proxy_bypass_environment(_LOOPBACK, {"no": own.get("no_proxy", "")}):
        return None
    return "HTTP_PROXY"
