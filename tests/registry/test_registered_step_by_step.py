"""A pipeline that is registered step by step, from two machines, is one lineage at the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from machines import Machine, edge, new_machine, record
from registrants import somebody

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


def step(machine: Machine, number: int, read: str, wrote: str, **more: int) -> str:
    project = machine.project
    return record(
        machine,
        *("python", "step.py", str(number)),
        reads=(edge(project, f"{number - 1}.out", read.encode()),),
        writes=(edge(project, f"{number}.out", wrote.encode()),),
        **more,
    ).uid


def registered(machine: Machine, *words: str) -> list[str]:
    ended = machine.roar("register", "-y", "--json", *words)
    return [uid for one in ended.document["sessions"] for uid in one["jobs"]]


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_each_step_adds_itself_and_all_become_public(shared: Registry, tmp_path: Path) -> None:
    ada = somebody(shared)
    machine = new_machine(tmp_path / "one", shared.url, ROAR_TOKEN=ada.secret)
    told, kept = "0", []
    for number in range(1, 4):
        made = f"{number}"
        uids = [step(machine, number, told, made)]
        if number == 2:  # registered, then undone
            assert registered(machine) == uids
            assert machine.roar("pop", "-y").exit_code == 0
            made += " again"
            uids = [step(machine, number, told, made)]
        if number == 3:  # rerun before anybody was told
            made += " rerun"
            uids.append(step(machine, number, told, made))
        assert registered(machine) == uids
        told = made
        kept.append(uids[-1])
    # Elsewhere nothing is known but what came as a file; and there is no first attempt at step 3.
    sent = str(tmp_path / "sent.json")
    assert machine.roar("export", "3.out", "-o", sent).exit_code == 0
    other = new_machine(tmp_path / "two", shared.url, ROAR_TOKEN=ada.secret)
    other.store().close()
    assert other.roar("import", sent).exit_code == 0
    kept.append(step(other, 4, told, "4", second=60))
    assert registered(other) == kept[-1:]
    anybody = new_machine(tmp_path / "three", shared.url)
    name = edge(other.project, "4.out", b"4").digests["blake3"]
    lineage = ("lineage", name, "--remote", "--json")
    assert anybody.roar(*lineage).exit_code == 1
    assert set(registered(other, "--public", "4.out")) >= set(kept)
    found = anybody.roar(*lineage).document
    assert {job["uid"] for job in found["jobs"]} == set(kept)
    assert registered(machine, "--public", "3.out") == []
    verified = shared.glaas("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for each in (machine, other):
        ended = each.roar("registry", "verify")
        assert ended.exit_code == 0, ended.stderr
