"""Fragment sessions over HTTP (GLaaS v1, section 8)."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
from litestar import Request, Router, get, post
from litestar.params import Parameter

from roar_glaas.access.caller import Caller
from roar_glaas.errors import Unauthenticated
from roar_glaas.passing import fragments
from roar_glaas.serving.peers import address_of
from roar_glaas.serving.rates import group_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

Answer = dict[str, Any]
Asked = Request[Any, Any, Any]
# In a header, because addresses get into the logs of proxies.
Token = Annotated[str, Parameter(header="x-roar-fragment-token")]


@attrs.frozen(kw_only=True)
class Opening:
    """A new session: a random UUID, SHA-256 of the token in hexadecimal, how long it is to last."""

    session_id: str
    token_hash: str
    ttl_seconds: int = 24 * 3600


@attrs.frozen(kw_only=True)
class Batch:
    """Fragments, encrypted by the client: base64 of a nonce of 12 bytes and AES-256-GCM."""

    encrypted_batch: str
    sequence: int


@attrs.frozen(kw_only=True)
class Renewal:
    """How long a session is to last from now on."""

    ttl_seconds: int = 24 * 3600


@post("/", status_code=201, sync_to_thread=True)
def open_session(
    request: Asked, settings: Settings, database: Database, caller: Caller, data: Opening
) -> Answer:
    """Open a fragment session."""
    if not caller.is_known and not settings.takes_anonymous:
        raise Unauthenticated("a fragment session needs an account: sign in with `roar login`")
    address = group_of(address_of(request))
    opener = fragments.Opener(caller.owner_id, address)
    with database.write() as connection:
        expires_at_us, created = fragments.open_store(
            connection, settings, opener, data.session_id, data.token_hash, data.ttl_seconds
        )
    return {
        "session_id": data.session_id,
        "expires_at": expires_at_us / 1e6,
        "created": created,
    }


@post("/{name:str}/fragments", status_code=201, sync_to_thread=True)
def leave(settings: Settings, database: Database, name: str, token: Token, data: Batch) -> Answer:
    """Leave a batch of fragments; the same one again counts once."""
    with database.write() as connection:
        found = fragments.find_store(connection, name, token)
        new = fragments.keep(connection, settings, found, data.sequence, data.encrypted_batch)
    return {"sequence": data.sequence, "created": new}


@get("/{name:str}/fragments", sync_to_thread=True)
def fetch(database: Database, name: str, token: Token) -> Answer:
    """Every batch that was left, by sequence."""
    with database.read() as connection:
        found = fragments.find_store(connection, name, token, to_read=True)
        return {"fragments": fragments.batches(connection, found)}


@post("/{name:str}/renew", status_code=200, sync_to_thread=True)
def renew(settings: Settings, database: Database, name: str, token: Token, data: Renewal) -> Answer:
    """Have a session last longer, even one that has expired."""
    with database.write() as connection:
        expires_at_us = fragments.renew(connection, settings, name, token, data.ttl_seconds)
    return {"session_id": name, "expires_at": expires_at_us / 1e6}


fragment_routes = Router(
    path="/api/v1/fragments/sessions", route_handlers=[open_session, leave, fetch, renew]
)
