"""`python -m roar_backend_spool` is `spool`."""

import sys

from roar_backend_spool.cli import main

sys.exit(main())
