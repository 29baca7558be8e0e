"""Access points, as botocore dials and signs them: Amazon's hosts are names here, not machines.

The proxy is led by `http_proxy` to a store of the tests' own, which thereby is any host.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import proxies
import pytest
from botocore.config import Config
from botocore.session import get_session
from proxies import SECRET
from s3_servers import KEY, S3Server
from s3_servers import SECRET as KEY_SECRET

from roar_proxy_s3.proxy.hosts import bucket_in

ACCOUNT = "us-west-2:123456789012"
AMAZON = "https://s3.{region}.amazonaws.com"


def amazon() -> Any:
    """A client of Amazon's, by plain HTTP."""
    return get_session().create_client(
        "s3",
        region_name="us-west-2",
        use_ssl=False,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY_SECRET,
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """The same for all: it takes longer to make than to use."""
    with closing(amazon()) as found:
        yield found


@pytest.mark.parametrize(
    ("named", "bucket"),
    [
        (f"arn:aws:s3:{ACCOUNT}:accesspoint/my-ap", f"arn:aws:s3:{ACCOUNT}:accesspoint:my-ap"),
        (f"arn:aws:s3:{ACCOUNT}:accesspoint:my-ap", f"arn:aws:s3:{ACCOUNT}:accesspoint:my-ap"),
        (
            f"arn:aws:s3-object-lambda:{ACCOUNT}:accesspoint/small",
            f"arn:aws:s3-object-lambda:{ACCOUNT}:accesspoint:small",
        ),
        (
            f"arn:aws:s3-outposts:{ACCOUNT}:outpost/op-01234567890123456/accesspoint/out",
            f"arn:aws:s3-outposts:{ACCOUNT}:outpost:op-01234567890123456:accesspoint:out",
        ),
        ("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "mfzwi23gnjvgw.mrap"),
        ("my-ap-abc123def456-s3alias", "my-ap-abc123def456-s3alias"),
        ("plain-bucket", "plain-bucket"),
    ],
)
def test_what_botocore_dials_names_the_access_point(named: str, bucket: str, client: Any) -> None:
    url = client.generate_presigned_url("get_object", {"Bucket": named, "Key": "key"})
    assert bucket_in(urlsplit(url).netloc, AMAZON) == bucket


def test_an_access_point_by_both_internet_protocols() -> None:
    host = "my-ap-123456789012.s3-accesspoint-fips.dualstack.us-gov-west-1.amazonaws.com"
    named = "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint:my-ap"
    assert bucket_in(host, AMAZON) == named


def test_an_access_point_through_the_proxy(
    rclone: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed is passed on as it is; the record names the access point."""
    arn, seen = f"arn:aws:s3:{ACCOUNT}:accesspoint/my-ap", list[str]()
    listening = socket.create_server(("127.0.0.1", 0))
    body = "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"
    sent = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"

    def store() -> None:
        with listening, suppress(ConnectionError):
            for _ in range(2):
                with listening.accept()[0] as connection:
                    seen.append(connection.recv(65536).decode())
                    connection.sendall(sent.encode())

    thread = threading.Thread(target=store, daemon=True)
    thread.start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listening.getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with proxies.started(tmp_path, rclone, endpoint=AMAZON) as proxy:

        def dial(request: Any, **_: Any) -> None:
            host = urlsplit(request.url).netloc
            request.headers["Host"] = host
            request.headers["Roar-Run"], request.headers["Roar-Origin"] = SECRET, f"http://{host}"
            request.url = request.url.replace(f"http://{host}", proxy.url)

        monkeypatch.delenv("http_proxy")
        with closing(amazon()) as client:
            client.meta.events.register("before-send.s3", dial)
            at: Any = {"Bucket": arn, "Key": "a=b/c d"}
            got = client.get_object(**at, VersionId="v1", RequestPayer="requester")
            assert got["Body"].read().decode() == body
            client.copy_object(Bucket="other", Key="copy", CopySource=at)
        read, copied = proxy.told("a=b/c d")[0], proxy.told("copy")[0]
    thread.join(timeout=60)
    host = "my-ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com"
    assert seen[0].startswith(f"GET http://{host}/a%3Db/c%20d?versionId=v1 HTTP/1.1\r\n")
    assert f"\r\nHost: {host}\r\n" in seen[0]
    assert "\r\nx-amz-request-payer: requester\r\n" in seen[0]
    named = f"arn:aws:s3:{ACCOUNT}:accesspoint:my-ap"
    assert (read["bucket"], read["version"]) == (named, "v1")
    assert (copied["source"]["bucket"], copied["source"]["key"]) == (named, "a=b/c d")
