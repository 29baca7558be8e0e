"""The list of steps: a line each, of which only those that are seen are ever drawn.

Textual's DataTable measures and lays out every cell with rich: seconds for 5,000 steps, and a
tenth of one for each page. Lines of plain text need none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from roar_tui import views

_REMARK = Style(color="yellow")
_BOLD = Style(bold=True)


class StepList(ScrollView, can_focus=True):
    """Shows rows and a cursor on one of them. Home and End go to the first and the last."""

    DEFAULT_CSS = """
    StepList { background: $surface; }
    StepList > .steplist--cursor { background: $surface-lighten-2; text-style: bold; }
    StepList:focus > .steplist--cursor { background: $primary; color: $text; text-style: bold; }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"steplist--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("enter", "enter", show=False),
    ]

    class Chosen(Message):
        """The cursor is on another step."""

        def __init__(self, uid: str) -> None:
            super().__init__()
            self.uid = uid

    class Entered(Message):
        """Enter was pressed on the step under the cursor."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.rows: Sequence[views.Row] = ()
        self.cursor = 0
        self._step_width = 0
        self._title_width = 0

    def fill(self, rows: Sequence[views.Row], uid: str | None) -> None:
        """Show `rows`, the cursor on the job `uid` where it is among them, else on the last."""
        self.rows = rows
        self._step_width = max((cell_len(row.step) for row in rows), default=0)
        room = max(16, self.app.size.width * 3 // 5 - 32)
        widest = max((cell_len(row.title) for row in rows), default=0)
        self._title_width = min(room, widest)
        width = max((cell_len(row.remarks) for row in rows), default=0)
        before = self._step_width + self._title_width + 28
        self.virtual_size = Size(before + width, len(rows))
        self.refresh()
        if rows and not self.turn_to(uid or ""):
            self.move_to(len(rows) - 1)

    def turn_to(self, uid: str) -> bool:
        """Put the cursor on a job; False when it is not in the list."""
        found = next((n for n, row in enumerate(self.rows) if row.uid == uid), None)
        if found is not None:
            self.move_to(found)
        return found is not None

    def move_to(self, number: int) -> None:
        """Put the cursor on a line, the nearest there is, and have it seen."""
        if not self.rows:
            return
        self.cursor = min(max(number, 0), len(self.rows) - 1)
        self._see()
        self.post_message(self.Chosen(self.rows[self.cursor].uid))

    def _see(self) -> None:
        """Scroll as little as needed to have the cursor in sight."""
        top, height = self.scroll_offset.y, max(1, self.scrollable_content_region.height)
        if not top <= self.cursor < top + height:
            target = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=target, animate=False, force=True)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the window, by its number from the top."""
        left, top = self.scroll_offset
        number, width = top + y, self.scrollable_content_region.width
        if number >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        is_chosen = number == self.cursor
        base = self.get_component_rich_style("steplist--cursor") if is_chosen else self.rich_style
        segments = [Segment(text, base + style) for text, style in self._parts(number)]
        return Strip(segments).crop_extend(left, left + width, base)

    def on_resize(self, event: events.Resize) -> None:
        """Keep the cursor in sight."""
        self._see()

    def on_click(self, event: events.Click) -> None:
        """Take the line that was clicked."""
        self.move_to(self.scroll_offset.y + event.y)

    def action_move(self, by: int) -> None:
        """Move the cursor by lines."""
        self.move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self.cursor + by * max(1, self.scrollable_content_region.height - 1))

    def action_first(self) -> None:
        """Go to the first step."""
        self.move_to(0)

    def action_last(self) -> None:
        """Go to the last step."""
        self.move_to(len(self.rows) - 1)

    def action_enter(self) -> None:
        """Say that the step was chosen for good."""
        if self.rows:
            self.post_message(self.Entered())

    def _parts(self, number: int) -> list[tuple[str, Style]]:
        row = self.rows[number]
        title = views.fit(row.title, self._title_width)
        counts = f"{row.inputs:>6} in {row.outputs:>6} out  "
        return [
            (f"{row.mark} ", Style.null()),
            (row.step.ljust(self._step_width), _BOLD),
            (f"  {set_cell_size(title, self._title_width)}", Style.null()),
            (counts, Style.null()),
            (row.remarks, _REMARK),
        ]
