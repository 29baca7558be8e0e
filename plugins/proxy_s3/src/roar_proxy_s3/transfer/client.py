"""One botocore client, set up as the user's own AWS tools are.

Credentials, region, endpoint, profile, proxies, certificates and retries come from where botocore
looks: the variables AWS_*, ~/.aws/config and ~/.aws/credentials, the machine's role. Nothing of it
is in roar's configuration, which may come with a checkout from somebody else.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

# Above what roar uses at once: further ones botocore throws away after use, and says so.
_CONNECTIONS = 64


def connect() -> Any:
    """A client of S3, which threads may share. Raises botocore's exceptions."""
    # Slow to import: only for those who move something.
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.session import get_session  # type: ignore[import-untyped]

    config = Config(
        max_pool_connections=_CONNECTIONS,
        user_agent_extra="roar",
        # Checksums are sent with every upload, as headers, which every store takes. What botocore
        # would add by itself over https is a trailer, which many stores refuse.
        request_checksum_calculation="when_required",
        # Some stores tell the checksum of the whole with a part of it, which botocore would refuse.
        response_checksum_validation="when_required",
    )
    client = get_session().create_client("s3", config=config)
    if is_amazon(client):
        for operation in ("UploadPart", "PutObject"):
            client.meta.events.register(f"before-sign.s3.{operation}", _name_checksum)
    return client


def is_amazon(client: Any) -> bool:
    """Whether requests go to Amazon itself, which keeps every condition that it is sent."""
    host = urlsplit(client.meta.endpoint_url).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _name_checksum(request: Any, **about: object) -> None:
    """Say that a body has its checksum: botocore knows only of those that it computes.

    By its own rule it then signs no SHA-256 of a body that goes by TLS: 0.6 s of CPU for each GiB.
    Amazon compares the checksum. Other stores may compare only what is signed: there it stays.
    """
    for name in request.headers:
        if name.lower() in ("x-amz-checksum-crc32", "x-amz-checksum-sha256"):
            told = request.context.setdefault("checksum", {})
            told["request_algorithm"] = {"in": "header", "name": name}
