"""Bytes that two readers could understand in two ways, and ends that come too early or never."""

from __future__ import annotations

import pytest
from wire_ends import OK, answers, asked, exchanged, heard, taken

from roar_proxy_s3.proxy.wire.outbound import BrokenOffError

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
MUCH = 1 << 20


def put(fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    return b"PUT /first HTTP/%b\r\nHost: x\r\n%b\r\n%b" % (version, fields, body)


def targets(*raw: bytes) -> list[str]:
    return [request.target for request in taken(*raw)[1]]


@pytest.mark.parametrize(
    "raw",
    [
        put(b"Content-Length: 2\r\nContent-Length: 2\r\n", b"ok"),
        put(b"Content-Length: 2\r\nContent-Length: 9\r\n", b"ok"),
        put(b"Content-Length: 2, 2\r\n", b"ok"),
        put(b"Content-Length: +2\r\n", b"ok"),
        put(b"Content-Length: -2\r\n", b"ok"),
        put(b"Content-Length:\r\n", b"ok"),
        put(b"Content-Length: 99999999999999999999\r\n", b"ok"),
        put(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
        put(CHUNKED + CHUNKED, b"0\r\n\r\n"),
        put(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
        put(b"Transfer-Encoding: chunked, gzip\r\n", b"0\r\n\r\n"),
        put(b"Transfer-Encoding: identity\r\n", b"0\r\n\r\n"),
        put(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        put(b"Transfer-Encoding: \vchunked\r\n", b"0\r\n\r\n"),
        put(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
        put(CHUNKED, b"0\r\n\r\n", version=b"1.0"),
        put(CHUNKED + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", b"0\r\n\r\n"),
        put(b"Host: y\r\n"),
        put(b"X: a\r\n folded\r\n"),
        put(b"X : a\r\n"),
        put(b" X: a\r\n"),
        put(b"X Y: a\r\n"),
        put(b": a\r\n"),
        put(b"X\r\n"),
        put(b"X: a\0b\r\n"),
        put(b"X: a\rY: b\r\n"),
        put(b"X: a\nY: b\r\n"),
        put(b"", version=b"1.2"),
        b"PUT /first HTTP/1.1\nHost: x\n\n",
        b"PUT /first second HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_a_request_of_two_meanings_has_none(raw: bytes) -> None:
    found, understood = taken(raw + NEXT)
    assert found.startswith(b"HTTP/1.1 400 ")
    assert found.count(b"HTTP/1.1") == 1
    assert not understood


@pytest.mark.parametrize(
    "body",
    [
        *(b"-2\r\nok", b"0x2\r\nok", b"2\r\nokay", b"2;a\nok", b"ffffffffffffffffff\r\nok"),
        *(b"", b"9", b"9\r\nok", b"2\r\nok\r\n0\r\nX:", b"2\r\nok\r\n0\r\n"),
    ],
)
def test_a_body_that_is_none_is_not_answered(body: bytes) -> None:
    assert asked(put(CHUNKED, body)) == b""


@pytest.mark.parametrize(
    "raw", [b"PU", b"PUT /first HTTP/1.1\r\nHo", put(b"Content-Length: 9\r\n")]
)
def test_a_request_that_is_cut_short_is_not_answered(raw: bytes) -> None:
    assert asked(raw) == b""


@pytest.mark.parametrize("beside", [b"0\r\nX: ", b"0\r\n" + b"X: y\r\n" * 9, b"2;"])
def test_what_never_ends_beside_a_body_is_cut(beside: bytes) -> None:
    pieces = [beside * 9000] * (MUCH // 9000) if beside.endswith(b"\n") else [beside, b"x" * MUCH]
    assert asked(put(CHUNKED, b"2\r\nok\r\n"), *pieces) == b""


def test_fields_behind_a_body_are_not_the_next_request_s() -> None:
    body = b"2;ext=1\r\nok\r\n0\r\nRoar-Run: guessed\r\nHost: evil.example\r\n\r\n"
    _, (_, following) = taken(put(CHUNKED, body) + NEXT)
    assert list(following.fields) == [("Host", "x")]


@pytest.mark.parametrize("cut", [1, 60, 150])
def test_a_wish_for_another_protocol_is_not_heeded(cut: int) -> None:
    """Java's client asks every server for HTTP/2 so."""
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
    length = b"Content-Length: %d\r\n" % len(smuggled)
    raw = put(wish) + put(wish + length, smuggled) + NEXT
    assert targets(raw[:-cut], raw[-cut:]) == ["/first", "/first", "/next"]
    assert asked(raw).count(smuggled) == 1


def test_a_thousand_such_wishes() -> None:
    wish = put(b"Connection: Upgrade\r\nUpgrade: h2c\r\n")
    assert targets(wish * 2000) == ["/first"] * 2000


def test_what_follows_the_last_request_is_no_request() -> None:
    found, understood = taken(put(b"Connection: close\r\n") + NEXT)
    assert found.endswith(b"Connection: close\r\n\r\n/first")
    assert [request.target for request in understood] == ["/first"]


def test_what_came_before_what_is_no_request_is_answered() -> None:
    assert b"\r\n\r\n/first" in asked(put(b"") + b"\0no HTTP\r\n\r\n")


def test_an_old_client_is_told_the_end_by_the_end() -> None:
    keeps = put(b"Connection: keep-alive\r\n", version=b"1.0")
    found, understood = taken(keeps + NEXT, is_chunked=True)
    assert [request.target for request in understood] == ["/first"]
    assert found == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n/first"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX:",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + bytes(1 << 18),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n folded\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"",
    ],
)
def test_an_answer_of_two_meanings_has_none(raw: bytes) -> None:
    with pytest.raises(BrokenOffError):
        exchanged(answers(raw))


def test_what_nobody_has_asked_for_answers_nothing() -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    assert exchanged(answers(OK + evil, evil), count=2) == [(200, b"ok")] * 2


def test_the_answer_to_a_head_is_its_head() -> None:
    assert exchanged(answers(OK, OK), count=2, method="HEAD") == [(200, b"")] * 2


def test_fields_behind_an_answer_are_not_the_next_one_s() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nETag: evil\r\n\r\n"
    _, following = heard(answers(chunked, OK), count=2)
    assert list(following.fields) == [("Content-Length", "2")]
