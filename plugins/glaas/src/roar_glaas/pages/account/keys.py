"""SSH keys on the page of one's account: added, and removed again."""

from __future__ import annotations

from typing import Any

from litestar import Response, post
from litestar.response import Redirect

from roar_glaas.access.people import person_of
from roar_glaas.access.reader import Reader
from roar_glaas.access.ssh import add_key, remove_key
from roar_glaas.errors import BadRequest, Conflict
from roar_glaas.pages.account.answers import see
from roar_glaas.pages.account.forms import Form
from roar_glaas.pages.account.own import account_at
from roar_glaas.pages.refusals import sentence
from roar_glaas.storage.database import Database

_PRIVATE = "This is the private half of a key, which nobody else should have: give its .pub file."


@post("/account/keys", status_code=303, sync_to_thread=True)
def add_own_key(database: Database, me: Reader, form: Form) -> Response[Any]:
    """Add the key whose public half was typed."""
    text = form.text("key").strip()
    if "PRIVATE KEY" in text:
        # It is not kept, and not sent back either.
        return account_at(database, me, 400, errors={"key": _PRIVATE})
    try:
        with database.write() as connection:
            add_key(connection, person_of(connection, me.caller.owner_id), text)
    except (BadRequest, Conflict) as error:
        errors = {"key": f"{sentence(error)}."}
        return account_at(database, me, 400, errors=errors, typed_key=text)
    return see("/account?done=key-added#keys")


@post("/account/keys/remove", status_code=303, sync_to_thread=True)
def remove_own_key(database: Database, me: Reader, form: Form) -> Redirect:
    """Remove the key with this fingerprint."""
    with database.write() as connection:
        person = person_of(connection, me.caller.owner_id)
        remove_key(connection, person, form.text("fingerprint"))
    return see("/account?done=key-removed#keys")
