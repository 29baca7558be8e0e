"""Run by every Python of a command, before its own start-up file, which then runs as ever.

Any Python may read this, so it is in words that the oldest knows. Where only a package can be
brought to, it is the first file of one.
"""

import sys
from os import path

_STARTED = ""
_here = path.dirname(path.abspath(__file__))
_leading = {_here, path.dirname(_here) if "__path__" in globals() else _here}
if sys.version_info >= (3, 9):
    sys.path.insert(0, _here)
    __import__(_STARTED).start(_here)
# As if this folder had never been on the path.
sys.path[:] = [_each for _each in sys.path if path.abspath(_each or ".") not in _leading]
for _each in _leading:
    sys.path_importer_cache.pop(_each, None)
_this = sys.modules.pop("sitecustomize")
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError as _error:
    if getattr(_error, "name", "sitecustomize") != "sitecustomize":
        raise
    sys.modules["sitecustomize"] = _this
