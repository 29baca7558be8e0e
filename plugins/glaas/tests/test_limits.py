"""How much is taken at once, and that a large registration may come in pieces."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from roar_glaas.door import Door
from roar_glaas.errors import BadRequest
from roar_glaas.registration import wire
from roar_glaas.registration.intake import MOST_COMPONENTS, composite_piece
from roar_glaas.storage.database import sqlite_address

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    from plugins.glaas.tests.conftest import serving

    folder = tmp_path_factory.mktemp("narrow")
    (folder / "glaas.toml").write_text("registration_jobs = 4\nregistration_bytes = 20000\n")
    with serving(sqlite_address(folder / "glaas.db"), folder) as found:
        yield found


def jobs(*uids: str) -> dict[str, list[dict[str, object]]]:
    same = {"command": "x", "timestamp": 1.0, "step_number": 1}
    return {"jobs": [{"job_uid": uid, **same} for uid in uids]}


def test_a_registration_comes_in_pieces_up_to_its_limits(narrow: Registry) -> None:
    told = narrow.client.get("/api/v1/health").json()["limits"]
    assert (told["registration_jobs"], told["registration_bytes"]) == (4, 20000)
    uids = [uuid.uuid4().hex for _ in range(5)]
    opened = narrow.open()
    opened.post("jobs/batch", jobs(*uids[:2]))
    opened.post("jobs/batch", jobs(*uids[1:4]))  # one of them once more: it counts once
    beyond = opened.answer("jobs/batch", jobs(uids[4]))
    assert (beyond.status_code, beyond.json()["error"]) == (413, "too_large")
    assert "at most 4 jobs" in beyond.json()["detail"]
    path = f"jobs/{uids[0]}/inputs"
    links = [[{"hash": f"{n:064x}", "path": "/in" * 900}] for n in range(9)]
    answers = [opened.answer(path, {"artifacts": one}).status_code for one in links]
    taken = answers.index(413)
    assert answers == [201] * taken + [413] * (9 - taken)
    expected = {"jobs": 4, "inputs": taken, "outputs": 0}
    name = opened.post("finalize", {"expected": expected})["session_hash"]
    assert len(narrow.client.get(f"/api/v1/sessions/{name}").json()["jobs"]) == 4


def test_a_dataset_has_a_most_of_members() -> None:
    one = wire.Component(
        relative_path="a", leaf_kind="file", component_algorithm="blake3", component_digest="a" * 64
    )
    body = wire.Composite(
        hash="a" * 64,
        hashes=[wire.Digest(algorithm="composite-blake3", digest="a" * 64)],
        component_count_total=MOST_COMPONENTS + 1,
        components=[one] * (MOST_COMPONENTS + 1),
    )
    with pytest.raises(BadRequest, match="at most 100000 components"):
        composite_piece(Door(), body)
