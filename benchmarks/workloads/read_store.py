"""Read every file below store.zarr, as a loader with one worker does."""

import os

total = 0
for folder, _, names in os.walk("store.zarr"):
    for name in names:
        with open(os.path.join(folder, name), "rb") as stream:  # noqa: PTH118, PTH123 - as loaders do
            total += len(stream.read())
print(total)
