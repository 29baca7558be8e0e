"""Whatever of the agent raises, a driver gets what it gets without us: printed as JSON.

    faults.py FOLDER

In two actors, one of them asynchronous, one place of the agent after the other is made to raise
while the same calls are made. Without an agent nothing is broken, and the same is printed.
"""

import asyncio
import gc
import json
import os
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import ray

FOLDER = sys.argv[1]
# What raises: a module of the agent and a name in it, or a class of it and an attribute of every
# instance.
PLACES = (
    "attempts:Attempts.begin",
    "attempts:Attempts.starts",
    "attempts:Attempts.ends",
    "attempts:Attempts.succeeded",
    "attempts:Attempts.failed",
    "attempts:Attempts.needs",
    "attempts:Attempts._tell",
    "attempts:Attempts._starting",
    "attempts:Attempts._of_tag",
    "function:TracedFunction.facts_of",
    "tags:current",
    "tags:switch",
    "tags:inherit",
    "tags:_told",
    "loops:_tag",
    "trouble:_tell",
    "needs:Edges._directly",
    "needs:Edges._task_of",
    "needs:Edges._given",
    "needs:Edges._fetched",
    "needs:Edges._tell",
    "seams:_traced",
    "journal:Journal.grow",
    "journal:Journal.write",
    "journal:Journal._write",
    "accesses:opening",
    "accesses:look",
    "audit:PythonCapture._ask",
    "audit:PythonCapture._report",
    "audit:PythonCapture._answer",
    "audit:PythonCapture._thread",
)


class Broken:
    """Raises whatever is done with it."""

    def _raise(self, *_, **__):
        raise RuntimeError("made to fail")

    __call__ = __getattr__ = __setattr__ = __contains__ = __len__ = __iter__ = __bool__ = _raise


@contextmanager
def broken(place):
    """With one place of the agent in this process broken; nothing where there is none."""
    module_name, _, path = place.partition(":")
    module = sys.modules.get(f"_roar_ray_agent.{module_name}")
    if module is None:
        yield
        return
    owner_name, _, name = path.rpartition(".")
    owners = [module]
    if owner_name:
        owner = getattr(module, owner_name)
        owners = [owner] if name in vars(owner) else []
        owners = owners or [each for each in gc.get_objects() if type(each) is owner]
    before = [getattr(owner, name) for owner in owners]
    for owner in owners:
        setattr(owner, name, Broken())
    try:
        yield
    finally:
        for owner, value in zip(owners, before, strict=True):
            setattr(owner, name, value)


@ray.remote
def double(value):
    return 2 * (value if isinstance(value, int) else ray.get(value["deep"]))


class Work:
    """What each place is tried with."""

    def fine(self, call):
        with open(f"{FOLDER}/{call}", "w") as file:
            file.write("x")
        with open(f"{FOLDER}/{call}") as file:
            return file.read()

    def fails(self):
        raise ValueError("the user's own")

    def stream(self, count):
        for step in range(count):
            yield self.fine(f"stream{step}")

    def nested(self):
        first = double.remote(4)
        return ray.get([double.remote(first), double.remote({"deep": first})])

    def threads(self):
        got = []
        thread = threading.Thread(target=lambda: got.append(self.fine("thread")))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            return got + list(pool.map(self.fine, ("pool1", "pool2")))


@ray.remote
class Sync(Work):
    def set(self, place):
        """Break it for the calls to come, and mend what was broken."""
        if getattr(self, "kept", None):
            self.kept.__exit__(None, None, None)
        self.kept = broken(place) if place else None
        if self.kept:
            self.kept.__enter__()

    def protocol(self):
        """The same done to a generator, and to it as the agent wraps it."""
        return protocol(wrapped(steps)), asyncio.run(async_protocol(wrapped(async_steps)))


@ray.remote
class Async:
    async def set(self, place):
        if getattr(self, "kept", None):
            self.kept.__exit__(None, None, None)
        self.kept = broken(place) if place else None
        if self.kept:
            self.kept.__enter__()

    async def work(self, call):
        await asyncio.sleep(0.001)
        task = asyncio.create_task(self.child(call))
        loop = asyncio.get_running_loop()
        there = await loop.run_in_executor(None, Work.fine, None, f"async{call}")
        return [there, await task]

    async def child(self, call):
        await asyncio.sleep(0.001)
        return call

    async def fails(self):
        await asyncio.sleep(0.001)
        raise ValueError("the user's own")

    async def stream(self, count):
        for step in range(count):
            await asyncio.sleep(0.001)
            yield step

    def fine(self, call):
        return Work.fine(None, call)


def steps():
    got = []
    try:
        for number in range(4):
            try:
                got.append((yield number))
            except KeyError as error:
                got.append(repr(error))
    finally:
        TOLD.append(got)
    return got


async def async_steps():
    got = []
    try:
        for number in range(4):
            await asyncio.sleep(0)
            try:
                got.append((yield number))
            except KeyError as error:
                got.append(repr(error))
    finally:
        TOLD.append(got)


TOLD = []


def wrapped(function):
    """As the agent in this process wraps it; itself, where there is none."""
    module = sys.modules.get("_roar_ray_agent.function")
    if module is None:
        return function
    [attempts] = [each for each in gc.get_objects() if type(each).__name__ == "Attempts"]
    return module.TracedFunction(attempts, function, {"name": function.__name__}).wrapped()


def protocol(function):
    """Everything a caller can do with a generator."""
    del TOLD[:]
    done = []
    one = function()
    done += [next(one), one.send("a"), one.throw(KeyError("b")), one.send(None)]
    try:
        one.send("c")
    except StopIteration as stop:
        done.append(stop.value)
    two = function()
    done.append(next(two))
    two.close()
    three = function()
    done.append(next(three))
    try:
        three.throw(ValueError("d"))
    except ValueError as error:
        done.append(repr(error))
    return done + TOLD


async def async_protocol(function):
    """Everything a caller can do with an asynchronous one."""
    del TOLD[:]
    done = []
    one = function()
    done += [await anext(one), await one.asend("a"), await one.athrow(KeyError("b"))]
    done += [each async for each in one]
    two = function()
    done.append(await anext(two))
    await two.aclose()
    three = function()
    done.append(await anext(three))
    try:
        await three.athrow(ValueError("d"))
    except ValueError as error:
        done.append(repr(error))
    return done + TOLD


@ray.remote
def sleeps():
    with open(f"{FOLDER}/sleeps", "w"):
        pass
    while True:  # a wait without an end would not hear of being cancelled
        time.sleep(0.01)


def cancelled():
    """A task that is cancelled while it runs."""
    ref = sleeps.remote()
    while not os.path.exists(f"{FOLDER}/sleeps"):
        time.sleep(0.01)
    ray.cancel(ref)
    return got(ref).split()[0]  # where in its loop it was is chance


def got(refs):
    """What came of it: the value, or the text of what was raised."""
    try:
        if isinstance(refs, ray.ObjectRefGenerator):
            return [ray.get(ref) for ref in refs]
        return ray.get(refs)
    except Exception as error:
        text = f"{type(error).__name__} {error}"
        # Which of two ways a future's result takes is chance.
        return re.sub(r'pid=\d+|\w{24,}|0x\w+|(?<=_base.py", line )\d+', "-", text)


def main():
    sync, busy = Sync.remote(), Async.remote()
    found = {"protocol": got(sync.protocol.remote()), "cancelled": cancelled()}
    for place in ("", *PLACES):
        ray.get([sync.set.remote(place), busy.set.remote(place)])
        refs = [
            sync.fine.remote("fine"),
            sync.fails.remote(),
            sync.stream.options(num_returns="streaming").remote(2),
            sync.nested.remote(),
            sync.threads.remote(),
            *(busy.work.remote(call) for call in range(2)),
            busy.fails.remote(),
            busy.stream.options(num_returns="streaming").remote(2),
            busy.fine.remote("sync in async"),
        ]
        found[place] = [got(ref) for ref in refs]
    ray.get([sync.set.remote(""), busy.set.remote("")])
    return found


if __name__ == "__main__":
    ray.init()
    found = main()
    ray.shutdown()
    print(json.dumps(found))
