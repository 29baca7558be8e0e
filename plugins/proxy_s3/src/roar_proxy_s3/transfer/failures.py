"""botocore's exceptions as sentences with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from roar_core.errors import NotFoundError, RoarError, TemporaryError

_SIGN_IN = "run `aws configure` or `aws sso login`, or set AWS_PROFILE"

# What S3 calls a refusal -> what it means. {url}, {bucket}, {host} and {region} are filled in.
_REFUSALS: Mapping[str, str] = {
    "InvalidAccessKeyId": f"{{host}} does not know the access key in use; {_SIGN_IN}",
    "SignatureDoesNotMatch": (
        "{host} says that the secret key in use is not the access key's; look at "
        "AWS_SECRET_ACCESS_KEY or ~/.aws/credentials"
    ),
    "ExpiredToken": f"the credentials in use have expired; {_SIGN_IN}",
    "InvalidToken": f"{{host}} does not take the session token in use; {_SIGN_IN}",
    "RequestTimeTooSkewed": (
        "the clock of this machine is too far from that of {host}, which takes no signature then; "
        "set the clock"
    ),
    "PermanentRedirect": "the bucket {bucket} is in another region, {region}; set AWS_REGION to it",
    "AuthorizationHeaderMalformed": (
        "{host} expects requests signed for the region {region}; set AWS_REGION to it"
    ),
    "InvalidObjectState": "{url} is archived; restore it first: aws s3api restore-object",
    "QuotaExceeded": "there is no room left for {url}: the quota at {host} is used up",
    "InsufficientStorage": "there is no room left for {url} at {host}",
}
_TEMPORARY = {
    *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"),
    *("InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "BadDigest"),
    *("ConditionalRequestConflict", "RequestTimeTooFast", "XAmzContentSHA256Mismatch"),
}


@contextmanager
def explaining(doing: str, url: str) -> Iterator[None]:
    """Turn what botocore raises in the block into RoarErrors; `doing` completes "cannot"."""
    from botocore import exceptions as botocore  # type: ignore[import-untyped]
    from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

    try:
        yield
    except botocore.ClientError as error:
        raise _of_answer(error, doing, url) from error
    except botocore.BotoCoreError as error:
        raise _of_request(error, doing, url) from error
    except ResponseParserError as error:
        raise not_s3(doing, url) from error
    except RecursionError as error:  # botocore follows where it is sent to, however often
        raise RoarError(
            f"cannot {doing} {url}: S3 sends from region to region in circles; set AWS_REGION to "
            "the bucket's"
        ) from error


def not_s3(doing: str, url: str) -> RoarError:
    """The error for an answer that no S3 gives: a sign-in page, another service."""
    return RoarError(
        f"cannot {doing} {url}: what answers does not speak S3; is AWS_ENDPOINT_URL_S3 right, and "
        "no proxy in between"
    )


def changed(url: str) -> str:
    """What is said of an object whose bytes are others than those that were listed."""
    return f"{url} is no longer what it was; start again to have what it is now"


def code_of(error: Any) -> str:
    """What the store calls the failure: `NoSuchKey`; `404` where it answered without a body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    """The status of the answer that `error` stands for."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _of_answer(error: Any, doing: str, url: str) -> RoarError:
    """The store has answered, with a refusal."""
    code, status = code_of(error), status_of(error)
    details = error.response.get("Error", {})
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    said = " ".join(str(details.get("Message") or "").split()).rstrip(".")
    bucket = url.partition("://")[2].partition("/")[0]
    facts = {
        "url": url,
        "bucket": bucket,
        "host": "S3",
        "region": details.get("Region") or headers.get("x-amz-bucket-region") or "one of its own",
    }
    if code == "NoSuchBucket":
        return NotFoundError(f"there is no bucket {bucket}, so no {url}; check its spelling")
    if code in _REFUSALS:
        return RoarError(_REFUSALS[code].format_map(facts))
    if code in _TEMPORARY or (status >= 500 and status != 501) or status == 429:
        reason = f"S3 answered {status} {code}".rstrip()
        return TemporaryError(f"cannot {doing} {url}: {reason}", _seconds(headers))
    if status == 404:
        version = " of this version" if code == "NoSuchVersion" else ""
        return NotFoundError(f"there is nothing{version} at {url}; check its spelling")
    if status in (412, 416):
        return RoarError(changed(url))
    if status in (301, 307, 400) and "region" in facts and "x-amz-bucket-region" in headers:
        return RoarError(_REFUSALS["PermanentRedirect"].format_map(facts))
    if status in (401, 403):
        because = f", it says: {said}" if said and said != "Forbidden" else ""
        return RoarError(f"S3 does not let these credentials {doing} {url}{because}; {_SIGN_IN}")
    return RoarError(f"cannot {doing} {url}: S3 answered {status} {code}: {said or 'no reason'}")


def _of_request(error: Any, doing: str, url: str) -> RoarError:
    """There was no answer, or no request."""
    from botocore import exceptions as botocore

    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, botocore.NoCredentialsError | botocore.PartialCredentialsError):
        return RoarError(
            f"cannot {doing} {url}: no credentials for S3 were found; {_SIGN_IN} or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(error, botocore.ProfileNotFound):
        return RoarError(f"cannot {doing} {url}: {said}; look at AWS_PROFILE and ~/.aws/config")
    host = urlsplit(str(error.kwargs.get("endpoint_url", ""))).netloc or "S3"
    if isinstance(error, botocore.SSLError):
        reason = said.rpartition(" for https")[0] or said
        return RoarError(
            f"there is no trusted connection to {host}: {reason}; AWS_CA_BUNDLE can name the "
            "certificates to trust"
        )
    if isinstance(error, botocore.EndpointConnectionError | botocore.ConnectTimeoutError):
        return TemporaryError(
            f"cannot {doing} {url}: {host} cannot be reached; is it up, and AWS_ENDPOINT_URL_S3 "
            "or AWS_REGION right"
        )
    if isinstance(
        error,
        botocore.HTTPClientError | botocore.IncompleteReadError | botocore.ResponseStreamingError,
    ):
        return TemporaryError(f"cannot {doing} {url}: the connection to {host} broke off")
    return RoarError(f"cannot {doing} {url}: {said}")


def _seconds(headers: Mapping[str, str]) -> float | None:
    """How long the store asks to be left alone."""
    try:
        return float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
