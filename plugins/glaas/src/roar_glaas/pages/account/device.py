"""The page to let a program in that shows a code: `roar login` sends people here (RFC 8628)."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post

from roar_glaas.access import device
from roar_glaas.access.reader import Reader
from roar_glaas.errors import Conflict, NotFound
from roar_glaas.pages.account.answers import account_page
from roar_glaas.pages.account.forms import Form
from roar_glaas.pages.refusals import sentence
from roar_glaas.storage.database import Database


@get("/device", sync_to_thread=True)
def device_page(request: Request[Any, Any, Any], database: Database, me: Reader) -> Response[str]:
    """Which program waits with a code. Looking lets nothing in: that takes the form."""
    given = request.query_params
    code = str(given.get("user_code") or given.get("code") or "")
    return _asked(database, code) if code else account_page("device.html", **_blank())


@post("/device", status_code=200, sync_to_thread=True)
def answer_device(database: Database, me: Reader, form: Form) -> Response[str]:
    """Let the program in, as oneself, or tell it no; or show what waits with a code."""
    code = form.text("code").strip()
    if "approve" not in form and "deny" not in form:
        return _asked(database, code)
    try:
        with database.write() as connection:
            waiting = device.waiting(connection, code)
            if "approve" in form:
                device.approve(connection, code, me.caller.owner_id)
            else:
                device.deny(connection, code)
    except (NotFound, Conflict) as error:
        return _unknown(code, error)
    told = "approved" if "approve" in form else "denied"
    return account_page("device.html", **_blank() | {"answered": told, "waiting": waiting})


def _asked(database: Database, code: str) -> Response[str]:
    try:
        with database.read() as connection:
            waiting = device.waiting(connection, code)
    except (NotFound, Conflict) as error:
        return _unknown(code, error)
    return account_page("device.html", **_blank() | {"waiting": waiting})


def _unknown(code: str, error: NotFound | Conflict) -> Response[str]:
    words = f"{sentence(error)}." if code else "Type the code that the program shows."
    return account_page("device.html", 400, **_blank() | {"code": code, "errors": {"code": words}})


def _blank() -> dict[str, Any]:
    return {"waiting": None, "answered": "", "code": "", "errors": {}}
