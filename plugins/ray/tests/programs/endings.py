"""Every way in which a task may end, and how calls of one actor run beside each other.

    endings.py FOLDER       prints, as JSON, what the driver got back

Each task writes a file of its own name into FOLDER.
"""

import asyncio
import ctypes
import json
import os
import sys
import time

import ray

FOLDER = sys.argv[1]


def write(name):
    with open(f"{FOLDER}/{name}", "w") as file:
        file.write(name)
    # What an interpreter has opened it tells by its next audit event: this one, of whoever is to be
    # killed, is what the driver waits for.
    os.mkdir(f"{FOLDER}/.{name}")


def wait_for(name):
    while not os.path.exists(f"{FOLDER}/.{name}"):
        time.sleep(0.05)


@ray.remote(max_retries=0)
def leaves():
    write("leaves")
    os._exit(3)


@ray.remote(max_retries=0)
def crashes():
    write("crashes")
    ctypes.string_at(0)


@ray.remote(max_retries=0)
def endless(name):
    write(name)
    while True:
        time.sleep(0.05)


@ray.remote(num_cpus=1000)
def never():
    write("never")


@ray.remote
def inner(name):
    write(name)
    return name


@ray.remote
def outer(name):
    write(name)
    return ray.get([inner.remote(f"{name}.{number}") for number in range(2)])


@ray.remote
def puts(name):
    write(name)
    return [ray.put(name)]


@ray.remote
def takes(name, box):
    write(name)
    return ray.get(box[0])


@ray.remote(concurrency_groups={"io": 2, "compute": 1})
class Grouped:
    def __init__(self):
        self.both = asyncio.Event()
        self.count = 0

    @ray.method(concurrency_group="io")
    async def load(self, name):
        self.count += 1
        if self.count == 2:
            self.both.set()
        await self.both.wait()
        write(name)
        return name

    @ray.method(concurrency_group="compute")
    async def compute(self, name):
        write(name)
        return name

    async def waits(self, name):
        write(name)
        await asyncio.sleep(1000)


def got(ref):
    try:
        return ray.get(ref)
    except Exception as error:
        return type(error).__name__


def cancelled(ref, name=None, **how):
    if name is not None:
        wait_for(name)
    ray.cancel(ref, **how)
    return got(ref)


def main():
    found = {name: got(task.remote()) for name, task in (("leaves", leaves), ("crashes", crashes))}
    found["cancelled"] = cancelled(endless.remote("cancelled"), "cancelled")
    found["forced"] = cancelled(endless.remote("forced"), "forced", force=True)
    found["pending"] = cancelled(never.remote())
    found["nested"] = got(outer.remote("outer"))
    [box] = ray.get([puts.remote("puts")])
    found["put"] = [ray.get(box[0]), got(takes.remote("takes", box)), ray.get(ray.put(1))]
    grouped = Grouped.remote()
    found["groups"] = ray.get([grouped.load.remote("load1"), grouped.load.remote("load2")])
    found["compute"] = got(grouped.compute.remote("compute"))
    found["async"] = cancelled(grouped.waits.remote("waits"), "waits")
    last = grouped.waits.remote("killed")
    wait_for("killed")
    ray.kill(grouped)
    found["killed"] = got(last)
    return found


if __name__ == "__main__":
    ray.init(log_to_driver=False)
    found = main()
    ray.shutdown()
    print(json.dumps(found))
