"""Where the user's own tools would go and with which keys, when variables and files say it plainly.

To ask botocore takes half a second, which every run would pay. So what needs no more than a look
is looked up here: keys and an endpoint in variables, or in the chosen profile. Whatever name is met
that is not known to make no difference, it is botocore that is asked (`resolving`); a test compares
the two.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from roar_proxy_s3.runs.resolving import Keys, Resolved

_Profile = Mapping[str, str]
_Profiles = Mapping[str, _Profile]

# Variables that are looked at here, and those that change neither keys nor addresses.
_VARIABLES = frozenset(
    (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
        *("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"),
        *("AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_PAGER", "AWS_DEFAULT_OUTPUT"),
        *("AWS_ALLOW_HTTP", "AWS_REQUEST_CHECKSUM_CALCULATION"),
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
    )
)
# The same of what a profile says.
_SAID = frozenset(
    (
        *("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
        *("region", "endpoint_url", "ca_bundle", "output", "cli_pager", "max_attempts"),
        *("retry_mode", "request_checksum_calculation", "response_checksum_validation"),
    )
)
# Of Amazon's main partition: others have another domain.
_REGION = re.compile(r"(?:af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-\d", re.ASCII)
_NO_REGION = "us-east-1"


def plainly_resolved(environ: Mapping[str, str]) -> Resolved | None:
    """What botocore would find, None when it must be asked."""
    told = {name: value for name, value in environ.items() if name.startswith("AWS_")}
    home = environ.get("HOME")
    if not home or not told.keys() <= _VARIABLES or not all(told.values()):
        return None
    config = _profiles(told.get("AWS_CONFIG_FILE") or f"{home}/.aws/config", prefix="profile ")
    lent = _profiles(told.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials", "")
    if config is None or lent is None:
        return None
    chosen = told.get("AWS_DEFAULT_PROFILE") or told.get("AWS_PROFILE")
    both = {name: {**config.get(name, {}), **lent.get(name, {})} for name in {**config, **lent}}
    if chosen is not None and chosen not in both:
        return None
    name = chosen or "default"
    profile = both.get(name, {})
    if not profile.keys() <= _SAID or not all(profile.values()):
        return None
    keys, method = _keys(told, lent.get(name, {}), config.get(name, {}))
    region = told.get("AWS_DEFAULT_REGION") or profile.get("region")
    endpoint = (
        told.get("AWS_ENDPOINT_URL_S3")
        or told.get("AWS_ENDPOINT_URL")
        or profile.get("endpoint_url")
    )
    if keys is None or not _is_plain(endpoint, region):
        return None
    bundle = told.get("AWS_CA_BUNDLE") or profile.get("ca_bundle")
    return Resolved(
        endpoint or "https://s3.{region}.amazonaws.com",
        region or _NO_REGION,
        "path" if endpoint else "virtual",
        tuple(dict.fromkeys((*_of_profiles(both), keys))),
        method,
        os.path.abspath(bundle) if bundle else None,  # noqa: PTH100 - as botocore takes it
    )


def _keys(told: _Profile, lent: _Profile, config: _Profile) -> tuple[Keys | None, str]:
    """The chosen keys and what botocore calls their place, the first that has some."""
    variables = {name.lower(): value for name, value in told.items()}
    places = (
        (variables, "env"),
        (lent, "shared-credentials-file"),
        (config, "config-file"),
    )
    for place, method in places:
        if "aws_access_key_id" in place or "aws_secret_access_key" in place:
            return _pair(place), method
    return None, ""


def _of_profiles(profiles: _Profiles) -> Iterator[Keys]:
    for profile in profiles.values():
        if (keys := _pair(profile)) is not None:
            yield keys


def _pair(place: _Profile) -> Keys | None:
    key, secret = place.get("aws_access_key_id"), place.get("aws_secret_access_key")
    return (key, secret, place.get("aws_session_token") or None) if key and secret else None


def _is_plain(endpoint: str | None, region: str | None) -> bool:
    if endpoint is not None:
        return endpoint.startswith(("http://", "https://")) and "amazonaws" not in endpoint
    return region is None or _REGION.fullmatch(region) is not None


def _profiles(file: str, prefix: str) -> _Profiles | None:
    """The profiles of a file; None when it is not as simple as most are."""
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RuntimeError):
        return None
    if not text.strip():
        return {}
    import configparser

    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    found: dict[str, dict[str, str]] = {}
    for section in parser.sections():
        name = section
        if prefix and section != "default":
            if not section.startswith(prefix):
                continue
            name = section.removeprefix(prefix).strip()
        if not name or set(name) & set("\"'\\"):
            return None
        found[name] = dict(parser.items(section))
    return found
