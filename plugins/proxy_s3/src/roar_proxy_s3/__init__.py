"""S3 for roar. `transfer` moves files to and from buckets, for `roar get` and `roar put`."""
