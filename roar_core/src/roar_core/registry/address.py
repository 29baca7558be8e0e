"""Which registry is meant, whether it is safe to talk to, and who named it.

A registry that a project's file names is one that a stranger may have chosen. It is asked, and
published to once somebody has signed in there; but neither an SSH key nor ROAR_TOKEN is used for
it: what is signed does not name the host, so that one registry could use it at another.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from roar_core.config.files import user_file
from roar_core.config.layers import Config
from roar_core.errors import ConfigError
from roar_core.telemetry.endpoint import LOOPBACK, endpoint_problem

COMMITTED = ("roar.toml", "pyproject.toml [tool.roar]")
"""What the layers call files that a checkout brings with it."""

_API = "/api/v1"
_DEFAULT_PORTS = {"https": 443, "http": 80}


@attrs.frozen
class Address:
    """A registry: `url` is `https://host`, without the path of its API."""

    url: str
    is_loopback: bool
    is_users_choice: bool


def address_of(config: Config, environ: Mapping[str, str], url: str | None = None) -> Address:
    """The registry that `url`, an option, or else the settings name. Raises ConfigError."""
    if url is not None:
        return _checked(url, "--url", is_users_choice=True)
    setting = config.setting("registry.url")
    is_own = is_users_own(config, environ, "registry.url")
    return _checked(setting.value, f"{setting.origin}: registry.url", is_users_choice=is_own)


def is_users_own(config: Config, environ: Mapping[str, str], name: str) -> bool:
    """Whether the user decided a setting, or nobody did; not a file that a checkout brings."""
    origin = config.origin(name)
    return origin in ("built-in", "flag", str(user_file(environ))) or origin.startswith(
        "environment "
    )


def normalised(url: str) -> str | None:
    """One spelling for one registry, by which its credentials are kept; None: not one at all."""
    from urllib.parse import urlsplit

    if endpoint_problem(url) is not None:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if parts.port is not None and parts.port != _DEFAULT_PORTS[parts.scheme]:
        host += f":{parts.port}"
    path = parts.path.rstrip("/").removesuffix(_API).rstrip("/")
    return None if path or parts.query else f"{parts.scheme}://{host}"


def _checked(url: str, label: str, *, is_users_choice: bool) -> Address:
    from urllib.parse import urlsplit

    stated = url.strip()
    if not stated:
        raise ConfigError(f"{label} names no registry; set one: roar config set registry.url URL")
    if problem := endpoint_problem(stated):
        raise ConfigError(f"{label}: {stated!r} is no safe address of a registry: {problem}")
    found = normalised(stated)
    if found is None:
        raise ConfigError(f"{label}: {stated!r} must be like https://host, with nothing behind it")
    return Address(found, urlsplit(found).hostname in LOOPBACK, is_users_choice)
