"""Ray under `roar run`: an agent in each of its workers, and what brings their reports back.

backend    what roar calls around a run
report     what lies in the run's folder afterwards
driver     in the driver's process: joins Ray, fetches and sweeps
hook       the runtime environment that brings the agent into workers
agent      in each worker

Every `roar run` imports this module: nothing heavy here. Ray itself is imported by none of roar's
processes; the driver's Python, which may be any, has its own.
"""

from __future__ import annotations

from roar_core.hookspecs import ConfigKey, ConfigSection, ExecutionBackend, PluginConfig, hookimpl

roar_api_version = 1

_KEYS = (
    ConfigKey("enabled", True, "Whether Ray's tasks are recorded."),
    ConfigKey(
        "capture",
        "auto",
        "How tasks are observed: by the preload library where it can be had, or in Python alone.",
        choices=("auto", "native", "python"),
    ),
    ConfigKey(
        "ship_period", 0.5, "How often a worker on another machine sends what it did.", "seconds"
    ),
    ConfigKey(
        "store_room", 64 << 20, "The most that may wait in a cluster's store for a run.", "size"
    ),
    ConfigKey(
        "sweep_patience", 20.0, "How long a driver waits at its end for other machines.", "seconds"
    ),
)


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    return [ConfigSection("ray", _KEYS, "Tasks of Ray; see docs/ray.md.")]


@hookimpl
def roar_backends(config: PluginConfig) -> list[ExecutionBackend]:
    from roar_ray.backend import RayBackend

    # Also when it is not enabled: what Ray writes for itself is nobody's output.
    return [RayBackend({key.name: key.default for key in _KEYS} | dict(config.section))]
