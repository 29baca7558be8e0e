"""Which bucket a host's name names: that of a request which the client signed for its store."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# bucket.s3.amazonaws.com, bucket.s3.eu-west-1…, .s3-eu-west-1…, .s3.dualstack.…, accelerated,
# fips, and Express.
_AMAZON = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?"
)
# One leads to a bucket that its name does not tell.
_ACCESS_POINT = re.compile(
    r"(?P<name>[a-z0-9-]+)-(?P<account>\d{12})\.(?:(?P<outpost>op-[0-9a-z]+)\.)?"
    r"(?P<service>s3-accesspoint|s3-object-lambda|s3-outposts)(?:-fips)?(?:\.dualstack)?"
    r"\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?"
)
_OF_MANY_REGIONS = re.compile(r"(?P<alias>[a-z0-9]+\.mrap)\.accesspoint\.s3-global\.amazonaws\.com")
# As it is written where an object is copied from: …accesspoint/name/object/key.
_NAMED = re.compile(r"(?P<begin>arn:[^/]*:accesspoint)[/:](?P<name>[^/]+)/object/(?P<key>.+)", re.S)


def bucket_in(host: str, endpoint: str) -> str | None:
    """The bucket that a host (lower case) names, None if the path does.

    `endpoint` is the store's URL: below another host than Amazon's, only that tells. An access
    point is given by its ARN, with colons alone so that `s3://` can stand before it; one of many
    regions, whose host does not tell all of that, by its alias.
    """
    at = urlsplit(endpoint).netloc.lower()
    if host == at:
        return None
    if host.endswith("." + at):
        return host.removesuffix("." + at)
    name = host.partition(":")[0]
    if found := _ACCESS_POINT.fullmatch(name):
        return _arn(found)
    if found := _OF_MANY_REGIONS.fullmatch(name):
        return found["alias"]
    found = _AMAZON.fullmatch(name)
    return found["bucket"] if found else None


def by_access_point(named: str) -> tuple[str, str] | None:
    """An access point's ARN, as `bucket_in` gives it, and the key in a source of a copy."""
    found = _NAMED.fullmatch(named)
    return (f"{found['begin']}:{found['name']}", found["key"]) if found else None


def _arn(found: re.Match[str]) -> str:
    region = found["region"]
    partition = "aws-us-gov" if region.startswith("us-gov-") else "aws"
    service = found["service"].replace("s3-accesspoint", "s3")
    within = f"outpost:{found['outpost']}:" if found["outpost"] else ""
    begin = f"arn:{'aws-cn' if found['china'] else partition}:{service}:{region}"
    return f"{begin}:{found['account']}:{within}accesspoint:{found['name']}"
