"""Which jobs are registered already, over HTTP: beyond the protocol, told by `/health`."""

from __future__ import annotations

from typing import Any

from litestar import post

from roar_glaas import door
from roar_glaas.access.caller import Caller
from roar_glaas.api.examples import told
from roar_glaas.errors import BadRequest
from roar_glaas.graph import known_jobs as graph
from roar_glaas.graph.limits import reading
from roar_glaas.registration.wire import JobUids
from roar_glaas.storage.database import Database

MOST_UIDS = 5_000


@post("/api/v1/jobs/known", status_code=200, sync_to_thread=True, responses=told("known jobs"))
def known_jobs(database: Database, caller: Caller, data: JobUids) -> dict[str, Any]:
    """Which of these jobs are registered and may be seen; `is_own`: in the caller's own name.

    A client asks before it registers, and sends what is new alone. Whoever starts a job that is
    sent (`parent_job_uid`) may be registered already.
    """
    if len(data.job_uids) > MOST_UIDS:
        raise BadRequest(f"job_uids: at most {MOST_UIDS} in one request")
    uids = {door.uid(uid, "job_uids") for uid in data.job_uids}
    with reading(database) as connection:
        return {"known": graph.known_jobs(connection, caller, uids)}
