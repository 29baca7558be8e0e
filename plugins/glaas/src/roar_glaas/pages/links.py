"""Links that lead away from the registry: only to http and https, whatever was registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from roar_glaas.errors import GlaasError

PLACEHOLDERS = ("artifact", "commit", "job", "repository", "session")
_MOST_URL = 2000
_MOST_LINKS = 20
_TITLES = {
    "wandb": "W&B",
    "mlflow": "MLflow",
    "neptune": "Neptune",
    "trackio": "Trackio",
    "comet": "Comet",
    "clearml": "ClearML",
    "aim": "Aim",
    "swanlab": "SwanLab",
    "tensorboard": "TensorBoard",
}


class Link(NamedTuple):
    """Where it leads and what is said to it."""

    url: str
    words: str


def web_address(text: object, *schemes: str) -> str | None:
    """`text` when it is an address with one of `schemes` (https) and a host; None otherwise."""
    if not isinstance(text, str) or len(text) > _MOST_URL or not text.isprintable():
        return None
    if " " in text or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        named = parts.hostname
    except ValueError:
        return None
    return text if parts.scheme in (schemes or ("https",)) and named else None


def tracker_links(metadata: Mapping[str, Any]) -> list[Link]:
    """ "View in W&B" and the like: the runs that a job's metadata names, when over https.

    Two shapes: `trackers` of our client, `analysis.experiment_tracking.runs` of roar-cli.
    """
    found: dict[str, Link] = {}
    for run in _runs(metadata):
        address = web_address(run.get("url"))
        tracker = str(run.get("title") or run.get("tracker") or "its tracker")[:40]
        if address is not None and len(found) < _MOST_LINKS:
            words = f"View in {_TITLES.get(tracker.lower(), tracker)}"
            found.setdefault(address, Link(address, words))
    return list(found.values())


def _runs(metadata: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    analysis = metadata.get("analysis")
    told = analysis.get("experiment_tracking") if isinstance(analysis, Mapping) else None
    runs = told.get("runs") if isinstance(told, Mapping) else None
    for listed in (metadata.get("trackers"), runs):
        if isinstance(listed, list):
            yield from (run for run in listed if isinstance(run, Mapping))


def check_template(setting: str, template: str) -> None:
    """Raise GlaasError unless `template` is empty or a web address with known placeholders.

    They stand behind the host: what was registered never chooses where a link leads.
    """
    if not template:
        return
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise GlaasError(f"{setting}: {template!r} cannot be read: {error}") from error
    for _, name, spec, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or spec or conversion):
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise GlaasError(f"{setting}: {{{name}}} is none of {known}")
    start = parts[0][0]
    host, slash, _ = start.partition("://")[2].partition("/")
    if web_address(start, "http", "https") is None or not (host and slash):
        raise GlaasError(
            f"{setting} must begin with http:// or https://, a host and a slash, not {template!r}"
        )


def from_template(template: str, values: Mapping[str, str | None]) -> str | None:
    """The link that a checked template gives; None when it is empty or a value is not known."""
    if not template:
        return None
    text = ""
    for literal, name, _, _ in Formatter().parse(template):
        text += literal
        if name is not None:
            value = values.get(name)
            if not value:
                return None
            text += quote(value, safe="")
    return text
