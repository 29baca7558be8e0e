"""The account behind a request: who it is, its scopes and sessions, the end of its log-in."""

from __future__ import annotations

from typing import Annotated, Any

import attrs
import sqlalchemy as sa
from litestar import Request, Response, Router, get, post
from litestar.params import Parameter

from roar_glaas.access import tokens
from roar_glaas.access.asking import bearer_secret, known
from roar_glaas.access.caller import Caller
from roar_glaas.access.context import access_context, user_document
from roar_glaas.access.roles import caller_of
from roar_glaas.access.visibility import visible
from roar_glaas.errors import Unauthenticated
from roar_glaas.moments import written
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database
from roar_glaas.storage.tables import job, owner, project, session

Answer = dict[str, Any]
Limit = Annotated[int, Parameter(ge=1, le=100)]

# Which kind of log-in a client notes; it spells its user's identity by it (protocol, section 2).
_PROVIDER = "glaas-device"
NO_STORE = {"Cache-Control": "no-store"}


@attrs.frozen(kw_only=True)
class Refreshing:
    """The body of `auth/refresh`."""

    refresh_token: str
    client_id: str = "roar-cli"


@get("/auth/me", sync_to_thread=True)
def me(database: Database, caller: Caller) -> Answer:
    """Who the credentials belong to; always in an envelope, where clients look for it."""
    known(caller)
    with database.read() as connection:
        user = user_document(connection, caller)
    return {
        "success": True,
        "data": {"creatorIdentity": f"glaas:user:{user['id']}", "user": user},
    }


@get(["/auth/access-context", "/user/access-context"], sync_to_thread=True)
def context(database: Database, caller: Caller) -> Answer:
    """Who the credentials belong to, and every owner and project that may be published to."""
    known(caller)
    with database.read() as connection:
        return access_context(connection, caller)


@get("/sessions", sync_to_thread=True)
def own_sessions(database: Database, caller: Caller, limit: Limit = 20) -> Answer:
    """The caller's own sessions, the newest first; 401 tells clients that credentials are bad."""
    known(caller)
    jobs = sa.select(sa.func.count()).where(job.c.session_id == session.c.id).scalar_subquery()
    with database.read() as connection:
        rows = connection.execute(
            sa.select(session, project.c.slug, owner.c.name, jobs.label("jobs"))
            .join(owner, owner.c.id == session.c.owner_id)
            .outerjoin(project, project.c.id == session.c.project_id)
            .where(session.c.owner_id == caller.owner_id, visible(caller))
            .order_by(session.c.registered_at_us.desc(), session.c.id.desc())
            .limit(limit)
        ).all()
    return {
        "sessions": [
            {
                "hash": bytes(row.hash).hex(),
                "owner": row.name,
                "project": row.slug,
                "visibility": row.visibility,
                "gitRepo": row.git_repo,
                "gitCommit": row.git_commit,
                "gitBranch": row.git_branch,
                "jobCount": row.jobs,
                "registeredAt": written(row.registered_at_us),
            }
            for row in rows
        ]
    }


@post("/auth/refresh", status_code=200, sync_to_thread=True)
def refresh(database: Database, settings: Settings, data: Refreshing) -> Response[Answer]:
    """The next two tokens of a log-in, for its refresh token, which is then used up."""
    with database.write() as connection:
        pair = tokens.refresh(connection, data.refresh_token)
    # Refused only now, when the end of a stolen token's family is committed.
    if pair is None:
        raise Unauthenticated(
            "this refresh token is unknown, used up or expired; sign in again: roar login",
            code="invalid_grant",
        )
    with database.read() as connection:
        user = user_document(connection, caller_of(connection, pair.owner_id))
    told = pair_document(settings, pair) | {"access_context": {"user": user}}
    return Response(told, headers=NO_STORE)


@post("/auth/logout", status_code=200, sync_to_thread=True)
def logout(request: Request[Any, Any, Any], database: Database, caller: Caller) -> Answer:
    """End the log-in whose token this is. A personal token stays: other programs may hold it."""
    known(caller)
    secret = bearer_secret(request)
    is_over = False
    if secret is not None:
        with database.write() as connection:
            found = tokens.known_by(connection, secret)
            tokens.revoke_family(connection, found.family)
        is_over = bool(found.family)
    return {"logged_out": is_over}


def pair_document(settings: Settings, pair: tokens.Pair) -> Answer:
    """What a client stores of a log-in (protocol, section 2)."""
    return {
        "status": "approved",
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "refresh_expires_at": written(pair.refresh_expires_at_us),
        "token_type": "Bearer",
        "expires_in": tokens.ACCESS_S,
        "provider": _PROVIDER,
        "issuer": settings.url,
        "client_id": "roar-cli",
    }


account_routes = Router(path="/api/v1", route_handlers=[me, context, own_sessions, refresh, logout])
