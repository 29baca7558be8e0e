"""A user's own module, with a setup hook in it."""

import os


def mark():
    os.environ["MARK"] = os.environ.get("MARK", "") + "named"


def fail():
    raise OSError("the user's hook fails")
