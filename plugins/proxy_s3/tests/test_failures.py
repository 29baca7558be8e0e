"""What goes wrong with S3 is one sentence, which names the thing and the remedy."""

from __future__ import annotations

import gc
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faulty_server import Fault, faulty
from s3_servers import S3Server, new_user, variables_for

from roar_core.errors import NotFoundError, RoarError, TemporaryError
from roar_core.hookspecs import RemoteObject
from roar_core.testing.transfer import bytes_of, upload_of
from roar_proxy_s3.transfer.s3 import S3Transfer


@pytest.fixture
def transfer(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Transfer]:
    """A transfer that has not connected yet, in an environment without a trace of AWS."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environ = variables_for("http://127.0.0.1:1", "AKIDNOTREALATALL", "not-a-real-secret")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with closing(S3Transfer()) as transfer:
        yield transfer


@pytest.fixture(autouse=True)
def no_connection_is_left() -> Iterator[None]:
    """Errors and their tracebacks refer to each other, and to connections."""
    gc.freeze()  # what was there before need not be gone through: that takes long
    yield
    gc.collect()
    gc.unfreeze()


def said(error: pytest.ExceptionInfo[RoarError]) -> str:
    """What a user is told, when it is one sentence."""
    text = str(error.value)
    assert "\n" not in text
    assert not text.endswith(".")
    assert text[0].islower() or text.startswith("S3")
    assert "not-a-real-secret" not in text
    return text


def test_wrong_keys_are_told_apart(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, bucket: str
) -> None:
    for name, words in (
        ("AWS_SECRET_ACCESS_KEY", "the secret key in use is not the access key's"),
        ("AWS_ACCESS_KEY_ID", "the access key"),  # rclone does not tell this from the other
    ):
        right = server.variables[name]
        monkeypatch.setenv(name, right[::-1])
        with closing(S3Transfer()) as transfer, pytest.raises(RoarError) as error:
            list(transfer.list(f"s3://{bucket}/folder/"))
        assert words in said(error)
        monkeypatch.setenv(name, right)


def test_who_may_not_read_or_write_is_told_so(
    moto: S3Server, bucket_on_moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with moto.client() as client:
        client.put_object(Bucket=bucket_on_moto, Key="a", Body=b"1")
    reader = new_user(moto, ["s3:ListBucket"])
    for name, value in reader.variables.items():
        monkeypatch.setenv(name, value)
    url = f"s3://{bucket_on_moto}/a"
    (source := tmp_path / "a").write_bytes(b"2")
    with closing(S3Transfer()) as transfer:
        with pytest.raises(RoarError) as error:
            bytes_of(transfer, RemoteObject(url, 1))
        assert f"does not let these credentials read {url}" in said(error)
        with pytest.raises(RoarError) as error:
            transfer.put(upload_of(source, url, replace=True))
        assert f"does not let these credentials write {url}" in said(error)
        # What may be listed is listed, without versions.
        with pytest.raises(NotFoundError):
            list(transfer.list(f"s3://{bucket_on_moto}/b/"))


def test_no_credentials_at_all(transfer: S3Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(RoarError) as error:
        list(transfer.list("s3://bucket"))
    assert "no credentials for S3 were found" in said(error)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with closing(S3Transfer()) as other, pytest.raises(RoarError) as error:
        list(other.list("s3://bucket"))
    assert "nobody" in said(error)


def test_no_bucket(server: S3Server, bucket: str, tmp_path: Path) -> None:
    (source := tmp_path / "a").write_bytes(b"2")
    with closing(S3Transfer()) as transfer:
        for url in ("s3://no-such-bucket-here", "s3://no-such-bucket-here/a"):
            with pytest.raises(NotFoundError) as error:
                list(transfer.list(url))
            assert said(error).startswith("there is no bucket no-such-bucket-here")
        with pytest.raises(NotFoundError) as error:
            transfer.put(upload_of(source, "s3://no-such-bucket-here/a"))
        assert said(error).startswith("there is no bucket no-such-bucket-here")


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (Fault(503, "SlowDown", {"Retry-After": "7"}), TemporaryError, "S3 answered 503 SlowDown"),
        (Fault(500, "InternalError"), TemporaryError, "S3 answered 500"),
        (Fault(502, "<html>Bad gateway</html>"), TemporaryError, "S3 answered 502"),
        (Fault(403, "RequestTimeTooSkewed"), RoarError, "set the clock"),
        (Fault(400, "ExpiredToken"), RoarError, "the credentials in use have expired"),
        (
            Fault(400, "AuthorizationHeaderMalformed", detail="<Region>eu-west-9</Region>"),
            RoarError,
            "set AWS_REGION",
        ),
        (Fault(301, "PermanentRedirect"), RoarError, "in circles"),
        (
            Fault(301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-9"}),
            RoarError,
            "is in another region, eu-west-9",
        ),
        (Fault(403, "InvalidObjectState"), RoarError, "restore it first"),
        (Fault(200, "<html>Please sign in</html>"), RoarError, "does not speak S3"),
        (Fault(404, "<html>No</html>"), NotFoundError, "there is nothing at s3://bucket/folder/"),
    ],
    ids=lambda value: value.body[:20] if isinstance(value, Fault) else "",
)
def test_what_a_store_answers(
    transfer: S3Transfer,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    kind: type[RoarError],
    words: str,
) -> None:
    with faulty(fault) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(RoarError) as error:
            list(transfer.list("s3://bucket/folder/"))
    assert type(error.value) is kind
    assert words in said(error)
    if "Retry-After" in fault.headers:
        assert isinstance(error.value, TemporaryError)
        assert error.value.after_s == 7


def test_nobody_listens(
    transfer: S3Transfer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1.* cannot be reached") as error:
        list(transfer.list("s3://bucket"))
    assert "AWS_ENDPOINT_URL_S3" in said(error)


def test_an_endpoint_that_is_none(transfer: S3Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "minio:9000")
    with pytest.raises(
        RoarError, match=r"the settings for AWS cannot be used: .*minio:9000"
    ) as error:
        list(transfer.list("s3://bucket"))
    said(error)


def test_a_certificate_that_is_not_trusted(
    transfer: S3Transfer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem")
    subprocess.run(
        ("openssl", "req", "-x509", *made, "-subj", "/CN=localhost", "-days", "2"),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def shake_hands() -> None:
            connection, _ = listening.accept()
            try:
                with context.wrap_socket(connection, server_side=True):
                    pass
            except OSError:  # the client has hung up, as it should
                connection.close()

        thread = threading.Thread(target=shake_hands)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"https://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(RoarError, match="there is no trusted connection to 127") as error:
            list(transfer.list("s3://bucket"))
        thread.join()
    assert "AWS_CA_BUNDLE" in said(error)
    assert not isinstance(error.value, TemporaryError)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///key",
        "s3://AKIA:secret@bucket/key",
        "s3://b/key",
        f"s3://bucket/{'x' * 1025}",
    ],
)
def test_urls_that_name_nothing(transfer: S3Transfer, url: str) -> None:
    with pytest.raises(RoarError):
        list(transfer.list(url))
    with pytest.raises(RoarError):
        transfer.below(url, "name")


def test_names_that_are_no_text_are_refused(transfer: S3Transfer) -> None:
    with pytest.raises(RoarError, match="UTF-8"):
        transfer.below("s3://bucket/folder", os.fsdecode(b"\xff.txt"))
