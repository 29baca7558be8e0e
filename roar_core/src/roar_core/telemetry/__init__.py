"""Anonymous usage statistics, exactly as docs/telemetry.md promises them.

`payload.py`, `stats.py` and `paths.py` hold all that can ever be counted, sent and written.
"""
