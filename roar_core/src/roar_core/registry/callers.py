"""As whom a registry is asked: with ROAR_TOKEN, a log-in, an SSH key, or as nobody.

The first of these that is there is used, and no other in its place when it is refused: what one
registers would end up another's, or everybody's.
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from roar_core.config.layers import Config
from roar_core.errors import ConfigError, RegistryError, UnauthorisedError
from roar_core.registry import ssh
from roar_core.registry.address import Address
from roar_core.registry.answers import Answer
from roar_core.registry.credentials import (
    NOBODY,
    Change,
    CredentialFile,
    Login,
    Record,
    User,
    is_token,
)
from roar_core.registry.ssh import SshKey

if TYPE_CHECKING:
    from roar_core.registry.connection import Connection

TOKEN_VARIABLE = "ROAR_TOKEN"  # noqa: S105 - the name of the variable
EARLY_S = 300
_AGAIN_S = 60
_AHEAD_S = 60  # registries take what is signed for up to five minutes from now
CLIENT_ID = "roar-cli"
LOG_IN = "sign in again: roar login"
_OR_ANONYMOUS = "or publish without a name: --anonymous"

_log = logging.getLogger(__name__)


class Caller(Protocol):
    """Who asks. `name` is for sentences, `remedy` what helps when the registry refuses.

    `reads`: whether it is shown for reads that anybody may make. `user`: who it is as far as is
    known without asking. `secret` is never to be shown, even if a registry repeats it. `reason`:
    why it cannot be used, empty when it can.
    """

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def remedy(self) -> str: ...
    @property
    def reads(self) -> bool: ...
    @property
    def user(self) -> User: ...
    @property
    def secret(self) -> str: ...
    @property
    def reason(self) -> str: ...

    def header(self, connection: Connection, method: str, target: str, body: bytes) -> str:
        """The value of `Authorization`. Raises UnauthorisedError when there can be none."""

    def renew(self, connection: Connection, answer: Answer) -> bool:
        """Whether it is worth asking again after this refusal, with what `header` gives next."""


@attrs.define
class TokenCaller:
    """The token in ROAR_TOKEN: for programs that nobody signs in for. It is kept nowhere."""

    secret: str = attrs.field(repr=False)
    kind: str = "token"
    name: str = TOKEN_VARIABLE
    remedy: str = f"{TOKEN_VARIABLE} must hold a token that is good there"
    reads: bool = True
    user: User = NOBODY
    reason: str = ""

    def header(self, connection: Connection, method: str, target: str, body: bytes) -> str:
        return f"Bearer {self.secret}"

    def renew(self, connection: Connection, answer: Answer) -> bool:
        return False


@attrs.define
class LoginCaller:
    """A log-in, renewed before its token ends: by one process of all that use it.

    The registry ends a log-in whose refresh token comes twice, as if it were stolen. So the file
    stays locked while the next tokens are fetched, and is read anew by whoever waited.
    """

    login: Login
    file: CredentialFile
    kind: str = "login"
    remedy: str = LOG_IN
    reads: bool = True
    reason: str = ""
    _tried_at_s: float = 0.0

    @property
    def name(self) -> str:
        return f"the log-in of {self.user.words}" if self.user.words else "your log-in"

    @property
    def user(self) -> User:
        return self.login.user

    @property
    def secret(self) -> str:
        return self.login.access_token

    def header(self, connection: Connection, method: str, target: str, body: bytes) -> str:
        if _is_due(self.login) and not self._has_just_tried():
            self._refresh(connection)
        return f"Bearer {self.login.access_token}"

    def renew(self, connection: Connection, answer: Answer) -> bool:
        return not self._has_just_tried() and self._refresh(connection)

    def _has_just_tried(self) -> bool:
        return time.time() < self._tried_at_s + _AGAIN_S

    def _refresh(self, connection: Connection) -> bool:
        """Whether there is another token now, of ours or of another process' making."""
        if self.login.is_foreign:
            return False
        before = self.login.access_token
        try:
            with self.file.changing(connection.url, time.time()) as change:
                self._exchange(connection, change)
        except ConfigError as error:  # a home that cannot be written: the token may still be good
            connection.warn(f"the log-in cannot be renewed: {error}")
        return self.login.access_token != before

    def _exchange(self, connection: Connection, change: Change) -> None:
        """Take the tokens that are kept, or fetch the next and keep them; the file is locked."""
        stored = change.record.login
        if stored is None or stored.is_foreign:
            return  # signed out meanwhile
        is_new = stored.access_token != self.login.access_token
        self.login = stored
        if (is_new and not _is_due(stored)) or not stored.refresh_token:
            return
        self._tried_at_s = time.time()
        try:
            asked = {"refresh_token": stored.refresh_token, "client_id": CLIENT_ID}
            told = connection.exchange("auth/refresh", asked)
        except RegistryError as error:
            if error.status in (400, 401, 403):
                # It is over: nobody need ask with this refresh token again.
                over = attrs.evolve(stored, refresh_token="")
                change.keep(attrs.evolve(change.record, login=over))
            _log.info("the log-in was not renewed: %s", error)
            return
        renewed = renewed_by(stored, told, time.time())
        if renewed is not None:
            self.login = renewed
            change.keep(attrs.evolve(change.record, login=renewed))


@attrs.define
class KeyCaller:
    """An SSH key that signs each request anew.

    A registry takes a signature that changes something once, and its time is in whole seconds: what
    is sent again is signed for the next one.
    """

    key: SshKey
    environ: Mapping[str, str]
    user: User = NOBODY
    reads: bool = True
    kind: str = "ssh"
    secret: str = ""
    reason: str = ""
    _signed_at: dict[bytes, int] = attrs.field(factory=dict)
    _ahead_s: int = 0

    @property
    def name(self) -> str:
        return f"the SSH key {self.key.fingerprint}"

    @property
    def remedy(self) -> str:
        return (
            f"have {self.key.path}'s public half added there (roar auth key), sign in: roar login,"
            f" {_OR_ANONYMOUS}"
        )

    def header(self, connection: Connection, method: str, target: str, body: bytes) -> str:
        what = hashlib.sha256(f"{method} {target}\n".encode() + body).digest()
        at_s = max(ssh.now_s() + self._ahead_s, self._signed_at.get(what, 0) + 1)
        self._signed_at[what] = at_s
        message = ssh.message_of(at_s, method, target, body)
        try:
            return ssh.header(self.key, at_s, ssh.signature(self.key, message, self.environ))
        except ConfigError as error:
            raise UnauthorisedError(str(error)) from error

    def renew(self, connection: Connection, answer: Answer) -> bool:
        """When another process signed the same for the same second: go to another one."""
        self._ahead_s = random.randint(1, _AHEAD_S)  # noqa: S311 - nothing secret hangs on it
        return b"used before" in answer.body


@attrs.define
class Withheld:
    """A credential that is there and may not, or cannot, be used at this registry."""

    reason: str
    reads: bool
    kind: str = "withheld"
    name: str = "your credentials"
    remedy: str = ""
    secret: str = ""
    user: User = NOBODY

    def header(self, connection: Connection, method: str, target: str, body: bytes) -> str:
        raise UnauthorisedError(self.reason)

    def renew(self, connection: Connection, answer: Answer) -> bool:
        return False


def caller_of(address: Address, config: Config, environ: Mapping[str, str]) -> Caller | None:
    """Who the user is at a registry; None: nobody. Nothing is asked of the registry."""
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if token:
        return _with_token(token, address)
    file = CredentialFile.of(environ)
    record = file.record(address.url, time.time())
    if record.login is not None:
        return LoginCaller(record.login, file)
    try:
        key = ssh.find_key(config, environ)
    except ConfigError as error:
        return Withheld(f"{error}, {_OR_ANONYMOUS}", reads=False)
    return None if key is None else _with_key(key, address, record, environ)


def renewed_by(login: Login, told: Any, now_s: float) -> Login | None:
    """A log-in with the tokens of an answer, and what it does not say again from before."""
    found = Login.from_document(told, now_s) if isinstance(told, Mapping) else None
    if found is None:
        return None
    context = told.get("access_context")
    user = User.from_document(context.get("user")) if isinstance(context, Mapping) else found.user
    return attrs.evolve(
        found,
        refresh_token=found.refresh_token or login.refresh_token,
        refresh_expires_at_s=found.refresh_expires_at_s or login.refresh_expires_at_s,
        user=user if user.words else login.user,
    )


def _with_token(token: str, address: Address) -> Caller:
    if not is_token(token):
        return Withheld(f"{TOKEN_VARIABLE} holds no token: spaces, or letters beyond ASCII", True)
    if not address.is_users_choice:
        return Withheld(
            f"{TOKEN_VARIABLE} is not sent to {address.url}, which a file of this project names;"
            f" set ROAR_REGISTRY__URL={address.url} if it is for there",
            reads=True,
        )
    return TokenCaller(token)


def _with_key(key: SshKey, address: Address, record: Record, environ: Mapping[str, str]) -> Caller:
    known = record.key
    if not (address.is_users_choice or (known is not None and known.is_allowed)):
        return Withheld(
            f"your SSH key does not sign for {address.url}, which a file of this project names;"
            f" let it: roar auth key --allow, sign in: roar login, {_OR_ANONYMOUS}",
            reads=key.is_named,
        )
    is_known = known is not None and known.fingerprint == key.fingerprint and known.user.words != ""
    # A key that only lies where keys lie tells no registry who reads there, until it was used.
    user = known.user if known is not None and is_known else NOBODY
    return KeyCaller(key, environ, user, reads=key.is_named or is_known)


def _is_due(login: Login) -> bool:
    return (
        bool(login.refresh_token)
        and login.expires_at_s is not None
        and login.expires_at_s <= time.time() + EARLY_S
    )
