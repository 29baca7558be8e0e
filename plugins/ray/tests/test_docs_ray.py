"""What docs/ray.md shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from roar_core.testing.projects import ProjectUnderTest
from roar_ray import roar_config_sections

PAGE = Path(__file__).resolve().parents[3] / "docs" / "ray.md"


@pytest.fixture
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_example_prints_what_the_page_shows(
    page: str, project: ProjectUnderTest, ray_python: str
) -> None:
    [(name, script)] = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", page, re.M | re.S)
    [console] = re.findall(r"^```console\n(.*?)^```$", page, re.M | re.S)
    project.environ |= {
        "PATH": os.path.dirname(ray_python) + os.pathsep + os.environ["PATH"],
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "180",
    }
    project.write(name, script)
    for number in range(3):
        project.write(f"in-{number}.txt", str(number))
    said = ""
    for line in console.splitlines():
        if line.startswith("$ roar "):
            done = project.roar(*shlex.split(line.removeprefix("$ roar ")))
            assert done.exit_code == 0, done.stderr
            said = done.stdout
        else:
            assert line in said.splitlines()


def test_the_page_lists_every_setting_with_its_default(page: str) -> None:
    [section] = roar_config_sections()
    [shown] = re.findall(r"^```toml\n\[ray\]\n(.*?)^```$", page, re.M | re.S)
    told = dict(re.findall(r"^(\w+) = (\S+(?: MiB\")?)", shown, re.M))
    expected = {}
    for key in section.keys:
        default = f'"{key.default >> 20} MiB"' if key.kind == "size" else key.default
        expected[key.name] = {True: "true", "auto": '"auto"', 20.0: "20"}.get(default, str(default))
    assert told == expected
