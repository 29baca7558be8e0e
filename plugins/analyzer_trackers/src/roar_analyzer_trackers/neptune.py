"""Neptune: `.neptune/offline/run__<id>__<pid>__<random>/`, or a database for each run (3.x).

    .neptune/{offline,async,sync}/run__<uuid>__<pid>__<8 letters>/   neptune 1.x
    .neptune/<workspace>_<project>_<run id>_<nanoseconds>/           neptune-scale
        run_operations.sqlite3              metadata(project = "workspace/project", run_id)

Read from neptune 1.14.0.post2, `internal/operation_processors/utils.py`, and neptune-scale 0.30.0,
`api/run.py` (`_resolve_run_storage_directory_path`, `_get_run_url`). 1.x writes no project down and
calls a run by a number in addresses (`RUN-12`), so that its address is never known. Both remove
what has been uploaded; then the names that the job made and removed are what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath

from roar_analyzer_trackers.addresses import address, joined
from roar_analyzer_trackers.databases import rows
from roar_analyzer_trackers.files import folders_above, is_file, json_object, text
from roar_analyzer_trackers.places import folders
from roar_analyzer_trackers.switches import switch
from roar_core.hookspecs import Analyzer, ConfigSection, ObservedRun, PluginConfig, hookimpl
from roar_core.model.tracker import TrackerReference

_DATA, _DATABASE = ".neptune", "run_operations.sqlite3"
_RUN_FOLDER = r"run__(?P<id>.+?)(?:__\d+__[a-z0-9]{8})?"
_SCALE_FOLDER = r"(?P<name>.+)_\d{19}"
_METADATA = "SELECT project, run_id FROM metadata ORDER BY id DESC LIMIT 1"
_TOKEN_LIMIT = 4096


class NeptuneAnalyzer:
    """Claims .neptune/, and names the runs in it that this job wrote."""

    name = "neptune"
    title = "Neptune"

    def __init__(self, config: PluginConfig) -> None:
        own = folders(config, "NEPTUNE_DATA_DIRECTORY", "NEPTUNE_LOG_DIRECTORY")
        self.patterns = (f"{_DATA}/", *own, _DATABASE, f"{_DATABASE}-*")

    def references(self, run: ObservedRun) -> Iterator[TrackerReference]:
        for place in sorted(folders_above(run.written)):
            match = re.fullmatch(_RUN_FOLDER, place.name)
            if match and place.parent.name in ("offline", "async", "sync"):
                yield _logged_by_1(match["id"], place.parent.name == "offline", run.environ)
        for path in sorted(run.written):
            if path.name == _DATABASE:
                yield _logged_by_scale(path, run.environ)


@hookimpl
def roar_analyzers(config: PluginConfig) -> list[Analyzer]:
    """Offer the analyzer."""
    return [NeptuneAnalyzer(config)]


@hookimpl
def roar_config_sections() -> list[ConfigSection]:
    """Own the tracker's switch."""
    return switch(NeptuneAnalyzer.name, NeptuneAnalyzer.title)


def _logged_by_1(run_id: str, is_offline: bool, environ: Mapping[str, str]) -> TrackerReference:
    entity, project = _named(environ.get("NEPTUNE_PROJECT"))
    return TrackerReference(
        NeptuneAnalyzer.name,
        run_id=text(run_id),
        project=project,
        entity=entity,
        host=None if is_offline else _host(environ),
    )


def _logged_by_scale(database: PurePath, environ: Mapping[str, str]) -> TrackerReference:
    for project, run_id in rows(database, _METADATA):
        entity, name = _named(project)
        return TrackerReference(
            NeptuneAnalyzer.name, run_id=text(run_id), project=name, entity=entity
        )
    return _uploaded_by_scale(database, environ)


def _uploaded_by_scale(database: PurePath, environ: Mapping[str, str]) -> TrackerReference:
    """A run whose database is gone, because all of it is on the server, or cannot be read."""
    entity, project = _named(environ.get("NEPTUNE_PROJECT"))
    folder = text(database.parent.name)
    run_id = _id_in(folder or "", entity, project)
    host = _host(environ) if run_id and not is_file(database) else None
    # In a folder's name other signs have become `_`: then the id is not for sure the server's.
    place = joined(host, entity, project, "-", "run") if "_" not in (run_id or "_") else None
    return TrackerReference(
        NeptuneAnalyzer.name,
        run_id=run_id,
        project=project if run_id else None,
        entity=entity if run_id else None,
        name=None if run_id else folder,
        url=f"{place}/?customId={run_id}" if place else None,
        host=host,
    )


def _id_in(folder: str, entity: str | None, project: str | None) -> str | None:
    """The run id in a folder's name, as far as the project before it is known."""
    match = re.fullmatch(_SCALE_FOLDER, folder)
    before = re.sub(r"[^\w.-]+|_{2,}", "_", f"{entity}/{project}")[:64] + "_"
    if match is None or not entity or not match["name"].startswith(before):
        return None
    return match["name"].removeprefix(before)


def _named(project: object) -> tuple[str | None, str | None]:
    """Workspace and project of `workspace/project`."""
    workspace, slash, name = (text(project) or "").partition("/")
    return (text(workspace), text(name)) if slash else (None, text(workspace))


def _host(environ: Mapping[str, str]) -> str | None:
    """The server that the API token is for: it is JSON, in base 64, and holds the address.

    Nothing else of it is looked at.
    """
    import binascii

    try:
        token = binascii.a2b_base64(environ.get("NEPTUNE_API_TOKEN", "")[:_TOKEN_LIMIT])
    except ValueError:
        return None
    content = json_object(token)
    return address(content.get("api_url") or content.get("api_address"))
