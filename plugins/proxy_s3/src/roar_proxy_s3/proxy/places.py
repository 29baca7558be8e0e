"""Where a bucket is at the store: which URL, which region, and how it is addressed."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from roar_proxy_s3.proxy.settings import Settings
from roar_proxy_s3.proxy.wire.pool import Origin

_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
# A bucket's name that can stand before a host's; with a dot, no certificate would fit.
_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)


class Place(NamedTuple):
    """A store's origin and what its path begins with."""

    origin: Origin
    base: str


def place(settings: Settings, region: str, bucket: str | None) -> Place:
    """Where requests on a bucket go that is in this region; `bucket` None: named in the path."""
    at = urlsplit(settings.endpoint.replace("{region}", region))
    host = at.netloc if bucket is None else f"{bucket}.{at.netloc}"
    return Place(Origin(at.scheme, host), at.path.rstrip("/"))


def is_regional(settings: Settings) -> bool:
    """Whether each region has an endpoint of its own."""
    return "{region}" in settings.endpoint


def is_region(name: str) -> bool:
    return bool(_REGION.fullmatch(name))


def goes_before_host(settings: Settings, bucket: str) -> bool:
    """Whether a bucket is told to the store in the host's name."""
    return settings.addressing == "virtual" and bool(_LABEL.fullmatch(bucket))
