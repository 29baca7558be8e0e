"""The promises of a tracer, as tests: subclass `TracerContract` and give one fixture.

    class TestMyTracer(TracerContract):
        added_variables = frozenset({"MY_TRACER_SOCKET"})

        @pytest.fixture
        def tracer(self): return MyTracer()

The plugin must be installed in the environment of the tests: the programs of the table run under
the real `roar run --tracer NAME`, and what it records is compared with what they are known to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from roar_core.hookspecs import LaunchPlan, Tracer
from roar_core.journal import Journal
from roar_core.model.coverage import CoverageReason
from roar_core.promises import tracer as promises
from roar_core.testing.needs import leave_out, missing, require_usable
from roar_core.testing.programs import PROGRAMS
from roar_core.testing.programs.building import Workshop
from roar_core.testing.programs.table import Program
from roar_core.testing.projects import ProjectUnderTest
from roar_core.testing.twins import Twins, run_twins, without_unstable

# Bytes the kernel allows and a text would not survive.
ODD_WORDS = (b"true", b"", b"a b", b"\xff\n", b"--")
ODD_VARIABLES = {b"EMPTY": b"", b"ODD": b"\xff\n=", b"PATH": os.environb.get(b"PATH", b"/bin")}


class TracerContract:
    """What roar relies on. The fixture `tracer` is yours to give.

    `added_variables` names the variables of the command's environment that the tracer adds or
    changes, which your README must tell: everything else has to reach the command as it was.
    """

    added_variables: frozenset[str] = frozenset()

    @pytest.fixture
    def tracer(self) -> Tracer:
        """The tracer to prove."""
        raise NotImplementedError("give a fixture `tracer`")

    @pytest.fixture
    def usable(self, tracer: Tracer) -> Tracer:
        """The tracer, where it works; elsewhere the test is skipped with the reason it gives."""
        require_usable(tracer)
        return tracer

    def test_it_is_a_tracer_with_a_name_and_abilities(self, tracer: Tracer) -> None:
        assert isinstance(tracer, Tracer)
        assert isinstance(tracer.name, str)
        assert tracer.name.isprintable()
        assert tracer.name
        assert isinstance(tracer.priority, int)
        assert not promises.has_a_name_of_its_own.complaints(tracer)
        assert not promises.tells_its_abilities.complaints(tracer)

    def test_preflight_starts_no_process(self, tracer: Tracer) -> None:
        assert not promises.starts_no_process.complaints(tracer)

    def test_preflight_gives_a_reason_exactly_when_it_says_no(self, tracer: Tracer) -> None:
        assert not promises.explains_itself.complaints(tracer)

    def test_launch_keeps_the_command_and_adds_only_what_it_declares(
        self, usable: Tracer, tmp_path: Path
    ) -> None:
        with _journal(tmp_path) as journal:
            environ = dict(ODD_VARIABLES)
            program = os.fsencode(str(shutil.which("true")))
            plan = LaunchPlan(program, ODD_WORDS, environ, tmp_path, Path(journal.path), "0" * 32)
            launch = usable.launch(plan)
            assert launch.argv[-len(ODD_WORDS) :] == ODD_WORDS
            assert environ == ODD_VARIABLES
            changed = {
                os.fsdecode(name)
                for name in launch.environ.keys() | environ.keys()
                if launch.environ.get(name) != environ.get(name)
            }
            assert changed <= self.added_variables
            for descriptor in launch.pass_fds:
                os.fstat(descriptor)
            done = subprocess.Popen(
                launch.argv, env=launch.environ, cwd=tmp_path, pass_fds=launch.pass_fds
            )
            launch.started(done.pid)
            assert done.wait() == 0
            reasons = launch.finished()
            assert all(isinstance(reason, CoverageReason) for reason in reasons)
            assert journal.finish(), "nothing was reported"

    def test_the_command_sees_the_environment_it_would_have(
        self, usable: Tracer, project: ProjectUnderTest
    ) -> None:
        def variables(output: bytes) -> set[bytes]:
            return {entry for entry in output.split(b"\0") if entry}

        # Backends add variables of their own, which are not the tracer's to answer for.
        alone = ("--backend", "none")
        run = (*project.roar_argv, "run", "--quiet", *alone, "--tracer", usable.name, "--")
        bare, traced = (
            variables(
                subprocess.run(
                    (*words, "env", "-0"),
                    cwd=project.root,
                    env=project.environment({"LD_PRELOAD": "", "ODD": "a\nb=\udcff"}),
                    capture_output=True,
                    check=True,
                ).stdout
            )
            for words in ((), run)
        )
        assert {os.fsdecode(entry).partition("=")[0] for entry in bare ^ traced} <= (
            self.added_variables
        )

    @pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
    def test_a_program_is_seen_and_left_alone(
        self, program: Program, usable: Tracer, project: ProjectUnderTest, workshop: Workshop
    ) -> None:
        for reason in filter(None, map(missing, program.needs)):
            leave_out(reason)
        twins = run_twins(program, usable.name, project, workshop)
        _assert_left_alone(twins, program)
        expected = program.expected(usable.abilities)
        # Without the ability to hold a writer, a digest may come too late in any row.
        late = frozenset() if usable.abilities.holds_writers else {"unknown_hash"}
        assert set(twins.reads) == expected.reads
        assert set(twins.writes) == expected.writes
        assert {r.code for r in twins.job.coverage.reasons} | late == expected.coverage | late
        assert twins.job.tracer == usable.name
        _assert_exact_hashes(twins, expected.coverage | late)


def _assert_left_alone(twins: Twins, program: Program) -> None:
    """The command could not tell: same output, status and files."""
    bare, traced = twins.bare, twins.traced
    assert (traced.exit_code, traced.stdout, traced.stderr) == (
        bare.exit_code,
        bare.stdout,
        bare.stderr,
    )
    assert without_unstable(traced.files, program.unstable) == without_unstable(
        bare.files, program.unstable
    )


def _assert_exact_hashes(twins: Twins, admitted: frozenset[str]) -> None:
    """Inputs carry the hash of what was there before the run, outputs of what is there after it.

    No hash at all is an answer only where the codes `admitted` say so.
    """
    for path, edge in twins.reads.items():
        if edge.hash is not None or "unknown_hash" not in admitted:
            assert edge.hash == _blake3(twins.before[path][1]), f"input {path}: {edge}"
    for path, edge in twins.writes.items():
        if edge.hash is not None or "output_gone" not in admitted:
            assert edge.hash == _blake3(twins.traced.files[path][1]), f"output {path}: {edge}"


def _blake3(content: bytes | str) -> str:
    from blake3 import blake3

    assert isinstance(content, bytes), "a symbolic link is no artifact"
    return f"blake3:{blake3(content).hexdigest()}"


@contextmanager
def _journal(folder: Path) -> Iterator[Journal]:
    journal = Journal.create(folder / "kit.jnl", "0" * 32, preimage_wait_ms=0)
    try:
        yield journal
    finally:
        journal.remove()
