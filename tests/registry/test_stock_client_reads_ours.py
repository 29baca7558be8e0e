"""The client that people use today reads what `roar register` published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from machines import edge, new_machine, record_work
from stock import Checkout

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry


@pytest.mark.parametrize("shared", ["sqlite"], indirect=True)
def test_it_shows_compares_and_would_reproduce(
    shared: Registry, stock_client: Path, tmp_path: Path
) -> None:
    machine = new_machine(tmp_path / "one", shared.url)
    record_work(machine)
    (session,) = machine.roar("register", "-y", "--json").document["sessions"]
    clean, model = (
        edge(machine.project, "x", content).digests["blake3"] for content in (b"clean", b"model")
    )
    home, folder = tmp_path / "home", tmp_path / "theirs"
    home.mkdir()
    folder.mkdir()
    environ = {"HOME": str(home), "PATH": f"{stock_client.parent}:{os.environ['PATH']}"}
    theirs = Checkout(stock_client, folder, environ | {"DO_NOT_TRACK": "1"}).at(shared)
    theirs.git("init", "-q")
    theirs.roar("init", "-n")
    assert "python train.py" in theirs.roar("show", model, "--remote")
    theirs.roar("config", "set", "glaas.query_nonlocal_ids_on_glaas", "true")
    compared = theirs.roar("diff", clean, model)
    assert "only in B: python train.py" in compared
    for words in ((model,), (session["hash"], "--lineage")):
        planned = theirs.roar("reproduce", *words)
        assert "python prepare.py --password ***" in planned.replace("'", "")
        assert "https://git.example.org/x.git" in planned
