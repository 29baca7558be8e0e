"""The collector's loop: take events from the ring, requests from the socket, and write journals.

One thread. The ring is emptied into memory first, whatever else is to be done, so that the kernel
finds room; what a process reports is never waited for.
"""

from __future__ import annotations

import os
import selectors
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from roar_tracer_ebpf.roard.bpf import Map, Ring, events_in
from roar_tracer_ebpf.roard.events import Event, decode
from roar_tracer_ebpf.roard.journal import JournalError, JournalWriter
from roar_tracer_ebpf.roard.peers import (
    Refused,
    Request,
    close_all,
    parent_of,
    receive,
    require_same_view,
)
from roar_tracer_ebpf.roard.runs import Run

_POLL_S = 0.005
# Between two looks at the ring at most so many events are worked on.
_BATCH = 2000
# What may wait in memory; beyond it the kernel's own counting of losses takes over.
_BACKLOG_MAX = 256 << 20
_RUNS_MAX = 256
_RUNS_OF_ONE_USER = 64
_CONNECTIONS_MAX = 512
_TRACED = struct.Struct("=II")
_U32 = struct.Struct("=I")
# trace.bpf.c: struct slot, how many there are, and that the hash is to be asked.
_SLOT = struct.Struct("=IIII")
_SLOTS, _SHARED = 65536, 2
_COUNTS = struct.Struct("=Q")
# An event takes a microsecond to write, unless the machine we are on is itself not let run.
_UNFINISHED_S = 2.0


class Options(NamedTuple):
    """What the loop works with; `owner` is a descriptor whose end ends it once no run is left."""

    server: socket.socket
    maps: dict[str, int]
    ring_pages: int
    sees_reads: bool
    sees_writes: bool
    owner: int | None = None


class _Active(NamedTuple):
    number: int
    user: int
    writer: JournalWriter
    run: Run
    problem: list[str]
    roar: int | None
    outer: int


class Service:
    """Serves until it is told to stop, or until its owner and all runs have ended."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._ring = Ring(options.maps["events"], options.ring_pages * 4096)
        self._tracked = Map(options.maps["tracked"], _TRACED.size)
        self._slots = Map(options.maps["slots"], _SLOT.size)
        self._counts = Map(options.maps["runs"], _COUNTS.size)
        self._active: dict[int, _Active] = {}
        self._by_uid: dict[bytes, _Active] = {}
        self._backlog: deque[tuple[bytes, deque[tuple[int, int]]]] = deque()
        self._backlog_bytes = 0
        self._used_slots: set[int] = set()
        self._orphans: set[int] = set()
        self._lost_inside: dict[int, int] = {}
        self._last_number = 0
        self._connections = 0
        self._is_owned = options.owner is not None
        self._selector = selectors.DefaultSelector()
        options.server.setblocking(False)
        self._selector.register(options.server, selectors.EVENT_READ, self._accept)
        if options.owner is not None:
            self._selector.register(options.owner, selectors.EVENT_READ, self._owner_ended)
        self._stopping = False

    def stop(self) -> None:
        """End after the events that are there."""
        self._stopping = True

    def serve(self) -> None:
        """Work until stopped."""
        while not self._stopping:
            pause = 0.0 if self._backlog else _POLL_S if self._active else 1.0
            for key, _ in self._selector.select(pause):
                key.data(key.fileobj)
            if self._active:
                self._collect()
                self._work(_BATCH)
                self._flush_all()
                self._forget_ended()
            else:
                self._clear_slots()
                if not self._is_owned and self._options.owner is not None:
                    break
        self._take_in()
        for active in list(self._active.values()):
            self._end(active, "the collector was stopped")

    # --- events ----------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Move what is in the ring into memory."""
        if self._backlog_bytes > _BACKLOG_MAX:
            return
        data = self._ring.drain()
        if data:
            self._backlog.append((data, deque(events_in(data))))
            self._backlog_bytes += len(data)

    def _take_in(self) -> bool:
        """Work on all that happened until now; return whether the kernel has told it.

        An event that another processor is still writing hides those behind it.
        """
        begun = self._ring.begun
        deadline = time.monotonic() + _UNFINISHED_S
        while True:
            self._collect()
            self._work(None)
            if self._ring.taken >= begun:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.0002)

    def _work(self, most: int | None) -> None:
        done = 0
        while self._backlog and (most is None or done < most):
            data, places = self._backlog[0]
            while places and (most is None or done < most):
                at, length = places.popleft()
                done += 1
                self._take(data, at, length)
                if done % 500 == 0:
                    self._collect()
                    self._flush_all()
            if not places:
                self._backlog.popleft()
                self._backlog_bytes -= len(data)

    def _take(self, data: bytes, at: int, length: int) -> None:
        event = decode(data, at, length)
        active = self._active.get(event.run)
        while active is not None:
            self._tell(active, event)
            active = self._active.get(active.outer)

    def _tell(self, active: _Active, event: Event) -> None:
        if active.problem:
            return
        try:
            active.run.take(event)
        except (OSError, ValueError, struct.error) as error:
            # One run's oddity must not end the service of the others.
            active.problem.append(f"an event could not be told: {error}")

    def _flush_all(self) -> None:
        for active in self._active.values():
            self._flush(active)

    def _flush(self, active: _Active, patience_s: float = 1.0) -> bool:
        if active.problem:
            return True
        try:
            return active.writer.flush(patience_s)
        except JournalError as error:
            active.problem.append(str(error))
            return True

    def _write_all(self, active: _Active) -> None:
        """Bring all that a run has told into its journal."""
        while not self._flush(active, 0.5):
            time.sleep(0.005)  # roar adds room meanwhile, or none for so long that we give up
            self._collect()

    # --- requests --------------------------------------------------------------------------------

    def _owner_ended(self, descriptor: int) -> None:
        if not os.read(descriptor, 64):
            self._selector.unregister(descriptor)
            self._is_owned = False

    def _roar_ended(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        self._orphans.add(descriptor)

    def _accept(self, server: socket.socket) -> None:
        with suppress(BlockingIOError):
            connection, _ = server.accept()
            if self._connections >= _CONNECTIONS_MAX:
                connection.close()
                return
            connection.setblocking(False)
            self._connections += 1
            self._selector.register(connection, selectors.EVENT_READ, self._serve_peer)

    def _serve_peer(self, connection: socket.socket) -> None:
        try:
            request = receive(connection)
            answer = "" if request is None else self._answer(request, connection)
        except Refused as error:
            answer = f"no {error}"
        except OSError as error:
            answer = f"no the collector failed: {error}"
        with suppress(OSError):
            if answer:
                connection.send(answer.encode())
        # One request for each connection: nobody can hold many.
        self._selector.unregister(connection)
        connection.close()
        self._connections -= 1

    def _answer(self, request: Request, connection: socket.socket) -> str:
        if request.action == b"run":
            return self._register(request, connection)
        close_all(request.descriptors)
        if request.action == b"ping":
            return "ok"
        active = self._by_uid.get(request.run_uid)
        if active is None or active.user != request.user:
            return "no this run is not known here"
        is_all = self._take_in()
        if request.action == b"finish":
            return self._end(active, "" if is_all else "the kernel has not told everything")
        self._write_all(active)
        return f"no {active.problem[0]}" if active.problem else "ok"

    def _register(self, request: Request, connection: socket.socket) -> str:
        """Take the sender under observation: nobody can name another process than his own."""
        if len(request.descriptors) != 1:
            close_all(request.descriptors)
            raise Refused("a registration brings the journal's descriptor")
        descriptor = request.descriptors[0]
        try:
            require_same_view(request.pid)
            mine = [a for a in self._active.values() if a.user == request.user]
            if len(self._active) >= _RUNS_MAX or len(mine) >= _RUNS_OF_ONE_USER:
                raise Refused("too many runs at once")
            if request.run_uid in self._by_uid:
                raise Refused("this run is under observation already")
            writer = JournalWriter(descriptor, request.user)
        except JournalError as error:
            os.close(descriptor)
            raise Refused(str(error)) from None
        except (Refused, OSError):
            os.close(descriptor)
            raise
        self._last_number = self._last_number % 0xFFFFFFFF + 1
        number = self._last_number
        run = Run(
            writer,
            request.pid,
            sees_reads=self._options.sees_reads,
            sees_writes=self._options.sees_writes,
        )
        roar = parent_of(request.pid)
        outer = self._run_around(request)
        active = _Active(number, request.user, writer, run, [], roar, outer)
        if roar is not None:
            self._selector.register(roar, selectors.EVENT_READ, self._roar_ended)
        run.inherit(request.pid, time.monotonic_ns(), request.inherited)
        self._counts.put(_U32.pack(number), _COUNTS.pack(0))
        self._tracked.put(_U32.pack(request.pid), _TRACED.pack(number, request.user))
        self._slots.put(_U32.pack(request.pid % _SLOTS), _SLOT.pack(0, 0, 0, _SHARED))
        self._active[number] = active
        self._by_uid[request.run_uid] = active
        # The sender waits for the answer. One that has gone was not seen leaving.
        try:
            connection.send(b"ok")
        except OSError:
            self._end(active, "the command did not wait for the collector")
        return ""

    def _run_around(self, request: Request) -> int:
        """The run of which the sender is a process until now: it goes on hearing of it. 0: none."""
        value = self._tracked.get(_U32.pack(request.pid))
        number = _TRACED.unpack(value)[0] if value else 0
        active = self._active.get(number)
        return number if active is not None and active.user in (request.user, 0) else 0

    def _give_back(self, key: bytes, outer: _Active | None) -> None:
        """A process that its run lets go of is the run's around it."""
        if outer is None:
            self._tracked.remove(key)
        else:
            self._tracked.put(key, _TRACED.pack(outer.number, outer.user))

    def _end(self, active: _Active, problem: str) -> str:
        """Write the last of a run and forget it; the answer for whoever asked."""
        number = _U32.pack(active.number)
        outer = self._active.get(active.outer)
        counts = self._counts.get(number)
        lost = _COUNTS.unpack(counts)[0] if counts else 0
        lost += self._lost_inside.pop(active.number, 0)
        if outer is not None and lost:
            inside = self._lost_inside.get(outer.number, 0)
            self._lost_inside[outer.number] = inside + lost
        if problem:
            active.problem.append(problem)
        if not active.problem:
            active.run.finish(time.monotonic_ns(), lost)
            self._write_all(active)
            with suppress(OSError):
                active.writer.ring()
        for pid in active.run.processes:
            self._give_back(_U32.pack(pid), outer)
            self._slots.put(_U32.pack(pid % _SLOTS), _SLOT.pack(0, 0, 0, _SHARED))
        self._used_slots.update(pid % _SLOTS for pid in active.run.numbers)
        if active.run.processes:
            for key in list(self._tracked.keys(4)):
                value = self._tracked.get(key)
                if value and _TRACED.unpack(value)[0] == active.number:
                    self._give_back(key, outer)
        self._counts.remove(number)
        active.writer.close()
        if active.roar is not None:
            if active.roar in self._orphans:
                self._orphans.remove(active.roar)
            else:
                self._selector.unregister(active.roar)
            os.close(active.roar)
        del self._active[active.number]
        for uid in [uid for uid, other in self._by_uid.items() if other is active]:
            del self._by_uid[uid]
        return f"no {active.problem[0]}" if active.problem else "ok"

    def _clear_slots(self) -> None:
        """With nobody traced, no number of a process needs a second look."""
        for slot in self._used_slots:
            self._slots.put(_U32.pack(slot), _SLOT.pack(0, 0, 0, 0))
        self._used_slots.clear()

    def _forget_ended(self) -> None:
        """A run whose roar has died is over when its last process is; roar's recovery reads it."""
        was_owned = self._options.owner is not None and not self._is_owned
        for active in list(self._active.values()):
            is_orphan = was_owned or active.roar is None or active.roar in self._orphans
            if is_orphan and not active.run.processes and not self._backlog:
                self._end(active, "")
