"""Templates to pages, under one strict policy: our own style and scripts, and nothing else."""

from __future__ import annotations

import logging
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from litestar import Response

from roar_glaas.pages import plain
from roar_glaas.pages.browser import reader
from roar_glaas.pages.links import web_address

_log = logging.getLogger(__name__)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "worker-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_templates = Environment(
    loader=PackageLoader("roar_glaas.pages"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    finalize=plain.plain,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "moment": plain.moment,
    "machine_time": plain.machine_time,
    "duration": plain.duration,
    "size": plain.size,
    "last_part": plain.last_part,
    "heading": plain.heading,
    "web_address": web_address,
}
# Who reads: for the block at the top of every page.
_templates.globals["reader"] = reader


def page(template: str, status: int = 200, **values: Any) -> Response[str]:
    """A page made of a template, with the headers that every page has."""
    found = _templates.get_template(template)
    text = found.render(has_scripts=built("copying.js") is not None, **values)
    return Response(text, media_type="text/html", status_code=status, headers=HEADERS)


def built(name: str) -> bytes | None:
    """A file of the bundle that hatch_build.py makes; None where it could not be made."""
    found = files("roar_glaas.pages").joinpath("_built", name)
    return found.read_bytes() if found.is_file() else None


def can_draw() -> bool:
    """Whether the graph's script is here; where it is not, the log says so once."""
    if built("graph.js") is None:
        _tell_that_nothing_is_drawn()
        return False
    return True


@cache
def _tell_that_nothing_is_drawn() -> None:
    _log.warning(
        "graphs are listed, not drawn: this installation has no script for them; install "
        "roar-glaas from a wheel, or again where npm can reach its registry"
    )
