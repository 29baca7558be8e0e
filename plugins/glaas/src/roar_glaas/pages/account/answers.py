"""What the pages of accounts share: who they are for, how they are made, how they refuse."""

from __future__ import annotations

from importlib.resources import files
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from roar_glaas.access.caller import Caller
from roar_glaas.access.reader import STATE, Reader
from roar_glaas.errors import Refusal, Unauthenticated
from roar_glaas.pages.account.forms import MOST_BYTES
from roar_glaas.pages.refusals import refusal_page
from roar_glaas.pages.rendering import page

_MOST_NEXT = 2000


async def signed_in(request: Request[Any, Any, Any], caller: Caller) -> Reader:
    """Who is signed in with this browser: dependency `me`. Raises Unauthenticated.

    It asks for `caller` too, for that one's limit counts what is asked.
    """
    found: Reader | None = request.scope["state"].get(STATE)
    if found is None:
        raise Unauthenticated("sign in first")
    return found


def account_page(template: str, status: int = 200, **values: Any) -> Response[str]:
    """A page about an account: never kept, and its forms say where they come from."""
    made = page(f"account/{template}", status, **values)
    # Under "no-referrer" browsers would send `Origin: null` with its forms.
    made.headers |= {"Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
    return made


@get("/account.css", sync_to_thread=False, media_type="text/css")
def style() -> str:
    """How forms look."""
    return files("roar_glaas.pages").joinpath("account.css").read_text(encoding="utf-8")


@get("/shown-again.js", sync_to_thread=False, media_type="text/javascript")
def shown_again() -> str:
    """What has a page of somebody who was signed in asked for anew, before it is shown again."""
    return files("roar_glaas.pages").joinpath("shown_again.js").read_text(encoding="utf-8")


def local_address(text: str) -> str:
    """`text` when it leads to a page of this server, else the first page."""
    if not text.isprintable() or len(text) > _MOST_NEXT or "\\" in text:
        return "/"
    # A slash and no second one: whatever follows, it is on this server.
    if not text.startswith("/") or text.startswith(("//", "/sign-")):
        return "/"
    return text


def see(address: str) -> Redirect:
    """To a page, by GET, whatever was asked for before."""
    return Redirect(address, status_code=303)


def refused(request: Request[Any, Any, Any], error: Refusal) -> Response[Any]:
    """A refusal as people read it; who must sign in first is shown where."""
    if isinstance(error, Unauthenticated):
        url = request.url
        where = f"{url.path}?{url.query}" if url.query else url.path
        back = local_address(where) if request.method == "GET" else "/"
        return see(f"/sign-in?next={quote(back, safe='')}" if back != "/" else "/sign-in")
    return refusal_page(error, otherwise="That cannot be done")


def not_understood(_: Request[Any, Any, Any], error: HTTPException) -> Response[str]:
    """What the framework refused: a value in an address, the size of a form."""
    message = "This address, or what was sent to it, holds a value that it cannot have."
    if error.status_code == 413:
        message = f"A form of this page has at most {MOST_BYTES} bytes."
    return page("refused.html", error.status_code, title="That cannot be done", message=message)
