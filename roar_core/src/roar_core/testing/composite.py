"""The promises of a composite format, as tests: subclass `CompositeContract`, give two fixtures.

class TestTiles(CompositeContract):
    @pytest.fixture
    def composite_format(self): return Tiles()

    @pytest.fixture
    def dataset(self): return ("index.json", "tiles/0.bin", "tiles/1.bin")

The plugin must be installed in the environment of the tests, with a tracer that works there: one
test has a real run read such a dataset.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from roar_core.hookspecs import CompositeFormat
from roar_core.promises import composite as promises
from roar_core.promises.folders import ImaginedFolder
from roar_core.testing.needs import require_any_tracer
from roar_core.testing.projects import ProjectUnderTest


class CompositeContract:
    """What roar relies on. The fixtures are yours to give."""

    @pytest.fixture
    def composite_format(self) -> CompositeFormat:
        """The format to prove."""
        raise NotImplementedError("give a fixture `composite_format`")

    @pytest.fixture
    def dataset(self) -> Sequence[str]:
        """All files of a small dataset, as paths below its root; each is a member."""
        raise NotImplementedError("give a fixture `dataset`")

    def test_it_is_a_composite_format_with_a_name(self, composite_format: CompositeFormat) -> None:
        assert isinstance(composite_format, CompositeFormat)
        assert isinstance(composite_format.name, str)
        assert composite_format.name
        assert isinstance(composite_format.priority, int)
        assert not promises.says_whether_it_is_flat.complaints(composite_format)

    def test_an_ordinary_folder_is_no_dataset(self, composite_format: CompositeFormat) -> None:
        assert not promises.knows_what_is_ordinary.complaints(composite_format)

    def test_a_dataset_is_recognised_and_all_its_files_are_members(
        self, composite_format: CompositeFormat, dataset: Sequence[str]
    ) -> None:
        assert composite_format.is_root(ImaginedFolder("dataset", dataset))
        assert [file for file in dataset if not composite_format.in_identity(file)] == []
        assert not composite_format.is_flat or not any("/" in file for file in dataset)

    def test_the_folder_that_holds_a_dataset_is_none(
        self, composite_format: CompositeFormat, dataset: Sequence[str]
    ) -> None:
        # Of two roots one inside the other the outer counts: it would take in all beside it.
        above = ["train.py", *(f"dataset/{file}" for file in dataset)]
        assert not composite_format.is_root(ImaginedFolder("project", above))

    def test_a_members_name_alone_decides(self, composite_format: CompositeFormat) -> None:
        assert not promises.judges_names_alone.complaints(composite_format)

    def test_a_run_that_reads_it_has_one_input(
        self,
        composite_format: CompositeFormat,
        dataset: Sequence[str],
        project: ProjectUnderTest,
    ) -> None:
        require_any_tracer()
        for file in dataset:
            project.write(f"dataset/{file}", file)
        result = project.run("sh", "-c", "find dataset -type f | xargs cat > all.txt")
        assert result.job is not None
        [edge] = result.job["inputs"]
        assert (edge["relative"], edge["kind"]) == ("dataset", "composite")
        assert result.writes == {"all.txt"}
