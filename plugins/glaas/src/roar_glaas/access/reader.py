"""Who reads a page, as far as the browser's cookie tells."""

from __future__ import annotations

import attrs

from roar_glaas.access.caller import Caller

STATE = "reader"
"""Where the state of a page's request holds its Reader. Only pages have one: see pages.browser."""


@attrs.frozen(kw_only=True)
class Reader:
    """Somebody who is signed in with a browser; `form_token` is what their forms carry."""

    caller: Caller
    session_id: int
    form_token: str
