"""Tracebacks that Ray sends to the user, without the frames of ours that an exception passed."""

from __future__ import annotations

from .trouble import told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Of all our modules in a worker, see the hook's loader.
_FILES = '  File "<roar>/'


def install(ray: Any) -> None:
    """See to the one place where Ray makes a text of what a task raised."""
    utils = ray._private.utils
    format_message = utils.format_error_message

    def format_error_message(exception_message: str, *rest: Any, **named: Any) -> str:
        try:
            exception_message = without_ours(exception_message)
        except Exception as error:
            told("traceback", error)
        return format_message(exception_message, *rest, **named)  # type: ignore[no-any-return]

    utils.format_error_message = format_error_message


def without_ours(text: str) -> str:
    """The text of a traceback without the entries of our frames."""
    if _FILES not in text:
        return text
    kept, is_ours = [], False
    for line in text.split("\n"):
        # An entry is its first line and, indented further, the source and the marks below it.
        if line.startswith(_FILES):
            is_ours = True
        elif not line.startswith("    "):
            is_ours = False
        if not is_ours:
            kept.append(line)
    return "\n".join(kept)
