"""`roar tui` driven by its keys, over projects that were really recorded."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from roar_core.testing.projects import ProjectUnderTest
from roar_tui.app import Browser
from roar_tui.documents import Reader
from roar_tui.step_list import StepList

pytestmark = pytest.mark.needs("cc")
Keys = Callable[[Pilot[None]], Awaitable[None]]


@pytest.fixture
def here(project: ProjectUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProjectUnderTest]:
    """The project as the working directory of this process, whose variables are its commands'."""
    with monkeypatch.context() as patch:
        patch.chdir(project.root)
        for name in [n for n in os.environ if n not in project.environment()]:
            patch.delenv(name)
        for name, value in project.environment().items():
            patch.setenv(name, value)
        yield project


@pytest.fixture
def pipeline(here: ProjectUnderTest) -> ProjectUnderTest:
    """Three steps: a.txt -> b.txt -> c.txt, and one by itself."""
    here.write("a.txt", "hello")
    for command in ("cp a.txt b.txt", "cp b.txt c.txt", "touch alone.txt"):
        assert here.run(*command.split()).exit_code == 0
    return here


def drive(keys: Keys, session: int | None = None) -> Browser:
    """Open the screen on the working directory's project and have `keys` press them."""
    reader = Reader()

    async def opened() -> Browser:
        app = Browser(reader, reader.steps(session))
        async with app.run_test(size=(140, 40)) as pilot:
            await settled(pilot)
            await keys(pilot)
        return app

    try:
        return asyncio.run(opened())
    finally:
        reader.close()


async def settled(pilot: Pilot[None]) -> None:
    """Wait until every question is answered, also those that an answer led to."""
    await pilot.pause()
    while len(pilot.app.workers):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settled(pilot)


def said(pilot: Pilot[None]) -> str:
    return plain(pilot.app.screen_stack[0].query_one("#said", Static))


def about(pilot: Pilot[None]) -> str:
    return plain(pilot.app.screen_stack[0].query_one("#about", Static))


def plain(widget: Static) -> str:
    return str(widget.render())


def rows(pilot: Pilot[None]) -> list[list[str]]:
    found = pilot.app.screen_stack[0].query_one("#steps", StepList).rows
    return [[r.mark, r.step, r.title, r.inputs, r.outputs, r.remarks] for r in found]


def lines(pilot: Pilot[None], name: str = "#edges") -> list[str]:
    options = pilot.app.screen.query_one(name, OptionList)
    return [str(options.get_option_at_index(n).prompt).strip() for n in range(options.option_count)]


def test_the_steps_are_listed_and_the_newest_is_told_in_full(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        assert [row[:5] for row in rows(pilot)] == [
            ["✓", "@1", "cp a.txt b.txt", "1", "1"],
            ["✓", "@2", "cp b.txt c.txt", "1", "1"],
            ["✓", "@3", "touch alone.txt", "0", "1"],
        ]
        assert about(pilot).startswith("@3  touch alone.txt\ncommand   touch alone.txt\n")
        assert "coverage  complete" in about(pilot)
        assert str(pipeline.json("show", "@3")["hash"]) in about(pilot)
        assert lines(pilot)[0] == "0 inputs"
        assert lines(pilot)[2].startswith("alone.txt  0 B  blake3:af1349b9f5f9")
        assert said(pilot) == "session 1: 3 steps"

    drive(keys)


def test_enter_on_an_input_goes_to_the_step_that_made_it_and_b_comes_back(
    pipeline: ProjectUnderTest,
) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "up")
        assert about(pilot).startswith("@2")
        assert lines(pilot)[1].endswith("← @1")
        await press(pilot, "enter", "down", "enter")
        assert about(pilot).startswith("@1")
        await press(pilot, "home", "down", "enter")
        assert said(pilot) == "no recorded job made it"
        await press(pilot, "b")
        assert about(pilot).startswith("@2")
        await press(pilot, "b")
        assert said(pilot) == "this is where you began"

    drive(keys)


def test_an_input_made_in_another_session_leads_there(pipeline: ProjectUnderTest) -> None:
    assert pipeline.roar("reset").exit_code == 0
    assert pipeline.run("cp", "c.txt", "d.txt").exit_code == 0

    async def keys(pilot: Pilot[None]) -> None:
        assert [row[1] for row in rows(pilot)] == ["@1"]
        await press(pilot, "enter", "down", "enter")
        assert about(pilot).startswith("@2  cp b.txt c.txt")
        assert "session   1" in about(pilot)
        await press(pilot, "b")
        assert about(pilot).startswith("@1  cp c.txt d.txt")

    drive(keys)


def test_u_and_d_show_what_a_step_came_from_and_what_came_of_it(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "up", "u")
        found = lines(pilot, "#choices")
        assert found[0].startswith("✓ @1 of session 1  cp a.txt b.txt")
        assert found[1].startswith("a.txt  5 B  blake3:")
        await press(pilot, "enter")
        assert about(pilot).startswith("@1")
        await press(pilot, "d")
        assert lines(pilot, "#choices")[0].startswith("✓ @2 of session 1  cp b.txt c.txt")
        await press(pilot, "escape")
        assert len(pilot.app.screen_stack) == 1
        await press(pilot, "escape", "end", "u")
        assert lines(pilot, "#choices") == ["nothing recorded"]

    drive(keys)


def test_the_filter_keeps_the_steps_that_have_every_word(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "slash", *"CP", "space", *"b.t")
        assert [row[1] for row in rows(pilot)] == ["@1", "@2"]
        assert said(pilot) == "session 1: 2 of 3 steps"
        await press(pilot, "enter", "up")
        assert about(pilot).startswith("@1")
        await press(pilot, "slash", *"qq")
        assert (rows(pilot), about(pilot), lines(pilot)) == ([], "", [])
        await press(pilot, "escape")
        assert [row[1] for row in rows(pilot)] == ["@1", "@2", "@3"]
        assert not pilot.app.query_one("#filter", Input).has_class("open")

    drive(keys)


def test_s_switches_the_session(pipeline: ProjectUnderTest) -> None:
    assert pipeline.roar("reset").exit_code == 0

    async def keys(pilot: Pilot[None]) -> None:
        assert (rows(pilot), said(pilot)) == ([], "session 2: 0 steps")
        await press(pilot, "s")
        assert lines(pilot, "#choices") == ["session 2, the current one", "session 1"]
        await press(pilot, "down", "enter")
        assert [row[1] for row in rows(pilot)] == ["@1", "@2", "@3"]
        assert said(pilot) == "session 1: 3 steps"

    drive(keys)


def test_r_reads_again_and_what_became_stale_is_marked(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "home")
        pipeline.write("a.txt", "other")
        await press(pilot, "r")
        assert rows(pilot)[0][5] == "stale: a.txt changed"
        assert about(pilot).startswith("@1")
        assert "stale     a.txt changed" in about(pilot)

    drive(keys)


def test_c_copies_the_hash_of_the_input_else_of_the_job(pipeline: ProjectUnderTest) -> None:
    job = pipeline.json("show", "@2")

    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "up", "c")
        assert pilot.app.clipboard == job["hash"]
        await press(pilot, "enter", "down", "c")
        assert pilot.app.clipboard == job["inputs"][0]["hash"]
        assert said(pilot) == f"copied {job['inputs'][0]['hash']}"

    drive(keys)


def test_every_key_is_explained_and_q_leaves(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "question_mark")
        shown = " ".join(plain(each) for each in pilot.app.screen.query(Static))
        for binding in Browser.BINDINGS:
            key = {"question_mark": "?", "slash": "/", "escape": "Esc"}.get(binding.key)  # type: ignore[union-attr]
            assert (key or binding.key) in shown  # type: ignore[union-attr]
        await press(pilot, "q")
        assert pilot.app.is_running
        await pilot.press("q")
        await pilot.pause()

    assert drive(keys).return_code == 0


def test_hostile_names_are_shown_as_text(here: ProjectUnderTest) -> None:
    names = ["[bold]b[/bold]", "[/nope]", "red\x1b[31m", "two\nlines", "[@click=app.quit]x"]
    for name in names:
        here.write(name, name)
    os.rename(b"two\nlines", b"bytes \xff\xfe\nlines")
    long = "x" * 10_000
    command = 'cat * */* > "[link=x]out"; : ' + long
    assert here.run("sh", "-c", command).exit_code == 0
    assert (
        here.roar("run", "-n", "[red]name\x1b]0;t\x07[/]", "--", "cp", "[/nope]", "[").stdout == ""
    )

    async def keys(pilot: Pilot[None]) -> None:
        assert rows(pilot)[0][2].startswith('sh -c \'cat * */* > "[link=x]out"')
        assert rows(pilot)[1][2] == "[red]name\\x1b]0;t\\x07[/]"
        assert "[red]name" in about(pilot)
        await press(pilot, "up")
        found = "\n".join(lines(pilot))
        for shown in (
            "[bold]b[/bold]",
            "[/nope]",
            "red\\x1b[31m",
            "[@click=app.quit]x",
            "[link=x]",
        ):
            assert shown in found
        assert "bytes \ufffd\ufffd\\nlines" in found
        assert "characters more" in about(pilot)
        await press(pilot, "u", "escape", "d", "escape", "slash", *"[bold]")
        assert "\x1b" not in "".join([found, about(pilot), said(pilot)])

    drive(keys)


def test_a_question_that_cannot_be_answered_is_a_sentence(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        (pipeline.root / ".roar" / "roar.db").rename(pipeline.root / "gone.db")
        (pipeline.root / ".roar" / "roar.db").write_bytes(b"no database" * 1000)
        for key in ("r", "s", "u", "up"):
            await press(pilot, key)
            assert "roar.db" in said(pilot), key
            assert "Traceback" not in said(pilot)
        assert len(rows(pilot)) == 3

    drive(keys)


def test_an_answer_may_come_while_something_is_open_or_after_q(pipeline: ProjectUnderTest) -> None:
    async def keys(pilot: Pilot[None]) -> None:
        await pilot.press("r", "question_mark")
        await settled(pilot)
        assert said(pilot) == "session 1: 3 steps"
        await press(pilot, "escape")
        # What opens a list would, once its answer is there, have q close that list alone.
        await pilot.press("up", "up", "r", "q")

    assert drive(keys).return_code == 0


def test_a_new_session_without_steps_is_shown_with_a_way_back(pipeline: ProjectUnderTest) -> None:
    assert pipeline.roar("reset").exit_code == 0

    async def keys(pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "u", "d", "b", "c", "home", "end", "pageup", "down")
        assert said(pilot) == "its hash is not known"
        assert about(pilot) == ""

    drive(keys)


def test_thousands_of_steps_are_gone_through_and_only_what_is_seen_is_drawn(
    pipeline: ProjectUnderTest,
) -> None:
    reader = Reader()
    document = reader.steps(None)
    [step, *_] = document["steps"]
    # As many steps as nobody records for a test; roar does not know them, and says so.
    document["steps"] = [step | {"uid": f"{n:032x}", "step": f"@{n}"} for n in range(1, 5001)]

    async def opened() -> None:
        app = Browser(reader, document)
        async with app.run_test(size=(140, 40)) as pilot:
            await settled(pilot)
            assert "@5000" in screen(pilot)
            assert "@4900" not in screen(pilot)
            assert f"{5000:032x}" in said(pilot)
            await press(pilot, "home")
            assert "@1 " in screen(pilot)
            await press(pilot, *["pagedown"] * 3)
            top = pilot.app.query_one("#steps", StepList).scroll_offset.y
            assert 60 < top < 120
            await press(pilot, "slash", *"@4999", "enter")
            assert [row[1] for row in rows(pilot)] == ["@4999"]
            assert "@4999" in screen(pilot)

    asyncio.run(opened())
    reader.close()


@pytest.mark.parametrize("size", [(140, 40), (60, 15), (20, 5)])
def test_every_part_is_there_in_a_terminal_of_any_size(
    pipeline: ProjectUnderTest, size: tuple[int, int]
) -> None:
    reader = Reader()

    async def opened() -> None:
        app = Browser(reader, reader.steps(None))
        async with app.run_test(size=size) as pilot:
            await settled(pilot)
            assert "@3" in screen(pilot)
            await press(pilot, "up", "question_mark", "escape", "u", "escape", "slash", "escape")
            await pilot.resize_terminal(30, 8)
            await settled(pilot)
            assert "@2" in screen(pilot)

    asyncio.run(opened())
    reader.close()


def screen(pilot: Pilot[None]) -> str:
    """What stands on the screen, line by line."""
    found = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in found)
