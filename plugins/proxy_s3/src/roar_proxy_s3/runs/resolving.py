"""Where the user's own tools would go and with which keys, found as botocore finds them.

The chain is botocore's own: variables, profiles, roles. Nothing of it is roar's configuration,
which may come with a checkout from somebody else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

# With these every program that asks gets the same keys, for as long as a run may take. Others are
# lent to each program anew, or run out: a proxy cannot know them.
_LASTING = frozenset(("env", "shared-credentials-file", "config-file"))
_AMAZON = re.compile(r"(?P<before>.*\bs3)(?:\.(?P<region>[a-z0-9-]+))?(?P<after>\.amazonaws\..+)")


# Key id, secret, token.
Keys = tuple[str, str, str | None]


@attrs.frozen
class Resolved:
    """What holds for a command that is started here.

    `credentials` are empty when those of the chain do not last, whose
    `method` is then named, None when there are none at all.
    """

    endpoint: str
    region: str
    addressing: Literal["path", "virtual"]
    credentials: tuple[Keys, ...] = attrs.field(repr=False)
    method: str | None
    ca_bundle: str | None


def resolved() -> Resolved:
    """Ask botocore, in this process's environment. Raises botocore's exceptions."""
    from botocore.session import get_session  # type: ignore[import-untyped]

    session = get_session()
    chosen = session.get_credentials()
    method = chosen.method if chosen is not None else None
    is_lasting = method in _LASTING
    credentials = dict.fromkeys(_of_profiles(session.full_config.get("profiles", {})))
    if chosen is not None and is_lasting:
        frozen = chosen.get_frozen_credentials()
        credentials[(frozen.access_key, frozen.secret_key, frozen.token or None)] = None
    # A signature is not needed to learn where a client would go.
    client = session.create_client("s3")
    ca_bundle = session.get_config_variable("ca_bundle")
    asked = (client.meta.config.s3 or {}).get("addressing_style")
    endpoint, is_amazon = _endpoint(client.meta.endpoint_url)
    is_virtual = asked == "virtual" or (is_amazon and asked != "path")
    return Resolved(
        endpoint,
        session.get_config_variable("region") or client.meta.region_name or "us-east-1",
        "virtual" if is_virtual else "path",
        tuple(credentials) if is_lasting else (),
        method,
        os.path.abspath(ca_bundle) if ca_bundle else None,  # noqa: PTH100 - as botocore takes it
    )


def reason_against(found: Resolved) -> str:
    """Why a proxy cannot stand in for the store; empty when it can, or nobody has keys to sign."""
    if found.credentials or found.method is None:
        return ""
    return (
        f"credentials by {found.method} are lent to each program anew, so that the proxy cannot "
        "check who signs; it sees what Python programs move by botocore, and no others"
    )


def _of_profiles(profiles: dict[str, Any]) -> Iterator[Keys]:
    """The keys of every profile: a program may choose its own."""
    for profile in profiles.values():
        key, secret = profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")
        if key and secret:
            yield key, secret, profile.get("aws_session_token") or None


def _endpoint(url: str) -> tuple[str, bool]:
    """The store's URL, Amazon's for every region; and whether it is Amazon's."""
    at = urlsplit(url)
    found = _AMAZON.fullmatch(at.hostname or "")
    if found is None:
        return url, False
    return f"{at.scheme}://{found['before']}.{{region}}{found['after']}", True
