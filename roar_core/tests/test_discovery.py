"""Discovery finds what `importlib.metadata` finds, cheaper, and survives broken installations."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roar_core.discovery import KINDS, PluginRef, disabled_names, find_plugins, is_disabled

ANALYZER = "[roar.analyzers]\n{0} = {0}_module\n"


def install(
    folder: Path, name: str, entry_points: str | bytes | None, version: str = "1.0"
) -> Path:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if entry_points is not None:
        data = entry_points if isinstance(entry_points, bytes) else entry_points.encode()
        (info / "entry_points.txt").write_bytes(data)
    return info


def found(*path: Path, groups: tuple[str, ...] | None = None) -> list[PluginRef]:
    return find_plugins(groups, [str(folder) for folder in path])


def names(*path: Path) -> list[str]:
    return [ref.name for ref in found(*path)]


def test_a_plugin_is_told_with_its_distribution_and_version(tmp_path: Path) -> None:
    install(tmp_path, "roar-Swan.lab", "[roar.analyzers]\nswanlab = roar_swan:plugin [extra]\n")
    assert found(tmp_path) == [
        PluginRef(
            "analyzer", "swanlab", "roar_swan:plugin", "roar-Swan.lab", "1.0", "roar.analyzers"
        )
    ]


def test_only_the_groups_asked_for_are_given(tmp_path: Path) -> None:
    install(tmp_path, "both", "[roar.tracers]\nt = both\n[roar.analyzers]\na = both\n")
    install(tmp_path, "stranger", "[console_scripts]\nroar.x = stranger:main\n")
    assert [ref.name for ref in found(tmp_path, groups=("roar.tracers",))] == ["t"]
    assert names(tmp_path) == ["a", "t"]


def test_order_is_by_name_whatever_the_folder_says(tmp_path: Path) -> None:
    for name in ("zeta", "alpha", "mid"):
        install(tmp_path, name, ANALYZER.format(name))
    assert names(tmp_path) == ["alpha", "mid", "zeta"]


def test_the_first_folder_on_the_path_decides_about_a_distribution(tmp_path: Path) -> None:
    install(tmp_path / "a", "Some.Plugin", "[console_scripts]\nnothing = of:ours\n", "2.0")
    install(tmp_path / "b", "some_plugin", ANALYZER.format("some"), "1.0")
    assert names(tmp_path / "a", tmp_path / "b") == []
    assert names(tmp_path / "b", tmp_path / "a") == ["some"]


def test_a_folder_twice_on_the_path_gives_its_plugins_once(tmp_path: Path) -> None:
    install(tmp_path / "lib", "one", ANALYZER.format("one"))
    (tmp_path / "lib64").symlink_to(tmp_path / "lib")
    assert names(tmp_path / "lib", tmp_path / "lib", tmp_path / "lib64") == ["one"]


def test_two_distributions_may_offer_one_name(tmp_path: Path) -> None:
    install(tmp_path, "left", "[roar.analyzers]\nsame = left\n")
    install(tmp_path, "right", "[roar.analyzers]\nsame = right\n")
    assert [ref.distribution for ref in found(tmp_path)] == ["left", "right"]


def test_of_two_versions_in_one_folder_the_newer_is_meant(tmp_path: Path) -> None:
    install(tmp_path, "torn", "[roar.analyzers]\nold = torn\n", "1.9")
    install(tmp_path, "torn", "[roar.analyzers]\nnew = torn\n", "1.10")
    assert names(tmp_path) == ["new"]


def test_what_pip_left_behind_of_a_removal_is_passed_over(tmp_path: Path) -> None:
    install(tmp_path, "gone", ANALYZER.format("gone")).rename(tmp_path / "~one-1.0.dist-info")
    assert names(tmp_path) == []


def test_an_egg_info_folder_counts(tmp_path: Path) -> None:
    info = tmp_path / "devel.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: devel\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(ANALYZER.format("devel"))
    egg = tmp_path / "older-1.2-py3.11.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "PKG-INFO").write_text("Name: older\nVersion: 1.2\n")
    (egg / "EGG-INFO" / "entry_points.txt").write_text(ANALYZER.format("older"))
    assert [(r.distribution, r.version) for r in found(tmp_path, egg)] == [
        ("devel", "0.3"),
        ("older", "1.2"),
    ]


def test_a_zip_on_the_path_is_searched(tmp_path: Path) -> None:
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("zipped-3.0.dist-info/METADATA", "Name: zipped\nVersion: 3.0\n")
        bundle.writestr("zipped-3.0.dist-info/entry_points.txt", ANALYZER.format("zipped"))
        bundle.writestr("zipped_module.py", "")
    assert [(r.name, r.distribution, r.version) for r in found(archive)] == [
        ("zipped", "zipped", "3.0")
    ]


def test_a_broken_installation_hides_no_other(tmp_path: Path) -> None:
    install(tmp_path, "good", ANALYZER.format("good"))
    install(tmp_path, "a-folder", None).joinpath("entry_points.txt").mkdir()
    os.mkfifo(install(tmp_path, "a-fifo", None) / "entry_points.txt")
    install(tmp_path, "dangling", None).joinpath("entry_points.txt").symlink_to("nowhere")
    install(tmp_path, "bytes", b"[roar.analyzers]\n\xff\xfe = \x00\n= nothing\nno equals\n[")
    install(tmp_path, "nameless", ANALYZER.format("nameless")).joinpath("METADATA").unlink()
    (tmp_path / "file.dist-info").write_text("not a folder")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 not really")
    refs = found(tmp_path, tmp_path / "broken.zip", tmp_path / "absent", Path("\0"))
    assert {ref.name for ref in refs} >= {"good", "nameless"}
    assert [ref.distribution for ref in refs if ref.name == "nameless"] == ["nameless"]


def test_an_unreadable_folder_is_passed_over() -> None:
    # As another user, for root reads every folder; below /tmp, for pytest's own folder is private.
    program = (
        "import os, sys; from roar_core.discovery import find_plugins;"
        "os.getuid() or os.setuid(65534);"
        "sys.stdout.write(' '.join(ref.name for ref in find_plugins(path=sys.argv[1:])))"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        install(folder / "open", "good", ANALYZER.format("good"))
        install(folder / "closed", "hidden", ANALYZER.format("hidden"))
        (folder / "closed").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder / "closed"), str(folder / "open")],
            capture_output=True,
            text=True,
            check=False,
        )
        (folder / "closed").chmod(0o700)
    assert (done.stdout, done.stderr) == ("good", "")


def test_the_installed_environment_reads_as_importlib_metadata_reads_it() -> None:
    expected = {
        (point.group, point.name, point.value)
        for group in KINDS
        for point in importlib.metadata.entry_points(group=group)
    }
    assert {(ref.group, ref.name, ref.value) for ref in find_plugins(KINDS)} == expected


@given(
    points=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True),
        st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5})?(:[a-z]{1,5})?", fullmatch=True),
        max_size=5,
    ),
    noise=st.lists(st.sampled_from(["", "# comment", "   "]), max_size=3),
)
def test_any_entry_points_file_reads_as_importlib_metadata_reads_it(
    tmp_path_factory: pytest.TempPathFactory, points: dict[str, str], noise: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("site")
    lines = ["[roar.analyzers]", *noise, *(f"{n}= {v}" for n, v in points.items()), *noise]
    install(folder, "any", "\n".join(lines))
    [distribution] = importlib.metadata.distributions(path=[str(folder)])
    expected = sorted((p.name, p.value) for p in distribution.entry_points)
    assert [(ref.name, ref.value) for ref in found(folder)] == expected


def test_plugins_are_disabled_by_name_by_distribution_or_all() -> None:
    ref = PluginRef("analyzer", "swanlab", "m", "roar-analyzer-swanlab", "1", "roar.analyzers")
    for value in ("swanlab", "other, swanlab", "roar-analyzer-swanlab", "all"):
        assert is_disabled(ref, disabled_names({"ROAR_DISABLE_PLUGINS": value})), value
    for value in ("", ",", "swan", "swanlab2"):
        assert not is_disabled(ref, disabled_names({"ROAR_DISABLE_PLUGINS": value})), value
    assert not is_disabled(ref, disabled_names({}))


def test_discovery_does_without_importlib_metadata(tmp_path: Path) -> None:
    install(tmp_path, "good", ANALYZER.format("good"))
    program = (
        "import sys; from roar_core.discovery import find_plugins;"
        "assert find_plugins(path=[sys.argv[1]]);"
        "assert not {'importlib.metadata', 'zipfile', 'pluggy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
