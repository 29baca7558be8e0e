"""The shared object exports what its table says, imports next to nothing, and builds anywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from roar_core.errors import TracerError
from roar_core.hookspecs import LaunchPlan, Tracer
from roar_tracer_preload import LIBRARY, PreloadTracer, roar_tracers

PLUGIN = Path(__file__).parent.parent

# Each import is a look-up at every program's start, and something another libc may lack.
IMPORTS = {
    "__errno_location",
    "dl_iterate_phdr",
    "dlsym",
    "environ",
    "__environ",
    "getauxval",
    "getenv",
}


# What a worker's agent calls: docs/journal.md.
OWN = {"roar_attach", "roar_task_is", "roar_task_tell"}


def symbols(kind: str) -> set[str]:
    listed = subprocess.run(
        ["nm", "-D", kind, LIBRARY], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return {line.split()[-1].split("@")[0] for line in listed if line}


def table(macro: str) -> set[str]:
    return set(
        re.findall(rf"^{macro}\((\w+)\)", (PLUGIN / "native/hooks.def").read_text(), re.MULTILINE)
    )


def test_every_hook_of_the_table_is_exported_and_nothing_else_but_our_own() -> None:
    assert symbols("--defined-only") == table("HOOK") | OWN


def test_imports_are_the_few_we_know() -> None:
    assert symbols("--undefined-only") <= IMPORTS


def test_every_hook_stands_for_a_function_of_libc(build: object) -> None:
    program = 'import ctypes, sys\nlibc = ctypes.CDLL("libc.so.6")\nprint(*[n for n in sys.argv[1:] if not hasattr(libc, n)])'
    done = subprocess.run(
        [sys.executable, "-c", program, *sorted(table("HOOK") | table("CALL"))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []


def test_it_costs_a_program_few_relocations_and_segments() -> None:
    listed = subprocess.run(
        ["readelf", "-lrW", LIBRARY], capture_output=True, text=True, check=True
    ).stdout
    assert len(re.findall(r"^\s+LOAD", listed, re.MULTILINE)) == 2
    assert len(re.findall(r"R_(X86_64|AARCH64)_", listed)) <= 12
    assert "GNU_RELRO" not in listed


def test_the_tracer_offers_itself() -> None:
    (tracer,) = roar_tracers()
    assert isinstance(tracer, Tracer)
    assert (tracer.name, tracer.priority, tracer.abilities.holds_writers) == ("preload", 20, True)
    assert tracer.preflight().ok


def test_a_missing_library_says_how_to_get_it(tmp_path: Path) -> None:
    found = PreloadTracer(library=tmp_path / "none.so").preflight()
    assert not found.ok
    assert str(tmp_path) in found.reason
    assert "pip install" in found.remedy


def test_a_path_that_ld_so_cannot_read_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "with space" / "lib.so"
    library.parent.mkdir()
    shutil.copy(LIBRARY, library)
    found = PreloadTracer(library=library).preflight()
    assert not found.ok
    assert "space" in found.reason


def plan(**environ: bytes) -> LaunchPlan:
    return LaunchPlan(
        program=b"/x",
        argv=(b"x", b"\xff"),
        environ={key.encode(): value for key, value in environ.items()},
        cwd=Path("/"),
        journal=Path("/some/where.jnl"),
        run_uid="0" * 32,
    )


def test_a_launch_changes_the_environment_only() -> None:
    launch = PreloadTracer(library=Path("/lib/ours.so")).launch(
        plan(A=b"\xfe", LD_PRELOAD=b"theirs.so")
    )
    assert launch.argv == (b"x", b"\xff")
    assert launch.environ == {
        b"A": b"\xfe",
        b"LD_PRELOAD": b"theirs.so:/lib/ours.so",
        b"ROAR_TRACE": b"1:/some/where.jnl",
    }
    assert (launch.pass_fds, launch.started(1), tuple(launch.finished())) == ((), None, ())


def test_a_launch_within_a_launch_names_the_library_once() -> None:
    tracer = PreloadTracer(library=Path("/lib/ours.so"))
    once = tracer.launch(plan(LD_PRELOAD=b"/lib/ours.so"))
    assert once.environ[b"LD_PRELOAD"] == b"/lib/ours.so"


def test_a_relative_journal_is_refused() -> None:
    with pytest.raises(TracerError, match="absolute"):
        PreloadTracer().launch(
            LaunchPlan(b"/x", (b"x",), {}, cwd=Path("/"), journal=Path("j"), run_uid="")
        )


def copy_sources(target: Path) -> Path:
    folder = target / "plugins/tracer_preload"
    shutil.copytree(
        PLUGIN, folder, ignore=shutil.ignore_patterns("_native", "__pycache__", "tests")
    )
    header = Path("roar_core/src/roar_core/include/roar_journal.h")
    (target / header).parent.mkdir(parents=True)
    shutil.copy(PLUGIN.parent.parent / header, target / header)
    return folder


def build_with(
    folder: Path, kind: str, out: Path, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", out],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_builds_from_the_source_distribution_alone(tmp_path: Path) -> None:
    made = build_with(copy_sources(tmp_path / "checkout"), "sdist", tmp_path)
    assert made.returncode == 0, made.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not list(unpacked.rglob("*.so"))
    made = build_with(unpacked, "wheel", tmp_path)
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert re.search(r"-py3-none-linux_\w+\.whl$", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert "roar_tracer_preload/_native/libroar_preload.so" in names
    assert not [name for name in names if name.endswith((".c", ".h"))]


@pytest.mark.parametrize("compiler", ["/no/such/cc", "/bin/false"])
def test_a_build_without_a_compiler_says_what_to_install(compiler: str, tmp_path: Path) -> None:
    made = build_with(copy_sources(tmp_path), "wheel", tmp_path, CC=compiler)
    assert made.returncode != 0
    assert "apt install gcc libc6-dev" in made.stderr + made.stdout
    assert "Traceback" not in made.stderr
