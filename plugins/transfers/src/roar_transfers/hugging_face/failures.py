"""What huggingface_hub raises, as sentences with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from roar_core.errors import NotFoundError, RoarError, TemporaryError

_SIGN_IN = "sign in with `hf auth login`, or set HF_TOKEN"


@contextmanager
def explaining(doing: str, url: str) -> Iterator[None]:
    """Turn what the library raises in the block into RoarErrors; `doing` completes "cannot"."""
    from huggingface_hub import errors as hub

    # The library's own base of what goes wrong on the way: it has changed its HTTP client before.
    bases: Any = hub.HfHubHTTPError.__bases__
    [on_the_way] = [base for base in bases if base is not OSError]
    try:
        yield
    except hub.GatedRepoError as error:
        raise RoarError(
            f"cannot {doing} {url}: its owner asks you to agree to terms first; ask for access on "
            f"its page, and {_SIGN_IN}"
        ) from error
    except hub.RepositoryNotFoundError as error:
        raise NotFoundError(
            f"there is no repository for {url}, or it is not yours to see; check its spelling, "
            f"{_SIGN_IN}, or create it with `hf repo create`"
        ) from error
    except hub.RevisionNotFoundError as error:
        raise NotFoundError(f"there is no such revision: {url}; check its spelling") from error
    except hub.EntryNotFoundError as error:
        raise NotFoundError(f"there is nothing at {url}; check its spelling") from error
    except hub.HfHubHTTPError as error:
        raise _answered(error, doing, url) from error
    except hub.OfflineModeIsEnabled as error:
        raise RoarError(f"cannot {doing} {url}: HF_HUB_OFFLINE is set; unset it") from error
    except (hub.LocalTokenNotFoundError, hub.HFValidationError) as error:
        raise RoarError(f"cannot {doing} {url}: {_line(error)}; {_SIGN_IN}") from error
    except on_the_way as error:
        raise TemporaryError(
            f"cannot {doing} {url}: the hub cannot be reached or broke off; is HF_ENDPOINT right"
        ) from error
    except (RuntimeError, ValueError) as error:  # of uploads: `Error while uploading 'x'`
        if isinstance(error.__cause__, on_the_way):
            raise TemporaryError(f"cannot {doing} {url}: {_line(error.__cause__)}") from error
        raise RoarError(f"cannot {doing} {url}: {_line(error)}") from error


def _answered(error: Any, doing: str, url: str) -> RoarError:
    """The hub has answered, with a refusal."""
    status = error.response.status_code
    if status in (401, 403):
        return RoarError(f"the hub does not let you {doing} {url}; {_SIGN_IN}")
    if status == 404:
        return NotFoundError(f"there is nothing at {url}; check its spelling")
    if status in (408, 409, 412, 429) or status >= 500:
        return TemporaryError(
            f"cannot {doing} {url}: the hub answered {status}", _seconds(error.response.headers)
        )
    said = error.server_message or _line(error)
    return RoarError(f"cannot {doing} {url}: the hub answered {status}: {said}")


def _line(error: BaseException | None) -> str:
    return " ".join(str(error).split()).rstrip(".")


def _seconds(headers: Any) -> float | None:
    """How long the hub asks to be left alone."""
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
