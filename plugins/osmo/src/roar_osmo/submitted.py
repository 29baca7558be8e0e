"""What `osmo workflow submit` says when it has submitted, or has not."""

from __future__ import annotations

import json
import re

_REFUSED = re.compile(r"submit failed|validation|invalid|unrecognized arguments", re.I)
_IN_TEXT = re.compile(r"^Workflow ID\s+-\s+(\S+)\s*$", re.M)


def workflow_in(printed: str) -> str | None:
    """The new workflow's id, from text or from `--format-type json`; None when none is named."""
    match = _IN_TEXT.search(printed)
    if match is not None:
        return match[1]
    for at in (found.start() for found in re.finditer(r"^\{", printed, re.M)):
        try:
            document, _ = json.JSONDecoder().raw_decode(printed, at)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict) and isinstance(document.get("name"), str):
            return str(document["name"])
    return None


def is_about_labels(printed: str) -> bool:
    """Whether osmo refused because of labels: a policy, or a version that knows none."""
    return "label" in printed.lower()


def is_refusal(printed: str) -> bool:
    """Whether the server, or osmo itself, said no, so that nothing was submitted."""
    return _REFUSED.search(printed) is not None
