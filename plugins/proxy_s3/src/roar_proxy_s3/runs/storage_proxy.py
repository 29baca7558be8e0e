"""What roar calls around a run."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject
from roar_proxy_s3.runs import listener
from roar_proxy_s3.runs.concerns import may_use_s3, proxy_in_the_way
from roar_proxy_s3.runs.listener import Answer

# Below the patience that roar has by default.
_DRAIN_S = 5.0
_HOOK = Path(__file__).parent / "python"
VARIABLES = ("AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL")


class S3Proxy:
    """A proxy of S3 for each run, where the user has enabled it."""

    name = "s3"

    def __init__(self, *, is_enabled: bool) -> None:
        self._is_enabled = is_enabled

    def start(self, run: RunContext, environ: Mapping[str, str]) -> Mapping[str, str]:
        if not self._is_enabled or not may_use_s3(environ):
            return {}
        if variable := proxy_in_the_way(environ):
            reason = f"{variable} holds for 127.0.0.1 too; export NO_PROXY=127.0.0.1"
            listener.write_answer(run.folder, Answer(reason=reason))
            return {}
        found = listener.start(run.folder, environ)
        if found is None:
            return {}
        added = variables(found.url, environ) if listener.answer(run.folder).injects else {}
        return {**added, "PYTHONPATH": _with_hook(run.folder, environ.get("PYTHONPATH"))}

    def objects(self, run: RunContext) -> Iterator[ObservedObject]:
        from roar_proxy_s3.runs.passed import facts_in, observed

        listener.end(run.folder, _DRAIN_S)
        yield from observed(facts_in(run.folder / listener.OBJECTS))

    def stop(self, run: RunContext) -> Sequence[CoverageReason]:
        folder = run.folder
        was_asked = (folder / listener.ENDING).exists()
        found = []
        if listener.has_died(folder):
            found.append(CoverageReason("proxy", 1, "the proxy of S3 died while the command ran"))
        elif not listener.end(folder, 0 if was_asked else _DRAIN_S):
            reason = "objects of S3 were still under way when the command had ended"
            found.append(CoverageReason("proxy", 1, reason))
        if reason := listener.answer(folder).reason:
            found.append(CoverageReason("proxy", 1, reason))
        for why, count in Counter(listener.bypassed(folder)).items():
            detail = f"a client of S3 {why}, and went there without the proxy"
            found.append(CoverageReason("proxy", count, detail))
        return found


def _with_hook(folder: Path, theirs: str | None) -> str:
    """A path that begins with the hook, of which nothing is left once a Python has started.

    A copy within the run's folder: it is none of the packages that the command uses.
    """
    copied = folder / "python"
    shutil.copytree(_HOOK, copied, ignore=shutil.ignore_patterns("__pycache__"))
    return f"{copied}{os.pathsep}{theirs}" if theirs else str(copied)


def variables(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What leads a command's clients to the proxy at `url`.

    The second is no name of Amazon's: where the user has set it alone, or to another store, it is
    another store that it leads to.
    """
    first, second = VARIABLES
    theirs = environ.get(second)
    is_same = theirs is None or theirs == environ.get(first)
    return {first: url, second: url} if is_same else {first: url}
