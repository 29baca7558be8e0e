"""Who is let through the proxy, and who is told why not."""

from __future__ import annotations

import gc
import http.client
import os
import stat
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from proxies import SECRET, Proxy, client
from s3_servers import S3Server


@pytest.fixture
def stranger(proxy_of_moto: Proxy, request: pytest.FixtureRequest) -> Any:
    found = client(proxy_of_moto.url, proxy_of_moto.server, **request.param)
    yield found
    found.close()
    # botocore lets go of a connection that answered in place of "100 Continue" only so.
    gc.collect()


@pytest.mark.parametrize(
    ("stranger", "code", "remedy"),
    [
        ({"secret": "another-secret-entirely"}, "SignatureDoesNotMatch", "another secret"),
        ({"key": "AKIDNOBODYKNOWS"}, "InvalidAccessKeyId", "AWS_PROFILE"),
        ({"signature_version": "s3"}, "InvalidRequest", "version 4"),
    ],
    indirect=["stranger"],
)
def test_a_wrong_signature_is_refused(
    stranger: Any, bucket_on_moto: str, code: str, remedy: str
) -> None:
    for call in (stranger.get_object, stranger.put_object):
        with pytest.raises(ClientError) as failure:
            call(Bucket=bucket_on_moto, Key="key")
        error = failure.value.response["Error"]
        assert error["Code"] == code
        assert remedy in error["Message"]


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, "unsigned"),
        ({"Host": "evil.example"}, "answers only the run"),
        ({"Host": "127.0.0.1:1"}, "answers only the run"),
        ({"Host": "evil.example", "Roar-Run": "guessed"}, "answers only the run"),
        ({"Host": "evil.example", "Roar-Run": SECRET}, "Roar-Origin"),
        (
            {"Host": "evil.example", "Roar-Run": SECRET, "Roar-Origin": "http://other.example"},
            "Roar-Origin",
        ),
    ],
)
def test_the_unsigned_and_the_foreign_are_refused(
    proxy_of_moto: Proxy, headers: dict[str, str], word: str
) -> None:
    status, answer = _asked(proxy_of_moto, "GET", "/bucket/key", headers)
    assert status == 403
    assert word in answer


def test_presigned_by_the_client(proxy_of_moto: Proxy, bucket_on_moto: str) -> None:
    with_proxy = proxy_of_moto.client(signature_version="s3v4")
    at = {"Bucket": bucket_on_moto, "Key": "pre=signed/ä b"}
    put = urlsplit(with_proxy.generate_presigned_url("put_object", at))
    get = urlsplit(with_proxy.generate_presigned_url("get_object", at))
    with_proxy.close()
    assert _asked(proxy_of_moto, "PUT", f"{put.path}?{put.query}", {}, b"bytes")[0] == 200
    assert _asked(proxy_of_moto, "GET", f"{get.path}?{get.query}", {}) == (200, "bytes")
    spoilt = get.query[:-1] + ("0" if get.query[-1] != "0" else "1")
    assert _asked(proxy_of_moto, "GET", f"{get.path}?{spoilt}", {})[0] == 403
    assert [fact["operation"] for fact in proxy_of_moto.told(at["Key"], 2)] == [
        "PutObject",
        "GetObject",
    ]


def test_passed_through_with_the_clients_own_signature(
    proxy_of_moto: Proxy, moto: S3Server, bucket_on_moto: str
) -> None:
    """What botocore's hook does: dial the proxy once the request is signed for the store."""
    direct = client(moto.url, moto)

    def dial(request: Any, **_: Any) -> None:
        request.headers["Host"] = urlsplit(moto.url).netloc
        request.headers["Roar-Run"], request.headers["Roar-Origin"] = SECRET, moto.url
        request.url = request.url.replace(moto.url, proxy_of_moto.url)

    direct.meta.events.register("before-send.s3", dial)
    at: Any = {"Bucket": bucket_on_moto, "Key": "through=it/ä b"}
    direct.put_object(**at, Body=b"bytes")
    assert direct.get_object(**at)["Body"].read() == b"bytes"
    direct.close()
    put, get = proxy_of_moto.told(at["Key"], 2)
    assert (put["bucket"], put["blake3"]) == (bucket_on_moto, get["blake3"])


def test_secrets_are_on_no_file(proxy_of_moto: Proxy) -> None:
    assert not (proxy_of_moto.folder / "proxy.json").exists()
    secrets = (proxy_of_moto.server.variables["AWS_SECRET_ACCESS_KEY"], SECRET)
    for file in proxy_of_moto.folder.iterdir():
        assert not any(secret in file.read_text() for secret in secrets)
    facts = proxy_of_moto.folder / "objects.jsonl"
    assert stat.S_IMODE(facts.stat().st_mode) == 0o600
    with open(f"/proc/{proxy_of_moto.process.pid}/cmdline") as command:
        assert not any(secret in command.read() for secret in secrets)


@pytest.mark.needs("root")
def test_another_user_of_the_machine_gets_nothing(proxy_of_moto: Proxy) -> None:
    """Who cannot read the run's folder knows neither the secret nor a key to sign with."""
    facts, nobody = proxy_of_moto.folder / "objects.jsonl", 65534
    child = os.fork()
    if child == 0:
        try:
            os.setuid(nobody)
            refused = _asked(proxy_of_moto, "GET", "/bucket/key", {})[0] == 403
            try:
                facts.read_bytes()
            except PermissionError:
                os._exit(0 if refused else 2)
            os._exit(3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_it_listens_on_loopback_only(proxy_of_moto: Proxy) -> None:
    pid = proxy_of_moto.process.pid
    with open(f"/proc/{pid}/net/tcp") as table:
        listening = {line.split()[1] for line in table if line.split()[3] == "0A"}
    assert f"0100007F:{proxy_of_moto.port:04X}" in listening
    assert f"00000000:{proxy_of_moto.port:04X}" not in listening
    assert os.getpid() != pid


def _asked(
    proxy: Proxy, method: str, target: str, headers: dict[str, str], body: bytes | None = None
) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port)
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found
