"""What roar relies on of a further command."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from roar_core.promises.promise import Complaint, promise, remark


class OfferedCommand(NamedTuple):
    """A click command, the name of its entry point, and roar's own commands."""

    name: str
    command: Any
    reserved: Collection[str]


@promise("its name is none of roar's own commands")
def has_a_name_of_its_own(offered: OfferedCommand) -> Iterator[Complaint]:
    if offered.name in offered.reserved:
        yield Complaint(
            f"`roar {offered.name}` is roar's own, and so this one is never called",
            "rename the entry point",
        )


@promise("its --help can be shown")
def shows_its_help(offered: OfferedCommand) -> Iterator[Complaint]:
    import click

    if not isinstance(offered.command, click.Command):
        yield Complaint(
            f"it is no click command but of type {type(offered.command).__name__}",
            "decorate its function with @click.command()",
        )
        return
    offered.command.get_help(click.Context(offered.command, info_name=f"roar {offered.name}"))


@remark("its --help says in a sentence what it does")
def says_what_it_does(offered: OfferedCommand) -> Iterator[Complaint]:
    if not getattr(offered.command, "help", None):
        yield Complaint("it has no help", "write a docstring for the command's function")


PROMISES = (has_a_name_of_its_own, shows_its_help, says_what_it_does)
