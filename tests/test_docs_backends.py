"""The page for platform teams shows code of the example it leads through, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "backends.md").read_text(encoding="utf-8")


def left_aligned(code: str) -> str:
    """Code without indentation and empty lines: a page shows methods as functions."""
    return re.sub(r"^\s+", "", code, flags=re.M)


SHOWN = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
SOURCES = [
    left_aligned(file.read_text(encoding="utf-8"))
    for file in (ROOT / "examples" / "backend_slurm" / "src").rglob("*.py")
]


@pytest.mark.parametrize("code", SHOWN, ids=lambda code: code.split("\n")[0].strip()[:40])
def test_the_code_is_the_example_s(code: str) -> None:
    assert any(left_aligned(code) in source for source in SOURCES)


def test_every_method_is_spoken_of() -> None:
    for method in ("detect", "plan", "adopt", "claims", "collect", "coverage", "finalise"):
        assert f"`{method}`" in PAGE
