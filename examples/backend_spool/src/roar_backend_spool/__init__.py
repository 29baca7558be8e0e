"""An execution backend for a queue in a folder: `spool submit`, and elsewhere `spool work`."""

from __future__ import annotations

from roar_core.hookspecs import ExecutionBackend, PluginConfig, hookimpl


@hookimpl
def roar_backends(config: PluginConfig) -> list[ExecutionBackend]:
    """Offer the backend."""
    from roar_backend_spool.backend import SpoolBackend

    return [SpoolBackend()]
