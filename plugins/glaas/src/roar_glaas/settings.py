"""How one server is set up: `glaas.toml` of its data directory, GLAAS_… variables, then flags."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from roar_glaas.access.oidc_settings import OidcSettings, read_oidc
from roar_glaas.errors import GlaasError
from roar_glaas.pages.links import check_template
from roar_glaas.storage.database import sqlite_address


def _is_template(_: Any, field: attrs.Attribute[str], value: str) -> None:
    check_template(field.name, value)


@attrs.frozen(kw_only=True)
class Settings:
    """One server's settings. Sizes in bytes, times in seconds.

    `anonymous_registration` None means: on when listening on loopback only, off elsewhere.
    """

    data: Path
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    # What people and clients reach this server by; empty: http://HOST:PORT.
    public_url: str = ""
    anonymous_registration: bool | None = None
    anonymous_jobs_per_day: int = 1_000
    anonymous_bytes_per_day: int = 64 * 1024 * 1024
    owner_jobs_per_day: int = 1_000_000
    owner_bytes_per_day: int = 16 * 1024**3
    max_body_bytes: int = 32 * 1024 * 1024
    # Of one registration, which `finalize` takes into memory whole: about seven times its bytes.
    registration_jobs: int = 50_000
    registration_bytes: int = 128 * 1024 * 1024
    registration_ttl_s: int = 24 * 3600
    # Off: clients without an account take the protocol's legacy path (section 5).
    registration_sessions: bool = True
    # Whether events of telemetry are counted by name and day; nothing else is ever kept of them.
    telemetry_counts: bool = False
    fragment_ttl_s: int = 7 * 24 * 3600
    fragment_batch_bytes: int = 1024 * 1024
    fragment_session_bytes: int = 32 * 1024 * 1024
    fragment_sessions_at_once: int = 100
    # Names that people may reach this server by, beside those of `public_url` and `host`.
    allowed_hosts: tuple[str, ...] = ()
    # Addresses or networks whose X-Forwarded-… headers are believed, and nobody else's.
    trusted_proxies: tuple[str, ...] = ()
    # Limits per minute, with as many at once; 0: none. Attempts are sign-ins that fail.
    requests_per_minute: int = 12_000
    account_requests_per_minute: int = 30_000
    attempts_per_minute: int = 20
    # More requests at once than this, in one process, are told to come back.
    max_requests_in_hand: int = 256
    # Longer than a reverse proxy keeps its idle connections, or some requests meet a closed one.
    keep_alive_s: int = 75
    # How long the head of a request, or the next piece of its body, may be waited for.
    receive_timeout_s: int = 30
    # How long requests in hand may take once the server is told to stop.
    shutdown_timeout_s: int = 30
    # "text" or "json"; empty: text on a terminal, JSON elsewhere.
    log_format: str = ""
    log_requests: bool = True
    # Addresses or networks that may read /metrics.
    metrics_from: tuple[str, ...] = ("127.0.0.1", "::1")
    # How long a client that waits for its log-in's approval leaves between two questions.
    device_interval_s: int = 5
    # Where a team looks after its trainings: see `pages.links`. Empty: no such link.
    training_request_url: str = attrs.field(default="", validator=_is_template)
    run_url: str = attrs.field(default="", validator=_is_template)
    oidc: OidcSettings | None = None

    @property
    def database_url(self) -> str:
        """Where the records are: `database`, or a file of the data directory."""
        return self.database or sqlite_address(self.data / "glaas.db")

    @property
    def url(self) -> str:
        """The address that links start with, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def takes_anonymous(self) -> bool:
        """Whether anybody may register without an account."""
        if self.anonymous_registration is None:
            return self.is_loopback
        return self.anonymous_registration


_MOST = {"port": 65535}


def read_settings(
    data: Path, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of the server whose data directory is `data`; absent flags are None.

    Raises GlaasError naming the file or variable and the key that is unknown or of the wrong type.
    """
    values: dict[str, Any] = {}
    file = data / "glaas.toml"
    if file.is_file():
        try:
            stated = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise GlaasError(f"{file} is no TOML: {error}") from error
        if "oidc" in stated:
            values["oidc"] = read_oidc(stated.pop("oidc"), environ, str(file))
        for key, value in stated.items():
            values[key] = _checked(key, value, str(file))
    for field in attrs.fields(Settings):
        variable = f"GLAAS_{field.name.upper()}"
        if field.name not in ("data", "oidc") and variable in environ:
            values[field.name] = _parsed(field.name, environ[variable], variable)
    values.update({key: value for key, value in (flags or {}).items() if value is not None})
    for key, value in values.items():
        if type(value) is int and not 0 <= value <= _MOST.get(key, value):
            raise GlaasError(f"{key} cannot be {value}")
    return Settings(data=data, **values)


_KINDS = {"int": int, "bool": bool, "bool | None": bool, "tuple[str, ...]": tuple}


def _kind(key: str, source: str) -> type:
    for field in attrs.fields(Settings):
        if field.name == key != "data":
            return _KINDS.get(str(field.type), str)
    raise GlaasError(f"{source}: unknown setting {key!r}; see the page on running a registry")


def _checked(key: str, value: Any, source: str) -> Any:
    kind = _kind(key, source)
    if kind is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if kind is tuple:
        raise GlaasError(f"{source}: {key} must be a list of strings, not {value!r}")
    if type(value) is not kind:
        raise GlaasError(f"{source}: {key} must be of type {kind.__name__}, not {value!r}")
    return value


def _parsed(key: str, text: str, source: str) -> Any:
    kind = _kind(key, source)
    if kind is bool and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return text.lower() in ("1", "true", "yes", "on")
    if kind is int and text.isdecimal():
        return int(text)
    if kind is tuple:
        return tuple(one.strip() for one in text.split(",") if one.strip())
    if kind is str:
        return text
    raise GlaasError(f"{source}: {text!r} is not of type {kind.__name__}")
