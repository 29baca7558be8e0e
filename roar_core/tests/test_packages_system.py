"""Which packages of the operating system own files, from each family's database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from roar_core.environment.system_packages import system_packages

DPKG_STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9

Package: tool
Version: 1:2.0~rc1-3

Package: wrapper
Version: 7
"""


def dpkg_at(root: Path) -> str:
    database = root / "var/lib/dpkg"
    (database / "info").mkdir(parents=True)
    (database / "status").write_text(DPKG_STATUS)
    (database / "info/libc6:amd64.list").write_text("/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n")
    (database / "info/tool.list").write_text("/.\n/usr/bin/tool\n/usr/share/with space\n")
    (database / "info/wrapper.list").write_text("/.\n/usr/bin/tool\n")
    (database / "info/removed.list").write_text("/opt/left-over\n")
    (database / "diversions").write_text("/usr/bin/tool\n/usr/bin/tool.real\nwrapper\n")
    return os.fspath(root)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", {"libc6": "2.36-9"}),
        ("/lib/x86_64-linux-gnu/libc.so.6", {"libc6": "2.36-9"}),
        ("/usr/share/with space", {"tool": "1:2.0~rc1-3"}),
        ("/usr/bin/tool", {"wrapper": "7"}),
        ("/usr/bin/tool.real", {"tool": "1:2.0~rc1-3"}),
        ("/opt/left-over", {}),
        ("/usr/local/bin/mine", {}),
        ("/usr/bin/new\nline", {}),
    ],
)
def test_dpkg_tells_the_owner(tmp_path: Path, path: str, owner: dict[str, str]) -> None:
    assert system_packages([path], f"{tmp_path}/cache", dpkg_at(tmp_path)) == owner


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="this system has no dpkg")
def test_the_answers_are_those_of_dpkg_itself(tmp_path: Path) -> None:
    libraries = sorted(Path("/usr/lib").glob("*-linux-gnu*/*.so*"))[::10]
    paths = {os.path.realpath(path) for path in (*libraries, "/bin/ls", "/usr/bin/env", "/bin/sh")}
    spelled = [*paths, *(path.removeprefix("/usr") for path in paths)]
    found = subprocess.run(["dpkg-query", "-S", *spelled], capture_output=True, text=True).stdout
    owners = {line.partition(":")[0] for line in found.splitlines() if not _is_diversion(line)}
    form = "-Wf=${Package} ${Version}\\n"
    told = subprocess.run(["dpkg-query", form, *owners], capture_output=True, text=True).stdout
    assert len(owners) > 3
    assert system_packages(paths, os.fspath(tmp_path)) == dict(
        line.split() for line in told.splitlines()
    )


def _is_diversion(line: str) -> bool:
    return line.startswith("diversion by ")


def test_apk_tells_the_owner(tmp_path: Path) -> None:
    database = tmp_path / "lib/apk/db/installed"
    database.parent.mkdir(parents=True)
    database.write_text(
        "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nZ:Q1y=\n\n"
        "P:zlib\nV:1.3-r0\nF:usr\nF:usr/lib\nR:libz.so.1.3\n\n"
    )
    asked = ["/lib/ld-musl-x86_64.so.1", "/usr/lib/libz.so.1.3", "/usr/lib/other.so"]
    expected = {"musl": "1.2.4-r2", "zlib": "1.3-r0"}
    assert system_packages(asked, f"{tmp_path}/cache", os.fspath(tmp_path)) == expected
    merged = ["/usr/lib/ld-musl-x86_64.so.1"]
    assert system_packages(merged, f"{tmp_path}/c2", os.fspath(tmp_path)) == {"musl": "1.2.4-r2"}


def test_an_rpm_database_without_rpm_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "var/lib/rpm").mkdir(parents=True)
    (tmp_path / "var/lib/rpm/rpmdb.sqlite").write_text("x")
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert system_packages(["/usr/bin/env"], f"{tmp_path}/cache", os.fspath(tmp_path)) == {}


def test_a_question_without_an_answer_is_asked_again(tmp_path: Path) -> None:
    root, cache = dpkg_at(tmp_path), f"{tmp_path}/cache"
    lists = tmp_path / "var/lib/dpkg/info"
    lists.rename(tmp_path / "hidden")
    assert system_packages(["/usr/bin/tool"], cache, root) == {}
    (tmp_path / "hidden").rename(lists)
    assert system_packages(["/usr/bin/tool"], cache, root) == {"wrapper": "7"}


def test_without_a_database_nothing_is_told(tmp_path: Path) -> None:
    assert system_packages(["/usr/bin/env"], f"{tmp_path}/cache", os.fspath(tmp_path)) == {}
    assert system_packages([], f"{tmp_path}/cache") == {}


def test_answers_are_kept_until_the_database_changes(tmp_path: Path) -> None:
    root, cache = dpkg_at(tmp_path), f"{tmp_path}/cache"
    asked = ["/usr/share/with space", "/unowned"]
    assert system_packages(asked, cache, root) == {"tool": "1:2.0~rc1-3"}
    lists = tmp_path / "var/lib/dpkg/info"
    lists.rename(tmp_path / "hidden")
    assert system_packages(asked, cache, root) == {"tool": "1:2.0~rc1-3"}
    (tmp_path / "hidden").rename(lists)
    status = tmp_path / "var/lib/dpkg/status"
    status.write_text(DPKG_STATUS.replace("1:2.0~rc1-3", "1:2.1"))
    assert system_packages(asked, cache, root) == {"tool": "1:2.1"}


@pytest.mark.parametrize("damage", ["", "{", '{"stamp": 1, "owners": 3}', "[1]"])
def test_a_damaged_cache_costs_only_time(tmp_path: Path, damage: str) -> None:
    (tmp_path / "cache").mkdir()
    cache = tmp_path / "cache/system-packages.json"
    cache.write_text(damage)
    root = dpkg_at(tmp_path)
    found = system_packages(["/usr/bin/tool"], os.fspath(cache.parent), root)
    assert found == {"wrapper": "7"}
    assert json.loads(cache.read_text())["owners"] == {"/usr/bin/tool": ["wrapper", "7"]}


def test_a_known_answer_writes_nothing(tmp_path: Path) -> None:
    root, cache = dpkg_at(tmp_path), f"{tmp_path}/cache"
    system_packages(["/usr/bin/tool"], cache, root)
    file = tmp_path / "cache/system-packages.json"
    written = file.stat().st_ino, file.stat().st_mtime_ns
    system_packages(["/usr/bin/tool"], cache, root)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == written
