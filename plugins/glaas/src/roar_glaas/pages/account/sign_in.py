"""Pages to sign in, by password or with a provider, and to sign out."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from litestar import Request, Response, get, post
from litestar.response import Redirect

from roar_glaas.access import web_sessions
from roar_glaas.access.oidc_settings import OidcSettings
from roar_glaas.access.reader import Reader
from roar_glaas.access.sign_in import sign_in
from roar_glaas.errors import NotFound, Refusal, TooMany
from roar_glaas.pages.account.answers import account_page, local_address, see
from roar_glaas.pages.account.forms import Form
from roar_glaas.pages.browser import cookie, cookie_name, no_cookie, reader
from roar_glaas.pages.refusals import sentence
from roar_glaas.serving.peers import address_of
from roar_glaas.settings import Settings
from roar_glaas.storage.database import Database

_WRONG = "This name and this password do not belong together."
_BACK = "/sign-in/oidc/back"
_WAY_S = 600


@get("/sign-in", sync_to_thread=False)
def sign_in_page(request: Request[Any, Any, Any], settings: Settings) -> Response[Any]:
    """Where to type name and password."""
    target = _target(request)
    return see(target) if reader() else _sign_in_page(settings, next_page=target)


@post("/sign-in", status_code=200, sync_to_thread=True)
def sign_in_now(
    request: Request[Any, Any, Any], settings: Settings, database: Database, form: Form
) -> Response[Any]:
    """Sign in by name and password; a session that the browser had is over."""
    name, target = form.text("name").strip(), local_address(form.text("next"))
    if not name or not form.fields.get("password"):
        errors = {k: f"Type your {k}." for k in ("name", "password") if not form.fields.get(k)}
        return _sign_in_page(settings, 400, name=name, next_page=target, errors=errors)
    try:
        found = sign_in(database, name, form.fields["password"], address_of(request))
    except TooMany as error:
        errors = {"password": f"{sentence(error)}."}
        answer = _sign_in_page(settings, 429, name=name, next_page=target, errors=errors)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    if found is None:
        errors = {"password": _WRONG}
        return _sign_in_page(settings, 403, name=name, next_page=target, errors=errors)
    return _begin(request, settings, database, found, target)


@get("/sign-in/oidc", sync_to_thread=True)
def oidc_there(request: Request[Any, Any, Any], settings: Settings) -> Response[Any]:
    """To the provider. Nothing changes here: the browser alone keeps the secret of the way."""
    provider = _provider(settings)
    secret = secrets.token_urlsafe(32)
    answer = see(provider.way_there(secret))
    kept = f"{secret}.{quote(_target(request), safe='')}"
    answer.cookies.append(cookie(settings, kept, _WAY_S, "way"))
    return answer


@get(_BACK, sync_to_thread=True)
def oidc_back(
    request: Request[Any, Any, Any], settings: Settings, database: Database
) -> Response[Any]:
    """From the provider, with a code that it exchanges for who somebody is."""
    from roar_glaas.access.oidc_people import person_for

    provider, given = _provider(settings), request.query_params
    secret, _, target = request.cookies.get(cookie_name(settings, "way"), "").partition(".")
    try:
        if "code" not in given:
            # What else the provider may say is for whoever set it up, not for a page.
            raise NotFound("the provider did not sign you in; begin again")
        who = provider.way_back(secret, str(given.get("state", "")), str(given["code"]))
        with database.write() as connection:
            person = person_for(connection, provider.settings, who)
    except Refusal as error:
        status, trouble = 403 if error.status == 404 else error.status, f"{sentence(error)}."
        back = local_address(unquote(target))
        answer = _sign_in_page(settings, status, trouble=trouble, next_page=back)
    else:
        answer = _begin(request, settings, database, person.id, local_address(unquote(target)))
    answer.cookies.append(no_cookie(settings, "way"))
    return answer


@post("/sign-out", status_code=303, sync_to_thread=True)
def sign_out(settings: Settings, database: Database, me: Reader, form: Form) -> Redirect:
    """Sign this browser out."""
    with database.write() as connection:
        web_sessions.end(connection, me.caller.owner_id, me.session_id)
    answer = see("/")
    answer.cookies.append(no_cookie(settings))
    return answer


def _begin(
    request: Request[Any, Any, Any],
    settings: Settings,
    database: Database,
    owner_id: int,
    target: str,
) -> Response[Any]:
    with database.write() as connection:
        web_sessions.end_by(connection, request.cookies.get(cookie_name(settings), ""))
        secret = web_sessions.begin(
            connection,
            owner_id,
            browser=request.headers.get("user-agent", ""),
            address=address_of(request),
        )
    answer = see(target)
    answer.cookies.append(cookie(settings, secret, web_sessions.LONGEST_S))
    return answer


def _sign_in_page(
    settings: Settings,
    status: int = 200,
    *,
    next_page: str,
    name: str = "",
    errors: dict[str, str] | None = None,
    trouble: str = "",
) -> Response[str]:
    return account_page(
        "sign_in.html",
        status,
        name=name,
        next=next_page,
        errors=errors or {},
        trouble=trouble,
        provider=settings.oidc.name if settings.oidc else None,
    )


def _target(request: Request[Any, Any, Any]) -> str:
    """Where to be after signing in: the page of this server in the query's `next`."""
    return local_address(str(request.query_params.get("next", "")))


def _provider(settings: Settings) -> Any:
    if settings.oidc is None:
        raise NotFound("this registry knows no provider to sign in with")
    return _provider_of(settings.oidc, settings.url + _BACK)


@cache
def _provider_of(settings: OidcSettings, redirect_uri: str) -> Any:
    from roar_glaas.access.oidc import Provider

    return Provider(settings, redirect_uri)
