"""Run by every Python of a command, before its own start-up file, which then runs as ever.

Any Python may read this, so it is in words that the oldest knows.
"""

import sys
from os import path

_STARTED = ""
_here = path.dirname(path.abspath(__file__))
if sys.version_info >= (3, 9):
    __import__(_STARTED).start(_here)
# As if this folder had never been on the path.
sys.path[:] = [_each for _each in sys.path if path.abspath(_each or ".") != _here]
sys.path_importer_cache.pop(_here, None)
_this = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError as _error:
    if getattr(_error, "name", "sitecustomize") != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = _this
