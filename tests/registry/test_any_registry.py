"""A registry that knows GLaaS v1 and nothing beyond it: all works, or says what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from between import Between, standing_between
from machines import edge, new_machine, record, record_work
from registrants import somebody

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.fixture
def between(shared: Registry) -> Iterator[Between]:
    with standing_between(shared.url) as found:
        found.hidden = frozenset({"links_batch", "known_jobs", "publish"})
        found.missing = ("/jobs/known", "/graph/", "/v1/log/", "/export/")
        yield found


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_the_protocol_alone_is_enough(shared: Registry, between: Between, tmp_path: Path) -> None:
    ada = somebody(shared)
    machine = new_machine(tmp_path / "one", between.url, ROAR_TOKEN=ada.secret)
    project = machine.project
    first = record_work(machine)
    assert len(machine.roar("register", "-y", "--json").document["jobs"]) == len(first)
    made = edge(project, "report.txt", b"report")
    more = record(machine, "report", reads=(edge(project, "model.bin", b"model"),), writes=(made,))
    told = machine.roar("register", "-y", "--json").document
    assert told["jobs"] == [more.uid]
    (project / "report.txt").write_bytes(b"report")
    put = machine.roar("put", "report.txt", f"{tmp_path}/store/", "-y", "--json").document
    assert (put["problem"], len(put["registration"]["jobs"])) == (None, 1)
    assert machine.roar("label", "set", "report.txt", "seen=yes").exit_code == 0
    for words in (("label", "sync", "-y"), ("label", "set", "--remote", "@1", "stage=clean")):
        ended = machine.roar(*words)
        assert ended.exit_code == 0, ended.stderr
    verified = machine.roar("registry", "verify")
    assert "has no log" in verified.stdout + verified.stderr
    public = machine.roar("register", "--public", "-y", "report.txt")
    assert public.exit_code == 0, public.stderr
    anybody = new_machine(tmp_path / "two", between.url)
    found = anybody.roar("show", made.digests["blake3"], "--remote", "--json").document
    assert more.uid in {one["job"]["uid"] for one in found["producers"]}
    lineage = anybody.roar("lineage", made.digests["blake3"], "--remote", "--json").document
    assert {job["uid"] for job in lineage["jobs"]} == {more.uid, *first[:2]}
