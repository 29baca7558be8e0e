"""S3 for roar.

`transfer` moves files to and from buckets, for `roar get` and `roar put`. `proxy` is the process
that stands between a command and its store, and tells which objects passed.
"""
