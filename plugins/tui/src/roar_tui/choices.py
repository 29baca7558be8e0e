"""What opens above the screen: a list to choose from, and the keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

KEYS = """\
up, down         move in the list that has the cursor; so do PgUp, PgDn, Home and End
left, right      scroll the steps sideways
Enter            from a step to its inputs and outputs; from an input to the step that made it
Esc              back to the list of steps; it also ends the filter
b                back to where you came from
u, d             what the step came from; what came of it
/                only steps with these words: name, command, state, remarks
s                another session
r                read the session again
c                copy the hash of the input or output under the cursor, else of the job
Tab              go round the panes
?                these keys
q                leave"""


class Choice(NamedTuple):
    """A line to choose; `answer` None: only to be read."""

    text: str
    answer: str | None


class _Above(ModalScreen[str | None]):
    """A screen above the other that Escape and q close."""

    CSS = """
    ModalScreen { align: center middle; }
    #above { width: 90%; height: auto; max-height: 90%; border: solid $primary; padding: 0 1; }
    #choices { height: auto; max-height: 100%; border: none; padding: 0; }
    #title { text-style: bold; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("q", "close", show=False),
    ]

    def action_close(self) -> None:
        """Close it without an answer."""
        self.dismiss(None)


class Chooser(_Above):
    """Offers a list; its result is the answer of the line that Enter chose, None for none."""

    def __init__(self, heading: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._heading = heading
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="above"):
            yield Static(Text(self._heading, no_wrap=True, overflow="ellipsis"), id="title")
            yield OptionList(*map(_option, self._choices), id="choices", markup=False)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index].answer)


class KeysHelp(_Above):
    """The keys and what they do."""

    def compose(self) -> ComposeResult:
        with Vertical(id="above"):
            yield Static("keys", id="title", markup=False)
            yield Static(KEYS, markup=False)


def _option(choice: Choice) -> Option:
    return Option(Text(choice.text, no_wrap=True, overflow="ellipsis"))
