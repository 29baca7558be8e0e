"""OSMO for roar: workflows that `osmo workflow submit` hands to a cluster.

backend      the `ExecutionBackend`: plan, collect, coverage
command_line what the words after `osmo` ask for
stand_in     runs in the command's place, and finds the rest
submit       has the server render, rewrites, submits, keeps the workflow's id
preparing    from a submission as it was typed to what is submitted
workflow     a workflow's specification, read with every mistrust
rewrite      tasks under a launcher, and a way back for what they did
carried      the launcher: the only part that runs in a task's container
client       asking `osmo` something
state        what a workflow's attempts have come to
returned     what launchers have sent, from logs or storage
envelope     what a launcher has sent, and its place
collecting   one collection of a run
declared     what the specification alone tells of an attempt
notes        what a later roar needs to know of a run
commands     `roar osmo`
"""

from __future__ import annotations

from roar_core.hookspecs import ConfigSection, ExecutionBackend, PluginConfig, hookimpl
from roar_osmo.settings import SECTION, Settings


@hookimpl
def roar_backends(config: PluginConfig) -> list[ExecutionBackend]:
    """Offer the backend."""
    from roar_osmo.backend import OsmoBackend

    return [OsmoBackend(Settings.of(config.section))]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the section `osmo`."""
    return [SECTION]
