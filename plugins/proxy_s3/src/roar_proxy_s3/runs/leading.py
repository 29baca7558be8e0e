"""What leads a command's clients to the proxy: two variables, and a hook for Python programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roar_core.python_startup import lead

_HOOK = Path(__file__).parent / "python"


def variables(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The proxy at `url` as the endpoint of whoever heeds one.

    The second is no name of Amazon's: where the user has set it to another store than the first, it
    is that store to which it leads.
    """
    first, second = "AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL"
    theirs = environ.get(second)
    is_same = theirs is None or theirs == environ.get(first)
    return {first: url, second: url} if is_same else {first: url}


def with_hook(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A path of Python's that begins with the hook; nothing of it is left once a Python has begun.

    A copy within the run's folder: it is none of the packages that the command uses.
    """
    return lead(_HOOK, "_roar_s3_dialling", folder / "python", environ)
