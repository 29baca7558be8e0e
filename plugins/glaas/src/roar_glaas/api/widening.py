"""Making a registered session public, over HTTP: beyond the protocol, told by `/health`."""

from __future__ import annotations

from typing import Any

from litestar import post

from roar_glaas.access.asking import known
from roar_glaas.access.caller import Caller
from roar_glaas.access.scopes import require_writer
from roar_glaas.api.examples import told
from roar_glaas.graph.sessions import find_session
from roar_glaas.registration.widening import publish
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database


@post(
    "/api/v1/sessions/{session_hash:str}/publish",
    status_code=200,
    sync_to_thread=True,
    responses=told("published"),
)
def publish_session(
    settings: Settings, database: Database, caller: Caller, session_hash: str
) -> dict[str, Any]:
    """Make a session public for good; one that is public stays as it is.

    By the protocol its client sends all of it once more, which nobody can who has a part of it.
    """
    known(caller)
    with database.append() as connection:
        found = find_session(connection, caller, session_hash)
        require_writer(connection, caller, found.id)
        publish(connection, caller, found.id)
    name = bytes(found.hash).hex()
    return {
        "session_hash": name,
        "visibility": "public",
        "published_url": f"{settings.url}/dag/{name}",
        "logIndex": found.leaf_index,
    }
