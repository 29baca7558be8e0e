"""Count a use of roar for the statistics; where they are silent, nothing is imported for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roar_core.cli import output
from roar_core.telemetry.suppression import silenced_by
from roar_core.telemetry.use import Use


def count(
    use: Use,
    environ: Mapping[str, str],
    capabilities: Callable[[], Mapping[str, bool]] | None = None,
) -> None:
    """Count `use`, as `telemetry.record.record` says, unless a variable silences it."""
    if silenced_by(environ) is not None:
        return
    from roar_core.telemetry.record import record

    record(use, environ, output.note, capabilities)
