"""The team's own pages about a training: links that `glaas.toml` gives templates for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roar_glaas.pages.links import Link, from_template
from roar_glaas.settings import Settings


def workflow_links(
    settings: Settings, artifact: str | None, job: Mapping[str, Any] | None
) -> list[Link]:
    """ "View training request" and "Run", where they are set up and what they need is known."""
    told = job or {}
    values = {
        "artifact": artifact,
        "commit": told.get("gitCommit"),
        "job": told.get("jobUid"),
        "repository": told.get("gitRepo"),
        "session": told.get("sessionHash"),
    }
    wanted = (
        (settings.training_request_url, "View training request"),
        (settings.run_url, "Run"),
    )
    found = [(from_template(template, values), words) for template, words in wanted]
    return [Link(url, words) for url, words in found if url is not None]
