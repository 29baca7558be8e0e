"""Tasks that are killed from outside, that die of themselves, and what comes after each.

    kills.py FOLDER       prints, as JSON, what the driver got back

What an attempt reads is `FOLDER/in`; each writes a file of its own: the task's name and, counted by
these files, its number.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

import ray

FOLDER = sys.argv[1]
MIB = 1 << 20


def write(name):
    """Read the input, and write the next file of this name; returns its number."""
    with open(f"{FOLDER}/in") as source:
        text = source.read()
    number = 1
    while os.path.exists(f"{FOLDER}/{name}.{number}"):
        number += 1
    with open(f"{FOLDER}/{name}.{number}", "w") as file:
        file.write(text)
    return number


def wait_for(name):
    while not os.path.exists(f"{FOLDER}/{name}"):
        time.sleep(0.05)


@ray.remote(max_retries=1)
def takes_all(name):
    """More memory than there may be used: Ray's monitor kills the worker, and tries once more."""
    number = write(name)
    held = []
    while number == 1:
        held.append(b"x" * (64 * MIB))
        if len(held) == 160:  # 10 GiB: there is no monitor
            return "was not killed"
        time.sleep(0.02)
    return number


@ray.remote(max_retries=1)
def dies(name, how):
    """Dies the first time."""
    number = write(name)
    if number == 1:
        HOW[how]()
    return number


@ray.remote(max_retries=0)
def dies_once(name, how):
    write(name)
    HOW[how]()


@ray.remote(max_retries=0, max_calls=1)
def limited(name, which, most):
    write(name)
    resource.setrlimit(getattr(resource, which), (most, most))
    if which == "RLIMIT_CPU":
        while True:
            pass
    if which == "RLIMIT_NOFILE":
        return len([open(f"{FOLDER}/in") for _ in range(most)])
    with open(f"{FOLDER}/{name}.more", "w") as file:
        file.write("x" * (2 * most))
    return "was not limited"


def signalled(number):
    os.kill(os.getpid(), number)
    time.sleep(1000)


HOW = {
    "exit": lambda: os._exit(3),
    "sys.exit": lambda: sys.exit(3),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "kill": lambda: signalled(signal.SIGKILL),
    "term": lambda: signalled(signal.SIGTERM),
}


@ray.remote(max_retries=0)
def endless(name):
    write(name)
    while True:
        time.sleep(0.05)


@ray.remote(max_restarts=1, max_task_retries=1)
class Phoenix:
    """Comes back once, and does once more what it was doing."""

    def __init__(self, name):
        self.name = name
        self.born = write(f"{name}-born")

    def works(self):
        number = write(f"{self.name}-works")
        while number == 1:
            time.sleep(0.05)
        return [self.born, number]

    def dies(self, how):
        number = write(f"{self.name}-dies")
        if number == 1:
            HOW[how]()
        return [self.born, number]

    def fine(self):
        return write(f"{self.name}-fine")


@ray.remote
class Unborn:
    def __init__(self, name, how):
        write(name)
        HOW[how]()

    def never(self):
        return write("never")


def got(ref):
    try:
        return ray.get(ref)
    except Exception as error:
        return type(error).__name__


def killed(name, *, no_restart):
    actor = Phoenix.remote(name)
    under_way = actor.works.remote()
    wait_for(f"{name}-works.1")
    ray.kill(actor, no_restart=no_restart)
    return [got(under_way), got(actor.fine.remote())]


def cancelled(name, **how):
    ref = endless.remote(name)
    wait_for(f"{name}.1")
    ray.cancel(ref, **how)
    return got(ref)


def main():
    found = {f"again-{how}": got(dies.remote(f"again-{how}", how)) for how in HOW}
    found |= {f"once-{how}": got(dies_once.remote(f"once-{how}", how)) for how in HOW}
    if "RAY_memory_usage_threshold" in os.environ:
        found["memory"] = got(takes_all.remote("memory"))
        found["no-memory"] = got(takes_all.options(max_retries=0).remote("no-memory"))
    found["forced"] = cancelled("forced", force=True)
    found["gone"] = killed("gone", no_restart=True)
    found["back"] = killed("back", no_restart=False)
    phoenix = Phoenix.remote("phoenix")
    found["phoenix"] = [got(phoenix.dies.remote("segfault")), got(phoenix.fine.remote())]
    found["unborn"] = got(Unborn.remote("unborn", "exit").never.remote())
    found["cpu"] = got(limited.remote("cpu", "RLIMIT_CPU", 1))
    found["size"] = got(limited.remote("size", "RLIMIT_FSIZE", 1000))
    found["files"] = got(limited.remote("files", "RLIMIT_NOFILE", 200))
    return found


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    found = main()
    ray.shutdown()
    print(json.dumps(found))
