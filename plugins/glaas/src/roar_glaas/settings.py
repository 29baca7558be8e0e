"""How one server is set up: `glaas.toml` of its data directory, GLAAS_… variables, then flags."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from roar_glaas.errors import GlaasError
from roar_glaas.storage.database import sqlite_address


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
    max_body_bytes: int = 32 * 1024 * 1024
    registration_ttl_s: int = 24 * 3600
    # Off: clients without an account take the protocol's legacy path (section 5).
    registration_sessions: bool = True
    # Whether events of telemetry are counted by name and day; nothing else is ever kept of them.
    telemetry_counts: bool = False
    fragment_ttl_s: int = 7 * 24 * 3600
    fragment_batch_bytes: int = 1024 * 1024
    fragment_session_bytes: int = 32 * 1024 * 1024
    fragment_sessions_at_once: int = 100

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
        for key, value in stated.items():
            values[key] = _checked(key, value, str(file))
    for field in attrs.fields(Settings):
        variable = f"GLAAS_{field.name.upper()}"
        if field.name != "data" and variable in environ:
            values[field.name] = _parsed(field.name, environ[variable], variable)
    values.update({key: value for key, value in (flags or {}).items() if value is not None})
    return Settings(data=data, **values)


def _kind(key: str, source: str) -> type:
    for field in attrs.fields(Settings):
        if field.name == key != "data":
            return {"int": int, "bool": bool, "bool | None": bool}.get(str(field.type), str)
    raise GlaasError(f"{source}: unknown setting {key!r}; see the page on running a registry")


def _checked(key: str, value: Any, source: str) -> Any:
    kind = _kind(key, source)
    if type(value) is not kind:
        raise GlaasError(f"{source}: {key} must be of type {kind.__name__}, not {value!r}")
    return value


def _parsed(key: str, text: str, source: str) -> Any:
    kind = _kind(key, source)
    if kind is bool and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        return text.lower() in ("1", "true", "yes", "on")
    if kind is int and text.isdecimal():
        return int(text)
    if kind is str:
        return text
    raise GlaasError(f"{source}: {text!r} is not of type {kind.__name__}")
