"""The screen: the steps on the left, what is known of one of them on the right.

Every question to roar is asked in a worker thread. While somebody runs through the list only the
newest wish is kept, so that there is never more than one question about a step under way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, OptionList, Static
from textual.widgets.option_list import Option

from roar_tui import views
from roar_tui.choices import Choice, Chooser, KeysHelp
from roar_tui.documents import Document, Reader, ReadError
from roar_tui.step_list import StepList

# Details of so many steps are kept for going back and forth.
KEPT = 64


class Answered(Message):
    """An answer of roar has come; `take` shows it."""

    def __init__(self, take: Callable[[], None]) -> None:
        super().__init__()
        self.take = take


class Browser(App[None]):
    """Shows a session of a project. `steps` is the document `dag` to begin with."""

    TITLE = "roar"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #steps { width: 3fr; }
    #details { width: 2fr; border-left: solid $primary; padding: 0 1; }
    #facts { height: auto; max-height: 60%; }
    #edges { height: 1fr; border: none; padding: 0; }
    #filter { display: none; }
    #filter.open { display: block; }
    #said { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("question_mark", "keys", "keys"),
        Binding("slash", "filter", "filter"),
        Binding("u", "walk('lineage')", "upstream"),
        Binding("d", "walk('impact')", "downstream"),
        Binding("b", "return", "back"),
        Binding("s", "sessions", "session"),
        Binding("r", "reload", "reload"),
        Binding("c", "copy", "copy hash"),
        Binding("escape", "leave", show=False),
    ]

    def __init__(self, reader: Reader, steps: Document) -> None:
        super().__init__()
        self._reader = reader
        self._steps: dict[str, Document] = {}
        self._rows: list[views.Row] = []
        self._session = 0
        self._jobs: dict[str, Document] = {}
        self._edges: list[views.EdgeLine | None] = []
        self._shown: str | None = None
        self._wanted: str | None = None
        self._is_asking = False
        self._been: list[str] = []
        self._first = steps

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield StepList(id="steps")
            with Vertical(id="details"):
                with VerticalScroll(id="facts"):
                    yield Static(id="about", markup=False)
                yield OptionList(id="edges", markup=False)
        yield Input(id="filter", placeholder="words that a step must have; Enter keeps, Esc ends")
        yield Static(id="said", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self._take_steps(self._first)
        self._list.focus()

    async def action_quit(self) -> None:
        """Leave, and end the questions that are still open: nobody waits for them any more."""
        self._reader.close()
        self.exit()

    def _hand_over(self, take: Callable[..., None], *what: Any) -> None:
        """Have an answer shown by the thread that draws; one that comes too late is dropped."""
        self.post_message(Answered(partial(take, *what)))

    @on(Answered)
    def _take(self, event: Answered) -> None:
        if self.is_running and self.screen_stack:
            event.take()

    # --- the list of steps ----------------------------------------------------------------------

    @property
    def _list(self) -> StepList:
        return self._base.query_one("#steps", StepList)

    @property
    def _base(self) -> Screen[object]:
        """The screen below whatever has opened above it: an answer may come at any time."""
        return self.screen_stack[0]

    def _take_steps(self, document: Document) -> None:
        """Show the steps of a document `dag`; the cursor stays on its step where it is there."""
        kept = self._wanted
        session = document["session"]
        self._session = session["number"] if session else 0
        self._steps = {step["uid"]: step for step in document["steps"]}
        self._rows = [views.row(step) for step in document["steps"]]
        self._jobs.clear()
        self._shown = None
        self._fill(kept)
        self._say_where()

    def _fill(self, uid: str | None) -> None:
        """Put the rows that the filter lets through into the list, the cursor on `uid` or last."""
        rows = views.matching(self._rows, self._base.query_one("#filter", Input).value)
        self._list.fill(rows, uid)
        if not rows:
            self._show_nothing()

    def _say_where(self) -> None:
        found, total = len(self._list.rows), len(self._rows)
        number = f"{found:,} of {total:,} steps" if found != total else f"{total:,} steps"
        self._say(f"session {self._session}: {number}")

    def _say(self, sentence: str) -> None:
        self._base.query_one("#said", Static).update(Text(views.printable(sentence)))

    @on(StepList.Chosen)
    def _step_chosen(self, event: StepList.Chosen) -> None:
        self._want(event.uid)

    @on(StepList.Entered)
    def _step_entered(self) -> None:
        """Go over to the inputs and outputs of the step."""
        self._base.query_one("#edges", OptionList).focus()

    # --- the details of one ---------------------------------------------------------------------

    def _want(self, uid: str) -> None:
        """Show a job as soon as roar has told it; of several wishes the last one counts."""
        self._wanted = uid
        if uid in self._jobs:
            self._show(uid)
        elif not self._is_asking:
            self._is_asking = True
            self._ask(uid)

    @work(thread=True, group="job")
    def _ask(self, uid: str) -> None:
        try:
            answer: Document | ReadError = self._reader.job(uid)
        except ReadError as error:
            answer = error
        self._hand_over(self._answered, uid, answer)

    def _answered(self, uid: str, answer: Document | ReadError) -> None:
        self._is_asking = False
        if isinstance(answer, ReadError):
            self._say(str(answer))
        else:
            while len(self._jobs) >= KEPT:
                del self._jobs[next(iter(self._jobs))]
            self._jobs[uid] = answer
        if self._wanted not in (None, uid):
            self._want(str(self._wanted))
        elif self._wanted == uid and uid in self._jobs:
            self._show(uid)

    def _show(self, uid: str) -> None:
        job = self._jobs[uid]
        self._shown = uid
        about = Text(views.heading(job), style="bold")
        for name, value in views.facts(job, self._steps.get(uid)):
            about.append("\n")
            about.append(name.ljust(10), style="dim")
            about.append(value, style="not bold")
        self._base.query_one("#about", Static).update(about)
        self._base.query_one("#facts", VerticalScroll).scroll_home(animate=False)
        names = {row.uid: row.step for row in self._rows}
        self._edges = []
        options = []
        for side in ("input", "output"):
            edges = job[f"{side}s"]
            heading = Text(views.count(len(edges), side), style="bold")
            options.append(Option(heading, disabled=True))
            self._edges.append(None)
            for edge in edges:
                line = views.edge_line(edge, names)
                options.append(Option(Text(f"  {line.text}", no_wrap=True, overflow="ellipsis")))
                self._edges.append(line)
        self._base.query_one("#edges", OptionList).clear_options().add_options(options)

    def _show_nothing(self) -> None:
        self._wanted = self._shown = None
        self._edges = []
        self._base.query_one("#about", Static).update("")
        self._base.query_one("#edges", OptionList).clear_options()

    @on(OptionList.OptionSelected, "#edges")
    def _edge_chosen(self, event: OptionList.OptionSelected) -> None:
        edge = self._edges[event.option_index]
        if edge is None:
            return
        if edge.producer is None:
            self._say("no recorded job made it")
        elif edge.producer == self._shown:
            self._say("this step made it; d shows what came of it")
        else:
            self._go(edge.producer)

    def _go(self, uid: str) -> None:
        """Show another job, and have `b` come back to this one."""
        if self._shown is not None:
            self._been.append(self._shown)
        self._turn_to(uid)

    def _turn_to(self, uid: str) -> None:
        """Have the cursor on the job where it is in the list; else just tell its details."""
        self._list.turn_to(uid)
        self._want(uid)

    def action_return(self) -> None:
        """Go back to where one came from."""
        if self._been:
            self._turn_to(self._been.pop())
        else:
            self._say("this is where you began")

    def action_copy(self) -> None:
        """Copy the hash of the input or output under the cursor, else of the job."""
        edges = self._base.query_one("#edges", OptionList)
        edge = self._edges[edges.highlighted] if edges.highlighted is not None else None
        job = self._jobs.get(self._shown or "")
        found = edge.hash if edges.has_focus and edge else job and job["hash"]
        if not found:
            self._say("its hash is not known")
            return
        self.copy_to_clipboard(str(found))
        self._say(f"copied {found}")

    # --- filter, sessions, walks ----------------------------------------------------------------

    def action_filter(self) -> None:
        """Open the line for the words of a filter."""
        box = self._base.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    @on(Input.Changed, "#filter")
    def _filter_changed(self) -> None:
        self._fill(self._wanted)
        self._say_where()

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self._list.focus()

    def action_leave(self) -> None:
        """End the filter; else go back to the list of steps."""
        box = self._base.query_one("#filter", Input)
        if box.has_class("open"):
            box.value = ""
            box.remove_class("open")
        self._list.focus()

    def action_reload(self) -> None:
        """Read the session again."""
        self._say("reading …")
        self._read_steps(self._session or None)

    @work(thread=True, group="steps", exclusive=True)
    def _read_steps(self, session: int | None) -> None:
        try:
            document = self._reader.steps(session)
        except ReadError as error:
            self._hand_over(self._say, str(error))
        else:
            self._hand_over(self._take_steps, document)

    @work(thread=True, group="ask", exclusive=True)
    def action_sessions(self) -> None:
        """Offer the sessions to choose from."""
        try:
            current = self._reader.current_session()
        except ReadError as error:
            self._hand_over(self._say, str(error))
        else:
            self._hand_over(self._offer_sessions, current)

    def _offer_sessions(self, current: int) -> None:
        numbers = range(max(current, self._session), 0, -1)
        choices = [
            Choice(f"session {n}{', the current one' if n == current else ''}", str(n))
            for n in numbers
        ]

        def chosen(number: str | None) -> None:
            if number is not None:
                self._been.clear()
                self._wanted = None
                self._read_steps(int(number))

        self.push_screen(Chooser("sessions", choices), chosen)

    def action_walk(self, kind: str) -> None:
        """Offer the jobs that the step came from (`lineage`), or that came of it (`impact`)."""
        if self._shown is not None:
            self._say("reading …")
            self._read_walk(kind, self._shown)

    @work(thread=True, group="ask", exclusive=True)
    def _read_walk(self, kind: str, uid: str) -> None:
        try:
            document = self._reader.walk(uid, kind)
        except ReadError as error:
            self._hand_over(self._say, str(error))
        else:
            self._hand_over(self._offer_walk, kind, document)

    def _offer_walk(self, kind: str, document: dict[str, Any]) -> None:
        self._say_where()
        name = views.printable(document["target"]["name"])
        heading = f"{name} came from" if kind == "lineage" else f"came of {name}"
        choices = [Choice(text, uid) for text, uid in views.walk_lines(document)]

        def chosen(uid: str | None) -> None:
            if uid is not None:
                self._go(uid)

        self.push_screen(Chooser(heading, choices or [Choice("nothing recorded", None)]), chosen)

    def action_keys(self) -> None:
        """Tell what every key does."""
        self.push_screen(KeysHelp())
