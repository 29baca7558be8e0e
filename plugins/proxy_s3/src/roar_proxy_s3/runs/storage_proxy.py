"""What roar calls around a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from roar_core.hookspecs import RunContext
from roar_core.model.coverage import CoverageReason
from roar_core.model.fragment import ObservedObject
from roar_proxy_s3.runs import listener
from roar_proxy_s3.runs.concerns import may_use_s3, proxy_in_the_way
from roar_proxy_s3.runs.listener import Answer

# Below the patience that roar has by default.
_DRAIN_S = 5.0
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
            listener.write_answer(run.folder, Answer(False, reason))
            return {}
        found = listener.start(run.folder, environ)
        return {} if found is None else variables(found.url, environ)

    def objects(self, run: RunContext) -> Iterator[ObservedObject]:
        from roar_proxy_s3.runs.passed import facts_in, observed

        listener.end(run.folder, _DRAIN_S)
        yield from observed(facts_in(run.folder / listener.OBJECTS))

    def stop(self, run: RunContext) -> Sequence[CoverageReason]:
        if listener.has_died(run.folder):
            return (CoverageReason("proxy", 1, "the proxy of S3 died while the command ran"),)
        if not listener.end(run.folder, 0 if (run.folder / listener.ENDING).exists() else _DRAIN_S):
            reason = "objects of S3 were still under way when the command had ended"
            return (CoverageReason("proxy", 1, reason),)
        reason = listener.answer(run.folder).reason
        return (CoverageReason("proxy", 1, reason),) if reason else ()


def variables(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What leads a command's clients to the proxy at `url`.

    The second is no name of Amazon's: where the user has set it alone, or to another store, it is
    another store that it leads to.
    """
    first, second = VARIABLES
    theirs = environ.get(second)
    is_same = theirs is None or theirs == environ.get(first)
    return {first: url, second: url} if is_same else {first: url}
