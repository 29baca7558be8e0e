"""What an ObjectRef of `ray.put` says of its task leads to that task."""

from __future__ import annotations

from roar_ray.putting import Putters

TASK, ANOTHER = "3c" + "a0590f168eaec5" + 24 * "f" + "05000000", "01" + 46 * "b"


def test_a_put_is_of_the_task_whose_number_it_has_but_for_the_attempt() -> None:
    putters = Putters([TASK, ANOTHER])
    assert [*putters.of(["00" + TASK[2:], "02" + TASK[2:]])] == [TASK, TASK]


def test_what_is_a_task_itself_stays() -> None:
    putters = Putters([TASK, ANOTHER])
    assert [*putters.of([TASK, ANOTHER])] == [TASK, ANOTHER]
    assert [*putters.of(["00" + 46 * "c", "c0" + TASK[2:]])] == ["00" + 46 * "c", "c0" + TASK[2:]]
