"""Addresses that are not pages of ours: those that the stock client prints, and unknown ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.exceptions import HTTPException, NotFoundException
from litestar.response import Redirect

from roar_glaas.api import refusals
from roar_glaas.pages.rendering import page


@get("/artifact/{reference:str}", sync_to_thread=False)
def printed_artifact(reference: str) -> Redirect:
    """What `roar register` prints for an artifact."""
    return Redirect(path=f"/artifacts/{quote(reference, safe='')}")


@get("/login", sync_to_thread=False)
def printed_sign_in() -> Redirect:
    """Where the client sends people to sign in."""
    return Redirect(path="/sign-in")


def no_such_address(
    request: Request[Any, Any, Any], error: HTTPException
) -> Response[str] | Response[dict[str, Any]]:
    """A page for people in front of a browser, JSON for programs."""
    if not isinstance(error, NotFoundException):
        return refusals.http_error(request, error)
    is_page = not request.scope["path"].startswith("/api/")
    if is_page and "text/html" in request.headers.get("accept", ""):
        told = "There is no page at this address. Hashes, names and labels are found by searching."
        return page("refused.html", 404, title="Not found", message=told)
    unknown = NotFoundException(
        "nothing is at this address; /schema/openapi.json describes what is"
    )
    return refusals.http_error(request, unknown)
