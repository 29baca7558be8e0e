"""The API as it describes itself, tried with what its description allows and forbids."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from plugins.glaas.tests.conftest import Opened, Registry

    Serving = Callable[[str, Path], AbstractContextManager[Registry]]

EXAMPLES = 3
"""For each operation."""


def operations(registry: Registry) -> list[Any]:
    import schemathesis

    document = registry.client.get("/schema/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=registry.url)
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.path.startswith("/api/")]


# To make up what is sent takes minutes, to send it seconds: both databases are sent the same.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_that_is_sent_breaks_the_registry(
    registry: Registry, elsewhere: str, serve: Serving, tmp_path: Path
) -> None:
    """On both databases: whatever comes, no answer says that the registry itself failed."""
    with serve(elsewhere, tmp_path / "postgresql") as other:
        # Registrations that are open, so that their routes are reached and not only their door.
        try_all([one.open() for one in (registry, other)])


def try_all(opened: list[Opened]) -> None:
    for one in opened:
        one.registry.register()
    answers: Counter[int] = Counter()
    broken: list[str] = []

    def call(case: Any, *, with_known: bool) -> None:
        made_up = dict(case.path_parameters or {})
        for one in opened:
            known = {"name": one.name, "job_uid": "1" * 32, "reference": "a" * 64}
            headers = {"Authorization": f"RegistrationSession {one.token}"}
            if with_known and made_up:
                case.path_parameters = made_up | {n: known[n] for n in made_up.keys() & known}
            answer = case.call(
                base_url=one.registry.url, headers=headers if with_known else None, timeout=60
            )
            answers[answer.status_code] += 1
            if answer.status_code >= 500:
                broken.append(f"{answer.status_code} {case.as_curl_command()} {answer.text[:300]}")

    found = operations(opened[0].registry)
    assert len(found) > 15
    for operation in found:
        for mode in _modes():

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=EXAMPLES,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def attempt(case: Any) -> None:
                call(case, with_known=answers.total() // len(opened) % 2 == 0)

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the description leaves open
                _tolerating(attempt)
    assert broken == []
    assert answers.total() > len(opened) * len(found) * EXAMPLES
    # What was sent came through the door, and was not all of it fit.
    assert answers[200] + answers[201] > EXAMPLES
    assert answers[400] > EXAMPLES


def _modes() -> list[Any]:
    from schemathesis import GenerationMode

    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]


def _tolerating(attempt: Any) -> None:
    """An operation without parameters has nothing that could be sent wrongly."""
    from hypothesis.errors import Unsatisfiable

    try:
        attempt()
    except Unsatisfiable:
        return
