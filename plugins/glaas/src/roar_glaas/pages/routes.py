"""The pages and what they are made of: one router, whose refusals are pages too."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from litestar import Request, Response, Router, get
from litestar.exceptions import HTTPException

from roar_glaas.errors import NotFound, Refusal
from roar_glaas.pages.addresses import printed_artifact, printed_sign_in
from roar_glaas.pages.artifact import artifact_page, recipe_graph, recipe_page, uses_page
from roar_glaas.pages.browser import reader
from roar_glaas.pages.compare import compare_page
from roar_glaas.pages.record import record_page
from roar_glaas.pages.refusals import refusal_page
from roar_glaas.pages.rendering import HEADERS, built, page
from roar_glaas.pages.search import home, search
from roar_glaas.pages.session import job_page, session_graph, session_page

_SCRIPTS = ("copying.js", "graph.js", "layout.js")


@get("/style.css", sync_to_thread=False, media_type="text/css")
def style() -> str:
    """The one style sheet, light and dark."""
    return files("roar_glaas.pages").joinpath("style.css").read_text(encoding="utf-8")


@get("/icon.svg", sync_to_thread=False)
def icon() -> Response[str]:
    """What stands before the page's name in a browser's tab: two nodes and what came of them."""
    text = files("roar_glaas.pages").joinpath("icon.svg").read_text(encoding="utf-8")
    return Response(text, media_type="image/svg+xml", headers=HEADERS)


@get("/built/{name:str}", sync_to_thread=False)
def script(name: str) -> Response[bytes]:
    """A script of the bundle; a worker's own policy is that of its script's answer."""
    content = built(name) if name in _SCRIPTS else None
    if content is None:
        raise NotFound("this server was installed without that script")
    return Response(content, media_type="text/javascript", headers=HEADERS)


def _refused(request: Request[Any, Any, Any], error: Refusal) -> Response[str]:
    """A refusal, as people read it; nobody is told whether what is not shown exists."""
    private_at = request.url.path if error.status == 404 and reader() is None else ""
    return refusal_page(
        error,
        otherwise="That cannot be shown",
        conflict="More than one",
        private_at=private_at,
    )


def _http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    """What the framework refused: an address with a value that it cannot have."""
    message = "The address of this page holds a value that it cannot have."
    if error.status_code != 400:
        message = error.detail
    return page("refused.html", error.status_code, title="That cannot be shown", message=message)


page_routes = Router(
    path="/",
    route_handlers=[
        *(home, search, artifact_page, recipe_page, recipe_graph, uses_page, compare_page),
        *(session_page, session_graph, job_page, style, icon, script),
        *(record_page, printed_artifact, printed_sign_in),
    ],
    exception_handlers={Refusal: _refused, HTTPException: _http_error},
    include_in_schema=False,  # the description is of what programs ask
)
