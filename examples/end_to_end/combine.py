"""Mix two artifacts byte by byte: python combine.py FIRST SECOND FILE."""

import sys
from pathlib import Path

first, second, target = map(Path, sys.argv[1:])
pairs = zip(first.read_bytes(), second.read_bytes(), strict=True)
target.write_bytes(bytes(a ^ b for a, b in pairs))
