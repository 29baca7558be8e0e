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


def test_what_a_thread_put_is_of_the_task_that_it_works_for() -> None:
    refs = ["00" + 46 * "c" + f"0{number}000000" for number in range(3)]
    putters = Putters([TASK, ANOTHER], {refs[0]: TASK, refs[1]: ANOTHER}, knows_all=True)
    assert [*putters.of(refs)] == [TASK, ANOTHER], "the third is nobody's"
    assert [*putters.of(["00" + TASK[2:] + "01000000"])] == [TASK]


def test_what_a_thread_of_no_task_put_is_no_task_that_did_not_report() -> None:
    thread, missing = "00" + 46 * "c", "00" + 14 * "e" + TASK[16:]
    assert [*Putters([TASK], knows_all=True).of([thread, missing])] == [missing]
    assert [*Putters([TASK]).of([thread])] == [thread], "Ray may know of its actor"


def test_what_a_driver_s_thread_put_is_nobody_s_whatever_ray_has_told_by_then() -> None:
    ref = "00" + 46 * "c" + "01000000"
    assert [*Putters([TASK], {ref: ""}).of([ref, TASK])] == [TASK]
