"""`auth.json`: for each registry the log-in there, and the SSH key that it knows.

It lies beside the user's global.toml, is the user's alone to read, and is only ever replaced whole.
The client that people used before keeps one log-in in the same file, at its top, and says of it who
issued it but not which address it is for. Those keys are kept as they are; the log-in is understood
where the issuer is the registry itself, and never refreshed: the other client would lose it. Of
ours it takes no such care: whenever it writes or removes the file, it forgets them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from roar_core.config import files
from roar_core.config.own_files import locked, replace
from roar_core.errors import ConfigError
from roar_core.registry.address import normalised

_MODE = 0o600
_FOLDER_MODE = 0o700
_LONGEST_S = 100 * 366 * 86400


def _text(told: Mapping[str, Any], *names: str) -> str:
    """The first of these that is a text worth anything."""
    return next((v for v in map(told.get, names) if isinstance(v, str) and v.strip()), "")


@attrs.frozen
class User:
    """Who somebody is at a registry."""

    id: str = ""
    name: str = ""
    email: str = ""

    @classmethod
    def from_document(cls, told: object) -> User:
        """From `user` of the protocol, whatever a server put there."""
        table = told if isinstance(told, Mapping) else {}
        return cls(
            _text(table, "id", "db_user_id", "sub"),
            _text(table, "username", "name"),
            _text(table, "email"),
        )

    @property
    def words(self) -> str:
        return self.name or self.email or self.id


NOBODY = User()


@attrs.frozen(kw_only=True)
class Login:
    """The tokens of one log-in. Moments are seconds since 1970, None where nobody knows."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(default="", repr=False)
    expires_at_s: float | None = None
    refresh_expires_at_s: float | None = None
    user: User = NOBODY
    is_foreign: bool = False
    """Whether the other client keeps it, which alone may refresh it."""

    @classmethod
    def from_document(cls, told: Mapping[str, Any], now_s: float) -> Login | None:
        """From an answer of the protocol, or a file like it; None: it holds no usable token."""
        access = _text(told, "access_token", "token").strip()
        if not is_token(access):
            return None
        lasts_s = told.get("expires_in")
        ends_s = _moment(told.get("expires_at"))
        if isinstance(lasts_s, int | float) and not isinstance(lasts_s, bool):
            # No clock goes to where some numbers lead, and nan is none.
            ends_s = now_s + lasts_s if abs(lasts_s) < _LONGEST_S else None
        refresh = _text(told, "refresh_token").strip()
        return cls(
            access_token=access,
            refresh_token=refresh if is_token(refresh) else "",
            expires_at_s=ends_s,
            refresh_expires_at_s=_moment(told.get("refresh_expires_at")),
            user=User.from_document(told.get("user")),
        )

    def document(self) -> dict[str, Any]:
        """As `from_document` reads it."""
        told = {
            "access_token": self.access_token,
            "refresh_token": self.refresh_token,
            "expires_at": _written(self.expires_at_s),
            "refresh_expires_at": _written(self.refresh_expires_at_s),
            "user": {k: v for k, v in _user_document(self.user).items() if v},
        }
        return {name: value for name, value in told.items() if value}


@attrs.frozen(kw_only=True)
class KnownKey:
    """An SSH key that a registry has accepted, or that the user lets sign for it."""

    fingerprint: str
    user: User = NOBODY
    is_allowed: bool = False


@attrs.frozen
class Record:
    """What is kept about one registry."""

    login: Login | None = None
    key: KnownKey | None = None


class CredentialFile:
    """The file, read anew each time: other commands write it meanwhile."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> CredentialFile:
        """The user's; without a home directory there is none, and nothing can be kept."""
        own = files.user_file(environ)
        return cls(None if own is None else own.with_name("auth.json"))

    def record(self, url: str, now_s: float) -> Record:
        """What is kept about a registry. Raises ConfigError for a file that cannot be read."""
        return _record(self._read(), url, now_s)

    def urls(self) -> list[str]:
        """The registries that something is kept about."""
        return sorted(_registries(self._read()))

    @contextmanager
    def changing(self, url: str, now_s: float) -> Iterator[Change]:
        """Change what is kept about a registry; nobody else does so meanwhile.

        Raises ConfigError when the file cannot be read or written.
        """
        if self.path is None:
            raise ConfigError("there is no home directory to keep a log-in in; set XDG_CONFIG_HOME")
        target = Path(os.path.realpath(self.path))  # a link to another place stays a link
        try:
            with locked(target):
                if target == self.path.parent.resolve() / self.path.name:
                    self.path.parent.chmod(_FOLDER_MODE)  # not a folder that a link leads to
                yield Change(_record(self._read(), url, now_s), lambda r: self._keep(url, r))
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be written: {error.strerror}") from error

    def _keep(self, url: str, record: Record) -> None:
        assert self.path is not None
        target = Path(os.path.realpath(self.path))
        whole = self._read()
        registries = _registries(whole)
        kept = _kept(registries.get(url), record)
        if kept:
            registries[url] = kept
        else:
            registries.pop(url, None)
        if registries:
            whole["registries"] = registries
        else:
            whole.pop("registries", None)
        replace(target, json.dumps({"version": 1} | whole, indent=2).encode() + b"\n")

    def _read(self) -> dict[str, Any]:
        data = None if self.path is None else files.read(self.path)
        if data is None or self.path is None:
            return {}
        try:
            whole = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{self.path} is no JSON; move it away, and sign in again: roar login"
            ) from error
        if not isinstance(whole, dict):
            raise ConfigError(f"{self.path} holds no table; move it away, and sign in again")
        _narrow(self.path)
        return whole


@attrs.frozen
class Change:
    """What is kept now, and the way to keep something else."""

    record: Record
    keep: Callable[[Record], None]


def is_token(text: str) -> bool:
    """Whether a text can be sent as a token: ASCII, visible, without spaces."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _record(whole: Mapping[str, Any], url: str, now_s: float) -> Record:
    ours = _registries(whole).get(url)
    table = ours if isinstance(ours, Mapping) else {}
    login, key = table.get("login"), table.get("key")
    found = Login.from_document(login, now_s) if isinstance(login, Mapping) else None
    known = None
    if isinstance(key, Mapping) and (fingerprint := _text(key, "fingerprint")):
        user = User.from_document(key.get("user"))
        known = KnownKey(fingerprint=fingerprint, user=user, is_allowed=key.get("allowed") is True)
    return Record(found or _foreign(whole, url, now_s), known)


def _foreign(whole: Mapping[str, Any], url: str, now_s: float) -> Login | None:
    """The other client's log-in, if it is for this registry, and good for a while."""
    issuer = whole.get("issuer")
    if not isinstance(issuer, str) or normalised(issuer) != url:
        return None
    found = Login.from_document({**whole, "expires_in": None}, now_s)
    if found is None or (found.expires_at_s is not None and found.expires_at_s <= now_s):
        return None
    return attrs.evolve(found, refresh_token="", is_foreign=True)


def _kept(before: object, record: Record) -> dict[str, Any]:
    """The table of a registry, with what a newer roar may have put there besides."""
    table = dict(before) if isinstance(before, Mapping) else {}
    table.pop("login", None)
    table.pop("key", None)
    if record.login is not None and not record.login.is_foreign:
        table["login"] = record.login.document()
    if record.key is not None:
        table["key"] = {
            "fingerprint": record.key.fingerprint,
            "user": _user_document(record.key.user),
            "allowed": record.key.is_allowed,
        }
    return table


def _user_document(user: User) -> dict[str, str]:
    return {"id": user.id, "username": user.name, "email": user.email}


def _registries(whole: Mapping[str, Any]) -> dict[str, Any]:
    found = whole.get("registries")
    return dict(found) if isinstance(found, Mapping) else {}


def _narrow(path: Path) -> None:
    """Take the file from everybody else, should something have opened it to them."""
    with suppress(OSError):  # of a disk that nobody may write to, or a file just replaced
        found = path.stat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            path.chmod(_MODE)


def _moment(text: object) -> float | None:
    from datetime import UTC, datetime

    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _written(moment_s: float | None) -> str | None:
    from datetime import UTC, datetime

    if moment_s is None:
        return None
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
