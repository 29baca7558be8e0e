"""The API as it describes itself, tried with what its description allows and forbids."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, given, settings

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

EXAMPLES = 3
"""For each operation."""


def operations(registry: Registry) -> list[Any]:
    import schemathesis

    document = registry.client.get("/schema/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=registry.url)
    found = [result.ok() for result in schema.get_all_operations()]
    return [operation for operation in found if operation.path.startswith("/api/")]


def test_nothing_that_is_sent_breaks_the_registry(registry: Registry) -> None:
    """On both databases: whatever comes, no answer says that the registry itself failed."""
    # A registration that is open, so that its routes are reached and not only its door.
    opened = registry.open()
    known = {"name": opened.name, "job_uid": "1" * 32, "reference": "a" * 64}
    headers = {"Authorization": f"RegistrationSession {opened.token}"}
    registry.register()
    answers: Counter[int] = Counter()
    broken: list[str] = []

    def call(case: Any, *, with_known: bool) -> None:
        if with_known and case.path_parameters:
            case.path_parameters = {
                name: known.get(name, value) for name, value in case.path_parameters.items()
            }
        answer = case.call(headers=headers if with_known else None, timeout=60)
        answers[answer.status_code] += 1
        if answer.status_code >= 500:
            broken.append(f"{answer.status_code} {case.as_curl_command()} {answer.text[:300]}")

    found = operations(registry)
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
                call(case, with_known=answers.total() % 2 == 0)

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the description leaves open
                _tolerating(attempt)
    assert broken == []
    assert answers.total() > len(found) * EXAMPLES
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
