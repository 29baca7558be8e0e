"""Small programs and what is to be recorded of each: the table every tracer has to pass."""

from __future__ import annotations

from roar_core.testing.programs import (
    content,
    limits,
    naming,
    opening,
    processes,
    python,
    shells,
    standing,
    tools,
)

PROGRAMS = (
    *opening.PROGRAMS,
    *naming.PROGRAMS,
    *content.PROGRAMS,
    *processes.PROGRAMS,
    *shells.PROGRAMS,
    *tools.PROGRAMS,
    *python.PROGRAMS,
    *limits.PROGRAMS,
    *standing.PROGRAMS,
)
