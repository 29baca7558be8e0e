"""How this process is observed: by the library where it is loaded, else by the interpreter."""

from __future__ import annotations

from .audit import PythonCapture
from .native import NativeCapture, Unattached
from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from .journal import Journal

    class Capture(Protocol):
        """What reports into the journal."""

        name: str

        def tell(self, tag: int, event: int, text: bytes) -> None:
            """Write a TASK record."""

        def settle(self) -> None:
            """Find out what can be found out by now. Called by the agent's thread."""


def choose(journal: Journal, wanted: str) -> tuple[Capture, str]:
    """The best capture to be had, and why it is not a better one (empty when it is the best)."""
    if wanted == "python":
        return PythonCapture(journal, told), "as the settings ask"
    try:
        return NativeCapture(journal), ""
    except Unattached as reason:
        return PythonCapture(journal, told), str(reason)
