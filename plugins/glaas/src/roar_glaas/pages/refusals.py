"""A refusal as people read it: one page for whatever it was, here or in an account."""

from __future__ import annotations

from litestar import Response

from roar_glaas.errors import Refusal
from roar_glaas.pages.rendering import page

_TITLES = {
    401: "Sign in first",
    403: "Not allowed",
    404: "Not found",
    409: "Not possible",
    429: "Too often",
    503: "Not now",
}


def refusal_page(
    error: Refusal, *, otherwise: str, conflict: str = "", private_at: str = ""
) -> Response[str]:
    """The page; `otherwise` is its title where the status has none, `conflict` that of a 409.

    `private_at` is where somebody who has not signed in might see what is asked for.
    """
    title = _TITLES.get(error.status, otherwise)
    if error.status == 409 and conflict:
        title = conflict
    message = f"{sentence(error)}."
    answer = page("refused.html", error.status, title=title, message=message, private_at=private_at)
    if error.retry_after_s is not None:
        answer.headers["Retry-After"] = str(error.retry_after_s)
    return answer


def sentence(error: Refusal) -> str:
    """A refusal's words as the beginning of a sentence."""
    words = str(error)
    return words[:1].upper() + words[1:]
