"""`/api/v1/health`, which clients ask before they register, and `/ready` for load balancers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from litestar import get

from roar_glaas import __version__, door
from roar_glaas.api.known_jobs import MOST_UIDS
from roar_glaas.api.labels import MOST_ASKED
from roar_glaas.labels.replacing import MOST_LABELS
from roar_glaas.registration import intake
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database


@get("/api/v1/health", sync_to_thread=False)
def health(settings: Settings) -> dict[str, Any]:
    """Never in an envelope: clients look for `features` at the top (protocol, section 0)."""
    return {
        "status": "ok",
        "service": "glaas",
        "version": __version__,
        "features": {
            "registration_sessions": {
                "anonymous_public": settings.registration_sessions and settings.takes_anonymous,
                "finalize_server_authoritative_hash": settings.registration_sessions,
                "links_batch": True,
                "known_jobs": True,
                "publish": True,
            },
            "labels": {"sync_of_versions": True, "current_of_many": True},
        },
        # Beyond the protocol: how much is taken at once, so that clients can send it in pieces.
        "limits": {
            "body_bytes": settings.max_body_bytes,
            "text_characters": door.MOST_CHARACTERS,
            "registration_jobs": settings.registration_jobs,
            "registration_bytes": settings.registration_bytes,
            "links": intake.MOST_LINKS,
            "components": intake.MOST_COMPONENTS,
            "labels": MOST_LABELS,
            "known_job_uids": MOST_UIDS,
            "labels_asked": MOST_ASKED,
        },
    }


@get("/ready", sync_to_thread=True)
def ready(database: Database) -> dict[str, Any]:
    """200 while the database answers, 503 otherwise."""
    with database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    return {"ready": True}
