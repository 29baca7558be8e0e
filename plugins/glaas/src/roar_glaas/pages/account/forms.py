"""What a form on one of our pages sends, and the proof that it was one of ours.

Browsers say where a form was: `Sec-Fetch-Site` where the connection can be trusted, `Origin` for
every POST. Forms of people who are signed in carry a token of their session besides.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
from litestar import Request

from roar_glaas.access.reader import STATE, Reader
from roar_glaas.door import storable
from roar_glaas.errors import BadRequest, Forbidden
from roar_glaas.settings import Settings

TOKEN = "form_token"  # noqa: S105 - the name of a field
MOST_BYTES = 64 * 1024
_MOST_FIELDS = 50


@attrs.frozen
class Form:
    """The fields of a form, each once."""

    fields: dict[str, str]

    def text(self, name: str) -> str:
        """What was typed; empty when nothing was. Raises BadRequest for half a character."""
        return storable(self.fields.get(name, ""), name)

    def __contains__(self, name: str) -> bool:
        return name in self.fields


async def posted_form(request: Request[Any, Any, Any], settings: Settings) -> Form:
    """The form of a request, which must come from a page of ours; for every POST to a page.

    Raises Forbidden when it may be somebody else's, BadRequest when it is no form.
    """
    if not comes_from_here(request, settings):
        raise Forbidden(
            "this form was not on a page of this registry; open the page again and repeat it"
        )
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in ("application/x-www-form-urlencoded", ""):
        raise BadRequest("a form is sent as application/x-www-form-urlencoded")
    try:
        text = (await request.body()).decode("ascii")
        fields = dict(
            parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        )
    except ValueError as error:
        raise BadRequest("the form cannot be read: it is no text in UTF-8") from error
    reader: Reader | None = request.scope["state"].get(STATE)
    given = fields.get(TOKEN, "").encode("utf-8", "replace")
    if reader is not None and not compare_digest(given, reader.form_token.encode("ascii")):
        raise Forbidden(
            "this form is from before you signed in, or not ours; open the page again and repeat it"
        )
    return Form(fields)


def comes_from_here(request: Request[Any, Any, Any], settings: Settings) -> bool:
    """Whether the browser says that the form was on a page of this server."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin", "")
    if settings.public_url:
        stated = urlsplit(settings.url)
        return origin.lower() == f"{stated.scheme}://{stated.netloc}".lower()
    return origin.lower() == f"http://{request.headers.get('host', '')}".lower()
