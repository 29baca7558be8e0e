"""The pages: an artifact and how it was made, a session and its jobs."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Response, Router, get
from litestar.response import Redirect

from roar_core.spelling import timestamp
from roar_glaas.access.caller import Caller
from roar_glaas.api.reading import session_document
from roar_glaas.errors import Refusal
from roar_glaas.graph.artifacts import components_of, describe, find_artifact, jobs_at
from roar_glaas.storage.database import Database

_MOST_MEMBERS = 50
_HEADERS = {
    # Nothing but our own style sheet: no script, no frame, no form elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_templates = Environment(
    loader=PackageLoader("roar_glaas.pages"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["moment"] = lambda seconds: timestamp(round(seconds * 1e6) * 1000)


@get("/", sync_to_thread=False)
def home() -> Response[str]:
    """Where to look something up."""
    return _page("home.html")


@get("/search", sync_to_thread=False)
def search(q: str = "") -> Redirect:
    """To the artifact whose hash was typed."""
    typed = "".join(c for c in q.strip().lower().removeprefix("blake3:") if c.isalnum())[:128]
    return Redirect(f"/artifacts/{typed}" if typed else "/")


@get("/artifacts/{reference:str}", sync_to_thread=True)
def artifact_page(database: Database, caller: Caller, reference: str) -> Response[str]:
    """What an artifact is, what made it, and what was made of it."""
    try:
        with database.read() as connection:
            found = find_artifact(connection, caller, reference)
            return _page(
                "artifact.html",
                artifact=describe(connection, caller, found),
                members=components_of(connection, caller, found, _MOST_MEMBERS),
                made_by=jobs_at(connection, caller, found, "out"),
                read_by=jobs_at(connection, caller, found, "in"),
            )
    except Refusal as error:
        return _refused(error)


@get("/dag/{reference:str}", sync_to_thread=True)
def session_page(database: Database, caller: Caller, reference: str) -> Response[str]:
    """The jobs of a session, in the order they ran."""
    try:
        return _page("session.html", session=session_document(database, caller, reference))
    except Refusal as error:
        return _refused(error)


@get("/style.css", sync_to_thread=False, media_type="text/css")
def style() -> str:
    """The one style sheet, light and dark."""
    from importlib.resources import files

    return files("roar_glaas.pages").joinpath("style.css").read_text(encoding="utf-8")


def _refused(error: Refusal) -> Response[str]:
    return _page("refused.html", error.status, message=str(error))


def _page(template: str, status: int = 200, **values: Any) -> Response[str]:
    text = _templates.get_template(template).render(**values)
    return Response(text, media_type="text/html", status_code=status, headers=_HEADERS)


page_routes = Router(path="/", route_handlers=[home, search, artifact_page, session_page, style])
