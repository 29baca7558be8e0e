"""`roar get` and `roar put`: the commands that move files, and record it."""
