"""What roar calls around a run.

Every `roar run` imports this, and few have a proxy: what only those need is imported where it is
used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason

if TYPE_CHECKING:
    from roar_core.model.fragment import ObservedObject

# Below the patience that roar has by default.
_DRAIN_S = 5.0


class S3Proxy:
    """A proxy of S3 for each run, where the user has enabled it."""

    name = "s3"

    def __init__(self, *, is_enabled: bool) -> None:
        self._is_enabled = is_enabled

    def start(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        if not self._is_enabled:
            return {}
        from roar_proxy_s3.runs import concerns, leading, listener, preparing

        if not concerns.may_use_s3(environ):
            return {}
        if variable := concerns.proxy_in_the_way(environ):
            reason = f"{variable} holds for 127.0.0.1 too; export NO_PROXY=127.0.0.1"
            preparing.write_answer(run.folder, preparing.Answer(reason=reason))
            return {}
        found = listener.start(run.folder, environ)
        if found is None:
            return {}
        hook = leading.with_hook(run.folder, environ)
        if not listener.answer(run.folder).injects:
            return hook
        return {**leading.variables(found.url, environ), **hook}

    def objects(self, run: RunContext) -> Iterator[ObservedObject]:
        if _has_none(run):
            return
        from roar_proxy_s3.runs import listener
        from roar_proxy_s3.runs.passed import facts_in, observed

        listener.end(run.folder, _DRAIN_S)
        yield from observed(facts_in(run.folder / listener.OBJECTS))

    def stop(self, run: RunContext) -> Sequence[CoverageReason]:
        if _has_none(run):
            return ()
        from roar_proxy_s3.runs import listener

        was_asked = (run.folder / listener.ENDING).exists()
        found = []
        if listener.has_died(run.folder):
            found.append(CoverageReason("proxy", 1, "the proxy of S3 died while the command ran"))
        elif not listener.end(run.folder, 0 if was_asked else _DRAIN_S):
            reason = "objects of S3 were still under way when the command had ended"
            found.append(CoverageReason("proxy", 1, reason))
        if reason := listener.answer(run.folder).reason:
            found.append(CoverageReason("proxy", 1, reason))
        for why, count in listener.bypassed(run.folder).items():
            detail = f"a client of S3 {why}, and went there without the proxy"
            found.append(CoverageReason("proxy", count, detail))
        return found


def _has_none(run: RunContext) -> bool:
    """Whether the run was given no proxy: then nothing is in its folder."""
    return not os.path.isdir(run.folder) or not os.listdir(run.folder)  # noqa: PTH112, PTH208
