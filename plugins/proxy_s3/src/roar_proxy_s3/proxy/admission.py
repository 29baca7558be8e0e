"""Who may send a request through, and in what spelling it was signed.

The proxy signs with the owner's keys, so it does that for nobody but those who have signed with
them. The check is S3's own: signature, age (15 minutes, or what a presigned URL says).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

import attrs

from roar_proxy_s3.proxy import signatures
from roar_proxy_s3.proxy.refusals import Refusal, denied, invalid
from roar_proxy_s3.proxy.settings import Credential
from roar_proxy_s3.proxy.signatures import Scope, Target
from roar_proxy_s3.proxy.wire.fields import Fields

STAMP = "%Y%m%dT%H%M%SZ"
_SKEW = timedelta(minutes=15)
_PRESIGNED = frozenset(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
) | {"X-Amz-Security-Token", "X-Amz-Content-Sha256"}
_SIGNATURE = frozenset({"X-Amz-Signature"})


@attrs.frozen
class Admitted:
    """A request that was signed by a key of ours.

    `target` is what to send, less what a presigned URL adds; `signed_as` is the spelling of it that
    the client signed, and that the store will therefore take. `payload` is what
    `x-amz-content-sha256` says of the body. `stamp` and `signature` begin the chain of signed
    chunks.
    """

    credential: Credential
    token: str | None = attrs.field(repr=False)
    scope: Scope
    target: Target
    signed_as: Target
    payload: str
    stamp: str
    signature: str


def admitted(
    method: str,
    target: Target,
    headers: Fields,
    credentials: Mapping[str, Credential],
    now: datetime,
) -> Admitted:
    """The request, if it is signed by one of these credentials.

    Raises:
        Refusal: it is not; the message says why and what to do.
    """
    said = headers.get("Authorization", "")
    if said:
        claim = _claim_in_header(said, headers)
    elif "X-Amz-Signature=" in target.query:
        claim = _claim_in_query(target.query)
    else:
        raise denied(
            "roar's proxy does not take unsigned requests, for it would sign them with your keys; "
            "give the client credentials, or go without the proxy: roar proxy disable"
        )
    credential = credentials.get(claim.key)
    if credential is None:
        raise Refusal(
            403,
            "InvalidAccessKeyId",
            f"roar's proxy has no key {claim.key[:128]!r}: it knows the keys that boto3 found when "
            "the run began; put this one where boto3 finds it (AWS_PROFILE, AWS_ACCESS_KEY_ID, "
            "~/.aws), or go without the proxy: roar proxy disable",
        )
    _timely(claim, now)
    presigned = not said
    # A presigned request's body is unsigned unless it says otherwise.
    unsaid = signatures.UNSIGNED if presigned else signatures.EMPTY_SHA256
    payload = headers.get("x-amz-content-sha256") or claim.payload or unsaid
    covered = Target(
        target.path,
        signatures.without(target.query, _SIGNATURE) if presigned else target.query,
    )
    for spelling in dict.fromkeys((covered, covered.encoded())):
        made = signatures.signature(
            credential.secret, claim.scope, claim.stamp, method, spelling, headers,
            claim.signed, payload,
        )  # fmt: skip
        if signatures.is_same(made, claim.signature):
            break
    else:
        raise Refusal(
            403,
            "SignatureDoesNotMatch",
            f"this was not signed with the secret of {claim.key!r} that roar's proxy has; "
            "is another secret set in the program?",
        )
    sent = target
    if presigned:
        sent = Target(target.path, signatures.without(target.query, _PRESIGNED))
        spelling = Target(spelling.path, signatures.without(spelling.query, _PRESIGNED))
    token = credential.token or headers.get("x-amz-security-token") or claim.token
    return Admitted(
        credential, token, claim.scope, sent, spelling, payload, claim.stamp, claim.signature
    )


@attrs.frozen
class _Claim:
    """What a request says of its own signature."""

    key: str
    scope: Scope
    signed: list[str]
    signature: str
    stamp: str
    lasts: timedelta | None = None
    payload: str | None = None
    token: str | None = attrs.field(default=None, repr=False)


def _claim_in_header(said: str, headers: Fields) -> _Claim:
    algorithm, _, rest = said.partition(" ")
    _known(algorithm)
    pairs = (part.partition("=") for part in rest.split(","))
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    stamp = headers.get("x-amz-date") or _stamp(headers.get("Date", ""))
    return _claim(fields, "", stamp)


def _claim_in_query(query: str) -> _Claim:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    _known(asked.get("X-Amz-Algorithm", ""))
    claim = _claim(asked, "X-Amz-", asked.get("X-Amz-Date", ""))
    lasts = asked.get("X-Amz-Expires", "")
    if not (lasts.isdigit() and int(lasts) <= 604800):
        raise invalid("X-Amz-Expires is a number of seconds, a week at most")
    return attrs.evolve(
        claim,
        lasts=timedelta(seconds=int(lasts)),
        payload=asked.get("X-Amz-Content-Sha256"),
        token=asked.get("X-Amz-Security-Token"),
    )


def _known(algorithm: str) -> None:
    if algorithm == signatures.ALGORITHM:
        return
    raise invalid(
        f"roar's proxy takes requests signed by {signatures.ALGORITHM}, not {algorithm[:64]!r}: "
        "set the client to signature version 4, with one region, or go without the proxy: "
        "roar proxy disable"
    )


def _claim(fields: Mapping[str, str], prefix: str, stamp: str) -> _Claim:
    parts = unquote(fields.get(prefix + "Credential", "")).rsplit("/", 4)
    signed = fields.get(prefix + "SignedHeaders", "").lower().split(";")
    if len(parts) != 5 or parts[4] != "aws4_request" or not stamp.startswith(parts[1]):
        raise invalid("the request's Authorization is not one of signature version 4")
    if "host" not in signed:
        raise denied("the request's signature does not cover its Host")
    key, date, region, service, _ = parts
    scope = Scope(date, region, service)
    return _Claim(key, scope, sorted(signed), fields.get(prefix + "Signature", ""), stamp)


def _timely(claim: _Claim, now: datetime) -> None:
    try:
        since = _time(claim.stamp)
    except ValueError as error:
        raise invalid("the request's x-amz-date is no time") from error
    if since > now + _SKEW or now > since + (claim.lasts or _SKEW):
        code = "AccessDenied" if claim.lasts else "RequestTimeTooSkewed"
        raise Refusal(403, code, f"the request was signed at {claim.stamp}: it has expired")


@lru_cache(maxsize=64)
def _time(stamp: str) -> datetime:
    """Many requests are signed within one second, and to read a time takes long."""
    return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)


def _stamp(date: str) -> str:
    # Seldom needed, and slow to import.
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime(STAMP)
    except ValueError:
        return ""
