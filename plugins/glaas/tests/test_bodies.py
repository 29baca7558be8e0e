"""Bodies that nobody honest sends: each is refused in one sentence, and never breaks the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

UID = "1" * 32
# All of a job but its step, to be continued.
JOB = f'"command": "x", "timestamp": 1, "job_uid": "{UID}"'.encode()
WHOLE = {"command": "x", "timestamp": 1, "job_uid": UID, "step_number": 1}


def refuse(registry: Registry, path: str, content: bytes, kind: str = "application/json") -> Any:
    opened = registry.open()
    return registry.client.post(
        f"/api/v1/registration-sessions/{opened.name}/{path}",
        content=content,
        headers={"Authorization": f"RegistrationSession {opened.token}", "Content-Type": kind},
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the body"),
        (b"{", "the body is no JSON"),
        (b"null", "the body"),
        (b"\xff\xfe{}", "no UTF-8"),
        (b'{"jobs": "\xff"}', "no UTF-8"),
        (b'{"jobs": [{"command": "\\ud800"}]}', "half a character"),
        (b'{"jobs": [], "jobs": []}', "'jobs' comes twice"),
        (b'{"jobs": [{%s, "step_number": 1, "step_number": 1}]}' % JOB, "'step_number'"),
        (b'{"jobs": [{%s, "step_number": NaN}]}' % JOB, "NaN"),
        (b'{"jobs": [{%s, "step_number": -Infinity}]}' % JOB, "-Infinity"),
        (b'{"jobs": [{%s, "step_number": %s}]}' % (JOB, b"9" * 5000), "step_number"),
        (b'{"jobs": [{%s, "step_number": 1e999}]}' % JOB, "step_number"),
        (b'{"jobs": [{%s, "step_number": "1"}]}' % JOB, "step_number"),
        (b'{"jobs": [{%s, "step_number": true}]}' % JOB, "step_number"),
        (b'{"jobs": [{%s}]}' % JOB, "step_number"),
        (b'{"jobs": [7]}', "jobs"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"jobs": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "nested too deeply"),
        (b'{"jobs": [], "x": "\x00"}', "no JSON"),
    ],
)
def test_a_body_that_is_no_plain_json_is_refused(
    refusing: Registry, content: bytes, words: str
) -> None:
    answer = refuse(refusing, "jobs/batch", content)
    assert 400 <= answer.status_code < 500, answer.text
    assert words in answer.json()["detail"], answer.text


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": "\\ud800"}',
        '{"a": 1, "a": 2}',
        '{"a": 99999999999999999999999}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\u0000"}',
        '{"a": ' * 5_000 + "1" + "}" * 5_000,
        '"' + "x" * (1 << 20) + '"',
    ],
)
def test_metadata_that_could_not_be_told_again_is_refused(
    refusing: Registry, metadata: str
) -> None:
    described = {"hashes": [{"algorithm": "blake3", "digest": "e" * 64}], "metadata": metadata}
    answer = refuse(refusing, "artifacts/batch", json.dumps({"artifacts": [described]}).encode())
    assert answer.status_code == 400, answer.text
    assert "artifact eeeeeeeeeeee: metadata" in answer.json()["detail"]


@pytest.mark.parametrize("depth", [50, 200, 400, 900])
def test_metadata_is_refused_or_read_back(shared: Registry, depth: int) -> None:
    """However deep: what is taken can be told again."""
    name = f"{depth:064}"
    document = '{"a":' * depth + "1" + "}" * depth
    opened = shared.open()
    described = {"hashes": [{"algorithm": "blake3", "digest": name}], "metadata": document}
    answer = opened.answer("artifacts/batch", {"artifacts": [described]})
    if depth == 50:
        assert answer.status_code == 201
    if answer.status_code == 400:
        assert "nested too deeply" in answer.json()["detail"]
        return
    opened.post("jobs/batch", {"jobs": [WHOLE | {"job_uid": f"{depth:032}"}]})
    opened.post("finalize", {})
    assert shared.client.get(f"/api/v1/artifacts/{name}").status_code == 200


def test_times_are_within_what_json_tells_exactly(refusing: Registry) -> None:
    for seconds, status in ((8.9e9, 200), (9.1e9, 400)):
        opened = refusing.open()
        body = WHOLE | {"timestamp": seconds}
        answer = opened.answer("jobs/batch", {"jobs": [body | {"job_uid": "9" * 32}]})
        if status == 400:
            assert answer.status_code == 400
            assert "timestamp" in answer.json()["detail"]
        else:
            assert opened.answer("finalize", {}).status_code == 200


def test_a_body_of_another_kind_is_refused(refusing: Registry) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"):
        answer = refuse(refusing, "jobs/batch", b"jobs=1", kind)
        assert 400 <= answer.status_code < 500, (kind, answer.text)


def test_a_body_that_is_too_large_is_refused(refusing: Registry) -> None:
    answer = refuse(refusing, "jobs/batch", b" " * (32 * 1024 * 1024 + 1))
    assert answer.status_code == 413
    assert "large" in answer.json()["detail"].lower()


def test_a_key_that_comes_twice_is_found_at_once_among_many(refusing: Registry) -> None:
    """One by one this body would keep the server busy for a day, long beyond the client's wait."""
    keys = b",".join(b'"%d":0' % number for number in range(1_000_000))
    answer = refuse(refusing, "jobs/batch", b"{%s,%s}" % (keys, b'"999999":1'))
    assert answer.status_code == 400
    assert "'999999' comes twice" in answer.json()["detail"]
