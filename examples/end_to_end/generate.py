"""Write a small binary artifact: python generate.py SEED FILE."""

import hashlib
import sys
from pathlib import Path

seed, target = sys.argv[1:]
Path(target).write_bytes(hashlib.shake_256(seed.encode()).digest(4096))
