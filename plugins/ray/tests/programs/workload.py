"""Everything that a worker does with tasks, each step leaving its name in the files it touches.

    workload.py FOLDER      prints, as JSON, what the driver got back

Each file is called `<function>,<attempt>,<call>,<step>`: so that whatever is recorded of it can be
compared with who really touched it. Read ones lie in FOLDER/in, written ones in FOLDER/out.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ray

FOLDER = sys.argv[1]


def touch(function, attempt, call, step):
    name = f"{function},{attempt},{call},{step}"
    with open(f"{FOLDER}/in/{name}", "w") as file:
        file.write(name)


def read(function, attempt, call, step):
    with open(f"{FOLDER}/in/{function},{attempt},{call},{step}") as file:
        return file.read()


def write(function, attempt, call, step):
    with open(f"{FOLDER}/out/{function},{attempt},{call},{step}", "w") as file:
        file.write(step)


def attempt_of(function):
    """Which attempt this is, counted by hand."""
    number = 1
    while True:
        try:
            os.mkdir(f"{FOLDER}/count/{function},{number}")
            return number
        except FileExistsError:
            number += 1


@ray.remote
def plain(call):
    text = read("plain", 1, call, "r")
    write("plain", 1, call, "w")
    return text


@ray.remote(max_retries=3, retry_exceptions=True)
def flaky():
    attempt = attempt_of("flaky")
    read("flaky", attempt, 0, "r")
    write("flaky", attempt, 0, "w")
    if attempt < 3:
        raise ValueError(f"attempt {attempt}")
    return attempt


@ray.remote(max_retries=1)
def killed():
    attempt = attempt_of("killed")
    read("killed", attempt, 0, "r")
    write("killed", attempt, 0, "w")
    if attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt


POOL = None


@ray.remote
def threads(call):
    global POOL
    POOL = POOL or ThreadPoolExecutor(2)
    one = threading.Thread(target=write, args=("threads", 1, call, "thread"))
    one.start()
    one.join()
    list(POOL.map(lambda step: read("threads", 1, call, step), ("pool1", "pool2")))
    source, target = (f"{FOLDER}/{side}/threads,1,{call},child" for side in ("in", "out"))
    subprocess.run(["sh", "-c", f"cat {source} > {target}"], check=True)
    child = os.fork()
    if child == 0:
        read("threads", 1, call, "fork")
        os._exit(0)
    os.waitpid(child, 0)
    return call


@ray.remote(num_returns="streaming")
def stream(count):
    for step in range(count):
        write("stream", 1, 0, f"y{step}")
        yield read("stream", 1, 0, f"y{step}")


@ray.remote
def combine(first, rest):
    write("combine", 1, 0, "w")
    return [first, *ray.get(rest["deep"][0])]


@ray.remote
def parent():
    child = plain.remote(1)
    text = ray.get(child)
    write("parent", 1, 0, "w")
    return text


@ray.remote
class Counter:
    def __init__(self, start):
        read("Counter.__init__", 1, 0, "r")
        self.value = start

    def add(self, call):
        self.value += call
        write("Counter.add", 1, call, "w")
        return self.value


@ray.remote(max_restarts=1, max_task_retries=1)
class Phoenix:
    def __init__(self):
        read("Phoenix.__init__", attempt_of("Phoenix.__init__"), 0, "r")

    def die(self):
        attempt = attempt_of("Phoenix.die")
        write("Phoenix.die", attempt, 0, "w")
        if attempt == 1:
            os._exit(1)
        return attempt


@ray.remote
class Async:
    async def work(self, call):
        read("Async.work", 1, call, "begin")
        await asyncio.sleep(0.05)
        child = asyncio.create_task(self.child(call))
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, read, "Async.work", 1, call, "executor")
        await child
        write("Async.work", 1, call, "end")
        return call

    async def child(self, call):
        await asyncio.sleep(0.02)
        write("Async.work", 1, call, "child")

    async def stream(self, count):
        for step in range(count):
            await asyncio.sleep(0.01)
            read("Async.stream", 1, 0, f"y{step}")
            yield step

    async def need(self, box):
        return await box[0]

    def plain(self):
        write("Async.plain", 1, 0, "w")
        return threading.current_thread().name


@ray.remote(max_concurrency=3, concurrency_groups={"io": 2})
class Threaded:
    def __init__(self):
        self.barrier = threading.Barrier(3)

    def work(self, call):
        read("Threaded.work", 1, call, "begin")
        self.barrier.wait(60)
        write("Threaded.work", 1, call, "end")
        return call

    @ray.method(concurrency_group="io")
    def load(self, call):
        read("Threaded.load", 1, call, "r")
        return call


def prepare():
    for side in ("in", "out", "count"):
        os.makedirs(f"{FOLDER}/{side}", exist_ok=True)
    for call in range(3):
        touch("plain", 1, call, "r")
    for number in (1, 2, 3):
        touch("flaky", number, 0, "r")
        touch("killed", number, 0, "r")
        touch("Phoenix.__init__", number, 0, "r")
    for call in (0, 1):
        for step in ("pool1", "pool2", "child", "fork"):
            touch("threads", 1, call, step)
    for step in range(4):
        touch("stream", 1, 0, f"y{step}")
        touch("Async.stream", 1, 0, f"y{step}")
        touch("Async.work", 1, step, "begin")
        touch("Async.work", 1, step, "executor")
        touch("Threaded.work", 1, step, "begin")
        touch("Threaded.load", 1, step, "r")
    touch("Counter.__init__", 1, 0, "r")


def main():
    got = {}
    got["plain"] = ray.get([plain.remote(call) for call in (0, 2)])
    got["flaky"] = ray.get(flaky.remote())
    got["killed"] = ray.get(killed.remote())
    got["threads"] = [ray.get(threads.remote(call)) for call in (0, 1)]
    got["stream"] = [ray.get(ref) for ref in stream.remote(4)]
    last = list(stream.options(name="four").remote(0))
    got["none"] = last
    counter = Counter.remote(10)
    adds = [counter.add.remote(call) for call in (1, 2)]
    got["combine"] = ray.get(combine.remote(adds[0], {"deep": [[adds[1]]]}))
    got["parent"] = ray.get(parent.remote())
    phoenix = Phoenix.remote()
    got["die"] = ray.get(phoenix.die.remote())
    busy = Async.remote()
    got["async"] = ray.get([busy.work.remote(call) for call in range(4)])
    got["async stream"] = [
        ray.get(ref) for ref in busy.stream.options(num_returns="streaming").remote(3)
    ]
    got["need"] = ray.get(busy.need.remote([adds[0]]))
    busy_plain = ray.get(busy.plain.remote())
    got["in a loop"] = bool(busy_plain)
    threaded = Threaded.remote()
    got["threaded"] = ray.get([threaded.work.remote(call) for call in range(3)])
    got["load"] = ray.get([threaded.load.remote(call) for call in range(2)])
    return got


if __name__ == "__main__":
    prepare()
    ray.init()
    got = main()
    time.sleep(float(os.environ.get("LINGER", "0")))
    ray.shutdown()
    print(json.dumps(got))
