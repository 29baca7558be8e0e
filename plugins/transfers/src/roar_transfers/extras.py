"""What is said when the library that a scheme needs is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from roar_core.errors import RoarError


@contextmanager
def extra(name: str, library: str) -> Iterator[None]:
    """Imports of `library` in the block, as an error that names the extra where they fail."""
    try:
        yield
    except ImportError as error:
        raise RoarError(
            f"{name}:// URLs need {library}, which is not installed or broken ({error}); install "
            f"it from the checkout: pip install './plugins/transfers[{name}]'"
        ) from error
