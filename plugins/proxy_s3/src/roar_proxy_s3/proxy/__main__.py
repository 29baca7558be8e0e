"""The proxy's process."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from roar_proxy_s3.proxy.process import serve
from roar_proxy_s3.proxy.settings import take

if __name__ == "__main__":
    # What the libraries would say may hold requests' headers.
    logging.disable(logging.CRITICAL)
    told = take(Path(sys.argv[1]))
    # Wherever the command works, the proxy is not in the way of unmounting it.
    os.chdir("/")
    asyncio.run(serve(told))
