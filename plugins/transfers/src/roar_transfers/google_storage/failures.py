"""What Google's libraries raise, as sentences with a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from roar_core.errors import AlreadyThereError, NotFoundError, RoarError, TemporaryError

_SIGN_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key"
)


# So long the library goes on trying by itself; then roar does.
PATIENCE_S = 5.0


def patience() -> Any:
    """How the library tries again what it may."""
    from google.cloud.storage.retry import DEFAULT_RETRY  # type: ignore[import-untyped]

    return DEFAULT_RETRY.with_timeout(PATIENCE_S)


@contextmanager
def explaining(doing: str, url: str) -> Iterator[None]:
    """Turn what the libraries raise in the block into RoarErrors; `doing` completes "cannot"."""
    import requests
    from google.api_core import exceptions as api
    from google.auth import exceptions as auth

    try:
        yield
    except api.RetryError as error:
        raise TemporaryError(f"cannot {doing} {url}: it went on failing: {error.cause}") from error
    except api.GoogleAPICallError as error:
        raise answered(int(error.code or 0), error.message, doing, url) from error
    except auth.TransportError as error:
        raise TemporaryError(f"cannot {doing} {url}: Google cannot be reached") from error
    except auth.GoogleAuthError as error:
        said = " ".join(str(error.args[0] if error.args else error).split()).rstrip(".")
        raise RoarError(f"cannot {doing} {url}: {said}; {_SIGN_IN}") from error
    except requests.exceptions.SSLError as error:
        raise RoarError(
            f"cannot {doing} {url}: there is no trusted connection to the store: {error}; "
            "REQUESTS_CA_BUNDLE can name the certificates to trust"
        ) from error
    except requests.exceptions.RequestException as error:
        raise TemporaryError(
            f"cannot {doing} {url}: Google Cloud Storage cannot be reached or broke off"
        ) from error


def answered(status: int, message: str | None, doing: str, url: str) -> RoarError:
    """The store has answered, with a refusal."""
    said = " ".join((message or "").split()).rstrip(".")
    if status == 404:
        return NotFoundError(f"there is nothing at {url}; check its spelling")
    if status == 412 and doing == "write":
        return AlreadyThereError(f"there is an object at {url} already")
    if status in (304, 412, 416):
        return RoarError(f"{url} is no longer what it was; start again to have what it is now")
    if status in (401, 403):
        return RoarError(f"Google does not let you {doing} {url}: {said}; {_SIGN_IN}")
    if status in (408, 429) or status >= 500:
        return TemporaryError(f"cannot {doing} {url}: Google answered {status}")
    return RoarError(f"cannot {doing} {url}: Google answered {status}: {said or 'no reason'}")
