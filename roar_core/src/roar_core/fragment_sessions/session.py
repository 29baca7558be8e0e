"""What a task must know of a fragment session: where it is, its name, and one secret.

As text it is a URL whose password is the secret, for which every masker of logs looks, ours too:
`https://<session>:<secret>@registry.example`. Light: platforms' clients import it inside of runs.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import NamedTuple

# `…_SECRET`: by this name, too, it is masked in whatever leaves (docs/redaction.md).
VARIABLE = "ROAR_FRAGMENTS_SECRET"
_SECRET_BYTES = 32
_NONE = "no fragment session, expected https://SESSION:SECRET@HOST as roar hands it to tasks"


class Session(NamedTuple):
    """One session. `url` is the registry's, `id` a UUID, `secret` 32 random bytes.

    From the secret come the token, which the registry is shown, and the key, which it is not.
    """

    url: str
    id: str
    secret: bytes

    @classmethod
    def new(cls, url: str) -> Session:
        """A session that nobody has opened yet."""
        import secrets
        import uuid

        return cls(url, str(uuid.uuid4()), secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Session:
        """Read what `text` has written. Raises ValueError, without a word of what it was given."""
        import uuid
        from urllib.parse import urlsplit

        from roar_core.registry.address import normalised

        try:
            parts = urlsplit(text.strip())
            host = parts.netloc.rpartition("@")[2]
            name, secret = str(uuid.UUID(parts.username or "")), bytes.fromhex(parts.password or "")
            url = normalised(f"{parts.scheme}://{host}{parts.path}")
        except ValueError:
            raise ValueError(_NONE) from None
        if url is None or len(secret) != _SECRET_BYTES:
            raise ValueError(_NONE)
        return cls(url, name, secret)

    @property
    def text(self) -> str:
        """All of it, for a task's environment or a file that nobody else can read."""
        scheme, _, host = self.url.partition("://")
        return f"{scheme}://{self.id}:{self.secret.hex()}@{host}"

    def __repr__(self) -> str:
        """Without the secret: it may get into any log."""
        return f"Session({self.id} at {self.url})"


def taken_from(environ: MutableMapping[str, str]) -> Session | None:
    """The session that a task was handed, which is taken away: no program of the user's needs it.

    None when there is none. Raises ValueError for something else.
    """
    text = environ.pop(VARIABLE, "")
    return Session.from_text(text) if text else None
