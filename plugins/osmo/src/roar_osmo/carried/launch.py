"""Runs a task's command in the place of this Python, observed where roar-core is to be had.

python launch.py PYTHON [OPTION ...] -- COMMAND [ARGUMENT ...]; PYTHON may be empty. Every Python
from 2.7 on understands it.
"""

import errno
import os
import signal
import subprocess
import sys

OBSERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "observe.py")


def become(command):
    # type: (list[str]) -> None
    """Execute a command as if this Python had never been."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    forget_own_locale()
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(command[0] + ": " + str(error.strerror) + "\n")
        sys.exit(127 if error.errno == errno.ENOENT else 126)


def forget_own_locale():
    # type: () -> None
    """Take out of the environment what this Python has put there (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as given:
            if b"\0LC_CTYPE=" not in b"\0" + given.read():
                os.environ.pop("LC_CTYPE", None)
    except EnvironmentError:
        return


def is_there(python):
    # type: (str) -> bool
    """Whether all that the observer needs is there; a Python that is too old refuses -P."""
    with open(os.devnull, "r+") as null:
        try:
            return not subprocess.call(
                [python, "-P", OBSERVER], stdin=null, stdout=null, stderr=null
            )
        except OSError:
            return False


def main(words):
    # type: (list[str]) -> None
    """Observe the command, or become it."""
    for python in (words[0], sys.executable):
        if python and is_there(python):
            become([python, "-P", OBSERVER] + words[1:])
    become(words[words.index("--") + 1 :])


if __name__ == "__main__":
    main(sys.argv[1:])
