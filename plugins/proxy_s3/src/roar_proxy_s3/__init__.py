"""S3 for roar.

transfer  moves files to and from buckets, for `roar get` and `roar put`
proxy     the process that stands between a command and its store, and tells what passed
runs      gives every run such a process, and makes inputs and outputs of what it told
commands  `roar proxy`
standing  the proxy that a user starts by hand
"""
