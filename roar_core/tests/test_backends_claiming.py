"""Which files backends call theirs: asked about many at a time, each in its own patience."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Any

from roar_core.contracts import Offer
from roar_core.discovery import PluginRef
from roar_core.hookspecs import RunContext
from roar_core.run.backends import Backends
from roar_core.run.partners import Partner, Shortfall


class Sevens:
    """Claims what ends with a seven."""

    name = "sevens"

    def claims(self, run: RunContext, path: PurePath) -> bool:
        return path.name.endswith("7")


class Weary:
    """Claims everything, and fails at its 7,000th path."""

    name = "weary"

    def __init__(self) -> None:
        self.asked = 0

    def claims(self, run: RunContext, path: PurePath) -> bool:
        self.asked += 1
        if self.asked == 7_000:
            raise RuntimeError("no more")
        return True


def partner(backend: Any, folder: Path) -> Partner:
    run = RunContext("ab" * 16, ("true",), folder, folder, folder / backend.name)
    ref = PluginRef("backend", backend.name, "m", f"roar-{backend.name}", "1", "roar.backends")
    return Partner("backend", Offer(ref, backend), run, 60.0)


def test_a_backend_that_fails_loses_what_it_was_asked_last_and_no_other_backend_s(
    tmp_path: Path,
) -> None:
    warned: list[str] = []
    shortfall, weary = Shortfall(warned.append), Weary()
    backends = Backends([partner(weary, tmp_path), partner(Sevens(), tmp_path)], shortfall)
    # Spelled as journals may spell them: the answer is about this spelling.
    paths = [f"/data//{number}" for number in range(20_000)]
    is_claimed = backends.claims(paths)
    claimed = [path for path in paths if is_claimed(path)]
    assert {path for path in paths if path.endswith("7")} <= set(claimed)
    others = [path for path in claimed if not path.endswith("7")]
    assert 0 < len(others) < 7_000
    assert weary.asked == 7_000
    assert [reason.code for reason in shortfall.reasons] == ["backend"]
    assert len(warned) == 1
