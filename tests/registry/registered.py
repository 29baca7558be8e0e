"""Register what a project exported, call by call, and serve its repository to others."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roar_core.registry.publishing.dataset_documents import (
    PLAIN,
    artifact_to_wire,
    dataset_to_wire,
    views_of,
)
from roar_core.registry.publishing.job_documents import to_wire
from roar_core.registry.publishing.link_documents import links_of
from roar_core.testing.projects import InstalledPlugins, ProjectUnderTest

if TYPE_CHECKING:
    from plugins.glaas.tests.conftest import Registry

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/end_to_end"


def register_graph(registry: Registry, graph: dict[str, Any]) -> str:
    """Register a graph document; returns the session's hash."""
    opened = registry.open()
    artifacts = {artifact["hash"]: artifact for artifact in graph["artifacts"]}
    sessions = {session["id"]: session for session in graph["sessions"]}
    for artifact in artifacts.values():
        if dataset := dataset_to_wire(artifact, PLAIN):
            opened.post("artifacts/composites", dataset)
    jobs = [to_wire(job, sessions[job["session"]], "0") for job in graph["jobs"]]
    opened.post("jobs/batch", {"jobs": jobs})
    files = [wire for artifact in artifacts.values() if (wire := artifact_to_wire(artifact))]
    opened.post("artifacts/batch", {"artifacts": files})
    for job in graph["jobs"]:
        for side in ("inputs", "outputs"):
            links = links_of(job[side]).links
            if links:
                opened.post(f"jobs/{job['uid']}/{side}", {"artifacts": links})
        if views := views_of(job, artifacts):
            opened.post(f"jobs/{job['uid']}/view-edges", {"view_edges": views})
    return str(opened.post("finalize", {"git_repo": "", "git_commit": ""})["session_hash"])


def project_at(folder: Path, registry: Registry) -> ProjectUnderTest:
    """Somebody's directory, with a home of their own; the registry is who they ask."""
    home = folder / "home"
    (folder / "work").mkdir(parents=True)
    home.mkdir()
    plugins = InstalledPlugins(folder / "plugins")
    return ProjectUnderTest(folder / "work", home, plugins, {"ROAR_REGISTRY__URL": registry.url})


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout.strip()


@contextmanager
def serving_git(checkout: Path, folder: Path) -> Iterator[str]:
    """The URL of a bare copy of a repository, over the plain HTTP that git calls dumb."""
    git(folder, "clone", "-q", "--bare", str(checkout), "work.git")
    git(folder / "work.git", "update-server-info")
    handler = partial(_Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/work.git"
        finally:
            server.shutdown()
            thread.join()
    shutil.rmtree(folder / "work.git")


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
