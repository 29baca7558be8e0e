"""Carry out many small tasks in a few threads; stop on Ctrl-C, and after too many failures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

from roar_core.errors import RoarError
from roar_core.transfer.patience import StoppedError

WORKERS = 8
# One broken object shall not keep ten thousand others from coming; a dead network shall.
FAILURES_MAX = 10
_TICK_S = 0.1
_STOPPED_WITHIN_S = 2.0

Task = Callable[[], None]


class Crew:
    """Threads that take tasks from one iterator. `stop` is set when they shall end early."""

    def __init__(self, workers: int = WORKERS) -> None:
        self.stop = threading.Event()
        self.failures: list[RoarError] = []
        self._workers = workers
        self._lock = threading.Lock()

    def carry_out(self, tasks: Iterator[Task], tick: Callable[[], None] = lambda: None) -> None:
        """Do all tasks; `tick` is called ten times a second, in this thread.

        A RoarError of a task is kept in `failures`. On Ctrl-C those at work end at their next piece
        and KeyboardInterrupt is raised.
        """
        pool = ThreadPoolExecutor(self._workers, "roar-transfer")
        at_work: set[Future[None]] = set()
        try:
            at_work |= {pool.submit(self._work, tasks) for _ in range(self._workers)}
            while at_work:
                done, at_work = wait(at_work, _TICK_S)
                tick()
                for future in done:
                    future.result()
        except BaseException:
            self.stop.set()
            wait(at_work, _STOPPED_WITHIN_S)
            raise
        finally:
            # One that waits for a server that says nothing ends with the process.
            pool.shutdown(wait=not self.stop.is_set(), cancel_futures=True)

    def check(self) -> None:
        """Raise StoppedError when the work shall end."""
        if self.stop.is_set():
            raise StoppedError("interrupted")

    def _work(self, tasks: Iterator[Task]) -> None:
        while not self.stop.is_set():
            try:
                with self._lock:
                    task = next(tasks, None)
                if task is None:
                    return
                task()
            except StoppedError:
                return
            except RoarError as error:
                with self._lock:
                    self.failures.append(error)
                    if len(self.failures) >= FAILURES_MAX:
                        self.stop.set()
