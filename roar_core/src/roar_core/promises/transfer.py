"""What roar relies on of a transfer before it moves a byte."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roar_core.hookspecs import Transfer
from roar_core.promises.promise import Complaint, promise

# RFC 3986, section 3.1; lower case, because schemes are compared without regard to case.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)


@promise("its schemes are a tuple of what stands before :// in a URL")
def schemes_are_schemes(transfer: Transfer) -> Iterator[Complaint]:
    if not isinstance(transfer.schemes, tuple):
        yield Complaint(
            f"its schemes are {transfer.schemes!r}", 'give a tuple, such as ("s3",), with its comma'
        )
        return
    for scheme in transfer.schemes:
        if not _SCHEME.fullmatch(scheme):
            yield Complaint(
                f"{scheme!r} is no scheme of a URL",
                "use lower-case letters, digits, '+', '.' and '-', without ://",
            )


PROMISES = (schemes_are_schemes,)
