"""Which bucket a host's name names: that of a request which the client signed for its store."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# bucket.s3.amazonaws.com, bucket.s3.eu-west-1…, .s3-eu-west-1…, .s3.dualstack.…, accelerated,
# fips, and Express; an access point stands for the bucket that it leads to.
_AMAZON = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:-[a-z0-9-]+)?(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?"
)


def bucket_in(host: str, endpoint: str) -> str | None:
    """The bucket that a host (lower case) names, None if the path does.

    `endpoint` is the store's URL: below another host than Amazon's, only that tells.
    """
    at = urlsplit(endpoint).netloc.lower()
    if host == at:
        return None
    if host.endswith("." + at):
        return host.removesuffix("." + at)
    found = _AMAZON.fullmatch(host.partition(":")[0])
    return found["bucket"] if found else None
