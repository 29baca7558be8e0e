"""The page as text: a style, a script and the data, each inline, and a policy that allows no more.

The policy (https://www.w3.org/TR/CSP3/) names the script and the style by their hashes, so nothing
that a recorded name smuggles in could run, load or send anything. The data stand in a script
element of a type that browsers do not run (https://html.spec.whatwg.org/#data-block).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from roar_core.lineage.graph import legible

SCRIPTS = ("layout.js", "details.js", "drawing.js", "page.js")


def page(title: str, data: Mapping[str, Any]) -> str:
    """The page that shows `data`, whose shape page.js describes; any text may stand in it."""
    style = _asset("page.css")
    script = '"use strict";\n(() => {\n' + "".join(map(_asset, SCRIPTS)) + "})();\n"
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {_hash_source(script)}",
            f"style-src {_hash_source(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n'
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(legible(title))}</title>\n"
        f"<style>{style}</style>\n"
        "<body>\n"
        "<noscript>This page is drawn by a script of its own, and scripts are off.</noscript>\n"
        f'<script type="application/json" id="data">{embedded(data)}</script>\n'
        f"<script>{script}</script>\n"
        "</html>\n"
    )


def embedded(data: Mapping[str, Any]) -> str:
    """`data` as JSON in ASCII that can end no element and open no comment."""
    text = json.dumps(data, separators=(",", ":"), check_circular=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"
