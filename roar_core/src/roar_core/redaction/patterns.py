"""Regular expressions that are compiled when a text is first tried on them: few ever are."""

from __future__ import annotations

import re
from functools import cached_property


class Pattern:
    """One regular expression, in the words of `re.compile`."""

    def __init__(self, source: str, flags: re.RegexFlag = re.NOFLAG) -> None:
        self._source = source
        self._flags = flags

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """It, as `re` has it."""
        return re.compile(self._source, self._flags)
