"""The bodies of the legacy protocol: those of registering, each naming its session."""

from __future__ import annotations

from typing import Any

import attrs

from roar_glaas.registration import wire


@attrs.frozen(kw_only=True)
class Session(wire.Checkout):
    """The body of `sessions`; `hash` is the client's own for its work."""

    hash: str
    scope_request: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class Artifact(wire.Artifact):
    """The body of `artifacts`, and an element of that of `artifacts/batch`."""

    session_hash: str


@attrs.frozen(kw_only=True)
class Artifacts:
    """The body of `artifacts/batch`."""

    artifacts: list[Artifact]


@attrs.frozen(kw_only=True)
class Composite(wire.Composite):
    """The body of `artifacts/composites`."""

    session_hash: str
