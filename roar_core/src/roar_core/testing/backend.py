"""The promises of an execution backend, as tests: subclass `BackendContract` and give fixtures.

class TestMyBackend(BackendContract):
    claimed = ("mytool", "submit", "job.sh")
    added_variables = frozenset({"MYTOOL_REPORT"})

    @pytest.fixture
    def make_backend(self): return MyBackend

    @pytest.fixture
    def reported(self, run): …  # have tasks of the run report, and return how many there are
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from roar_core.fragment_checks import checked
from roar_core.hookspecs import (
    BackendPlan,
    ExecutionBackend,
    Match,
    ProcessBackend,
    ProcessTask,
    RunContext,
)
from roar_core.model.fragment import TaskCoverage, TaskFragment
from roar_core.promises import backend as promises
from roar_core.promises.audit import started_processes, touched_files
from roar_core.promises.backend import ENVIRON


class PlanningContract:
    """What roar relies on before a run starts. The fixtures are yours to give.

    `claimed` is a command line of your platform; `added_variables` names the variables that `plan`
    and `adopt` add or change, which your README must tell.
    """

    claimed: tuple[str, ...] = ()
    added_variables: frozenset[str] = frozenset()

    @pytest.fixture
    def make_backend(self) -> Callable[[], ExecutionBackend]:
        """Makes the backend: more than once, as several roars would have it."""
        raise NotImplementedError("give a fixture `make_backend`")

    @pytest.fixture
    def run(self, tmp_path: Path) -> RunContext:
        """A run of the claimed command."""
        project, folder = tmp_path / "run-project", tmp_path / "run-folder"
        project.mkdir()
        folder.mkdir(mode=0o700)
        return RunContext("ab" * 16, self.claimed, project, project, folder)

    @pytest.fixture
    def backend(self, make_backend: Callable[[], ExecutionBackend]) -> ExecutionBackend:
        """The backend to prove."""
        return make_backend()

    def test_it_is_a_backend_with_a_name(self, backend: ExecutionBackend) -> None:
        assert isinstance(backend, ExecutionBackend)
        assert isinstance(backend.name, str)
        assert backend.name.isprintable()
        assert backend.name not in ("", "auto", "none")
        assert isinstance(backend.priority, int)
        assert not promises.says_how_often.complaints(backend)

    def test_it_detects_its_own_commands_and_no_ordinary_one(
        self, backend: ExecutionBackend, tmp_path: Path
    ) -> None:
        match = backend.detect(self.claimed, ENVIRON, tmp_path)
        assert isinstance(match, Match)
        assert 1 <= match.confidence <= 100
        assert not promises.detects_nothing_ordinary.complaints(backend)

    def test_detecting_is_pure(self, backend: ExecutionBackend, tmp_path: Path) -> None:
        match = backend.detect(self.claimed, ENVIRON, tmp_path)
        with started_processes() as started, touched_files() as touched:
            assert backend.detect(self.claimed, ENVIRON, tmp_path) == match
        assert not started
        assert not touched
        assert not promises.detects_by_words.complaints(backend)

    def test_a_plan_keeps_the_command_and_adds_only_what_it_declares(
        self, backend: ExecutionBackend, run: RunContext
    ) -> None:
        environ = dict(ENVIRON)
        plan = backend.plan(run, environ)
        assert isinstance(plan, BackendPlan)
        words = iter(plan.argv)
        assert all(word in words for word in run.command), "the user's words, in their order"
        assert environ == ENVIRON
        assert self._changed(plan.environ.items()) <= self.added_variables

    def test_adopting_starts_nothing_and_adds_only_what_it_declares(
        self, backend: ExecutionBackend, run: RunContext
    ) -> None:
        assert not promises.adopts_cheaply.complaints(backend)
        assert backend.adopt(run, ENVIRON).keys() <= self.added_variables

    def test_no_ordinary_file_is_claimed(self, backend: ExecutionBackend) -> None:
        assert not promises.claims_nothing_ordinary.complaints(backend)

    def test_a_run_without_tasks_is_complete_and_lets_go(
        self, backend: ExecutionBackend, run: RunContext
    ) -> None:
        assert list(backend.collect(run)) == []
        coverage = backend.coverage(run)
        assert isinstance(coverage, TaskCoverage)
        assert not coverage.known
        assert not coverage.reasons
        assert coverage.is_final
        backend.finalise(run)
        backend.finalise(run)

    @staticmethod
    def _changed(variables: Iterable[tuple[str, str]]) -> set[str]:
        given = dict(variables)
        return {n for n in given.keys() | ENVIRON.keys() if given.get(n) != ENVIRON.get(n)}


class BackendContract(PlanningContract):
    """What roar relies on of a backend whose tasks report."""

    @pytest.fixture
    def reported(self, run: RunContext) -> int:
        """Have at least one task of `run` report, for real; the number of tasks."""
        raise NotImplementedError("give a fixture `reported`")

    def test_another_object_collects_the_same_again(
        self, make_backend: Callable[[], ExecutionBackend], run: RunContext, reported: int
    ) -> None:
        first = list(make_backend().collect(run))
        assert all(isinstance(fragment, TaskFragment) for fragment in first)
        assert [checked(fragment) for fragment in first] == first
        keys = [(fragment.task, fragment.attempt, fragment.part) for fragment in first]
        assert len({task for task, _, _ in keys}) == reported > 0
        assert len(set(keys)) == len(keys), "a part of an attempt is told once"
        assert list(make_backend().collect(run)) == first

    def test_a_task_s_files_are_absolute(
        self, backend: ExecutionBackend, run: RunContext, reported: int
    ) -> None:
        files = [f for each in backend.collect(run) for f in (*each.read, *each.written)]
        assert all(Path(file.path).is_absolute() for file in files)

    def test_coverage_knows_of_every_task_that_reported(
        self, backend: ExecutionBackend, run: RunContext, reported: int
    ) -> None:
        known = backend.coverage(run).known
        assert known is None or known >= reported

    def test_finalising_twice_is_finalising_once(
        self, make_backend: Callable[[], ExecutionBackend], run: RunContext, reported: int
    ) -> None:
        list(make_backend().collect(run))
        make_backend().finalise(run)
        make_backend().finalise(run)


class ProcessContract(PlanningContract):
    """What roar relies on of a `ProcessBackend`.

    `environ` is what the platform gives a process that is a task.
    """

    environ: Mapping[str, str] = {}

    def test_a_task_is_told_by_its_variables_alone(self, backend: ProcessBackend) -> None:
        assert isinstance(backend, ProcessBackend)
        with started_processes() as started, touched_files() as touched:
            task = backend.task_of({**ENVIRON, **self.environ})
            assert backend.task_of({**ENVIRON, **self.environ}) == task
        assert isinstance(task, ProcessTask)
        assert not started
        assert not touched

    def test_an_ordinary_process_is_no_task(self, backend: ProcessBackend) -> None:
        assert backend.task_of(ENVIRON) is None
        assert backend.task_of({}) is None

    def test_any_value_of_a_variable_is_possible(self, backend: ProcessBackend) -> None:
        for name in self.environ:
            for value in ("", "x", "-1", "\udcff", "9" * 5000):
                task = backend.task_of({**ENVIRON, **self.environ, name: value})
                assert task is None or isinstance(task, ProcessTask)
