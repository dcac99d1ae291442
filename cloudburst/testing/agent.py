"""The agent that plays Fargate: one thread that walks tasks through their lives and runs their programs.

What happens to a task happens in that thread, or under its lock: what is due in fake time, what programs print, how
they end, and now and then a look at all processes, which finds memory above the limit and what a program left behind.
A task is STOPPED only when nothing of it runs any more.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import psutil

from cloudburst.testing import faults
from cloudburst.testing.account import Account
from cloudburst.testing.census import Census, end_all, memory_mib
from cloudburst.testing.clock import Clock
from cloudburst.testing.faults import Fault
from cloudburst.testing.loop import Loop
from cloudburst.testing.machines import Fleet, Machine
from cloudburst.testing.script import Script
from cloudburst.testing.starting import what_prevents, worded
from cloudburst.testing.streams import Stream
from cloudburst.testing.tasks import Task

BEGINS = re.compile(r"cloudburst: begins (?P<stage>.+) (?P<task>\S+) attempt (?P<attempt>\d+)\s*")
"""The line that a worker prints when it begins an attempt, by which the faults of stages find it."""

_LOOK_S = 0.25
_POLL_S = 0.1
_UNSTARTABLE = Fault("UNSTARTABLE", "starting", stop_code="TaskFailedToStart")
_EXITED = Fault("EXITED", "running", "Essential container in task exited", stop_code="EssentialContainerExited")


@dataclass(slots=True, eq=False)
class _Life:
    """A program that runs, or whose remains are being cleared away."""

    task: Task
    machine: Machine
    stream: Stream
    ending: Fault | None = None
    is_silent: bool = False
    """Whether its output has ended, as it does with the program."""


class Agent:
    """Plays Fargate for the tasks that it is given.

    Parameters
    ----------
    startup_s : float
        Fake seconds from RunTask to RUNNING.
    shutdown_s : float
        Fake seconds from the end of the program to STOPPED.
    environment : callable
        What a task's program finds in its environment.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        script: Script,
        fleet: Fleet,
        environment: Callable[[Task], Mapping[str, str]],
        startup_s: float = 0.0,
        shutdown_s: float = 0.0,
    ) -> None:
        self._account = account
        self._clock = clock
        self._script = script
        self._fleet = fleet
        self._environment = environment
        self._startup_s = startup_s
        self._shutdown_s = shutdown_s
        self._lock = threading.RLock()
        self._running: dict[str, _Life] = {}
        self._leaving: dict[str, _Life] = {}
        self._tasks: list[Task] = []
        self._streams: dict[str, Stream] = {}
        self._is_closing = False
        self._census = Census()
        self._look_due_s = 0.0
        self._poll_due_s = 0.0
        self._loop = Loop(self._lock, self._tick)

    @property
    def failure(self) -> BaseException | None:
        """What ended the agent itself: a bug."""
        return self._loop.failure

    def begin(self) -> None:
        """Start to play."""
        self._loop.begin()

    def admit(self, task: Task) -> None:
        """Start a new task on its way."""
        with self._lock:
            self._tasks.append(task)
            fault = task.fault
            if fault is not None and fault.name == faults.NEVER_STARTS.name:
                self._script.met(fault)
                return
            late_s = 0.0
            if fault is not None and fault.name == faults.SLOW_START.name:
                self._script.met(fault)
                late_s = fault.after_s
            self._after(late_s + 0.3 * self._startup_s, lambda: self._pull(task))

    def stop(self, task: Task, reason: str) -> None:
        """End a task because a user asked for it."""
        asked = Fault("STOPPED", "running", reason, "UserInitiated", notice_s=task.stop_timeout_s)
        self.end(task, asked)

    def end(self, task: Task, ending: Fault) -> None:
        """Have a task end in that way, unless it is ending already."""
        with self._lock:
            life = self._running.get(task.id)
            if task.is_stopped or task.desired_status == "STOPPED":
                return
            if ending.name in faults.ALL:
                self._script.met(ending)
            self._condemn(task, ending)
            if life is None:
                self._leave(task)
                return
            life.ending = ending
            task.reach("STOPPING", self._clock.now_s())
            if ending.notice_s:
                life.machine.terminate()
                self._after(min(ending.notice_s, task.stop_timeout_s), lambda: self._kill(life))
            else:
                life.machine.kill()

    def printed(self, task: Task) -> str:
        """What a task has printed so far."""
        with self._lock:
            stream = self._streams.get(task.id)
            return "\n".join(stream.lines) if stream is not None else ""

    def close(self) -> None:
        """Kill all programs, and return when none is left."""
        with self._lock:
            self._is_closing = True
            for task in self._tasks:
                if not task.is_stopped and task.id not in self._leaving:
                    life = self._running.get(task.id)
                    self._condemn(task, Fault("CLOSED", "running", "FakeAWS has ended", "UserInitiated"))
                    if life is None:
                        self._leave(task)
                    else:
                        life.machine.kill()
        try:
            self._loop.end(lambda: not self._running and not self._leaving)
        finally:
            for life in [*self._running.values(), *self._leaving.values()]:  # only if the thread itself has failed
                life.machine.kill()
                life.machine.close()
            found = self._census.look()
            end_all([process for task in self._tasks for process in found.get(task.id, [])])

    def _after(self, fake_s: float, act: Callable[[], None]) -> None:
        self._loop.after(self._clock.real_s(fake_s), act)

    # ------------------------------------------------------------ beginning

    def _pull(self, task: Task) -> None:
        if task.desired_status == "STOPPED":
            return
        task.reach("PENDING", self._clock.now_s())
        task.pull_started_s = self._clock.now_s()
        self._after(0.7 * self._startup_s, lambda: self._start(task))

    def _start(self, task: Task) -> None:
        if task.desired_status == "STOPPED":
            return
        fault = what_prevents(task, self._account)
        if fault is None and task.fault is not None and task.fault.when == "starting":
            fault = task.fault if task.fault.stop_code else None
        if fault is not None:
            self._fail_to_start(task, fault)
            return
        task.pull_stopped_s = self._clock.now_s()
        task.reach("ACTIVATING", self._clock.now_s())
        stream = self._streams[task.id] = Stream(self._account, task)
        try:
            life = _Life(task, self._fleet.start(task, self._environment(task)), stream)
        except OSError as error:
            self._fail_to_start(task, replace(_UNSTARTABLE, reason=f"CannotStartContainerError: {error}"))
            return
        self._running[task.id] = life
        task.started_s = self._clock.now_s()
        task.reach("RUNNING", self._clock.now_s())
        self._loop.listen(life.machine.output, lambda data: self._hear(life, data))
        if task.fault is not None and task.fault.when == "running":
            ending = task.fault
            self._after(ending.after_s, lambda: self.end(task, ending))

    def _fail_to_start(self, task: Task, fault: Fault) -> None:
        self._script.met(fault)
        if fault.name == faults.EXEC_FORMAT.name:
            stream = self._streams[task.id] = Stream(self._account, task)
            for _ in stream.take(b"exec /usr/local/bin/python: exec format error\n"):
                stream.flush()
            task.exit_code = fault.exit_code
        self._condemn(task, fault)
        self._leave(task)

    # ------------------------------------------------------------ living

    def _hear(self, life: _Life, data: bytes) -> None:
        life.is_silent = not data
        for line in life.stream.take(data) if data else life.stream.end():
            begun = BEGINS.match(line)
            if begun is not None:
                fault = self._script.attempt(begun["stage"], begun["task"], int(begun["attempt"]))
                if fault is not None:
                    self._after(fault.after_s, lambda ending=fault: self.end(life.task, ending))  # type: ignore[misc]

    def _tick(self) -> None:
        now_s = time.monotonic()
        is_poll_due = now_s >= self._poll_due_s
        if is_poll_due:
            self._poll_due_s = now_s + _POLL_S
        for life in [*self._running.values()]:
            life.stream.flush()
            if is_poll_due or life.is_silent or life.ending is not None:
                code = life.machine.poll()
                if code is not None:
                    self._exited(life, code)
        if (self._running or self._leaving) and time.monotonic() >= self._look_due_s:
            began_s = time.monotonic()
            self._look()
            took_s = time.monotonic() - began_s
            self._look_due_s = time.monotonic() + (max(0.02, took_s) if self._leaving else max(_LOOK_S, 20 * took_s))

    def _look(self) -> None:
        found = self._census.look()
        for name, life in [*self._running.items()]:
            taken = memory_mib(found.get(name, []))
            if taken > (life.task.size.memory or 0) and life.ending is None:
                self.end(life.task, faults.OUT_OF_MEMORY)
        for name, life in [*self._leaving.items()]:
            rest = [process for process in found.get(name, []) if process.status() != psutil.STATUS_ZOMBIE]
            if rest:
                end_all(rest)
            else:
                del self._leaving[name]
                life.machine.close()
                self._leave(life.task)

    # ------------------------------------------------------------ ending

    def _kill(self, life: _Life) -> None:
        if life.task.id in self._running:
            life.machine.kill()

    def _exited(self, life: _Life, code: int) -> None:
        task, ending = life.task, life.ending
        del self._running[task.id]
        life.machine.kill()
        self._loop.drain(life.machine.output)
        for _ in life.stream.end():
            pass
        life.stream.flush()
        if ending is None:
            ending = faults.OUT_OF_MEMORY if life.machine.was_out_of_memory() and code else _EXITED
            if ending is faults.OUT_OF_MEMORY:
                self._script.met(ending)
            self._condemn(task, ending)
        if ending.name != faults.HOST_FAULT.name:
            told = 128 - code if code < 0 else code
            task.exit_code = told if ending.exit_code is None else ending.exit_code
        if life.machine.was_out_of_memory():
            task.container_reason = faults.MEMORY_REASON
        if task.fault is not None and task.fault.name == faults.MEMORY_FLAG_STICKS.name:
            self._script.met(task.fault)
            task.container_reason = task.fault.container_reason
        task.execution_stopped_s = self._clock.now_s()
        self._leaving[task.id] = life
        self._look_due_s = 0.0

    def _condemn(self, task: Task, ending: Fault) -> None:
        """Say of a task that it is to end, and why."""
        if task.desired_status != "STOPPED":
            task.desired_status = "STOPPED"
            task.stopping_s = self._clock.now_s()
            task.stop_code = ending.stop_code
            task.stopped_reason = worded(ending, task, self._account)
            task.container_reason = ending.container_reason
            if task.status == "RUNNING":
                task.reach("DEACTIVATING", self._clock.now_s())

    def _leave(self, task: Task) -> None:
        task.reach("DEPROVISIONING", self._clock.now_s())
        if self._is_closing or not self._shutdown_s:
            self._stopped(task)
        else:
            self._after(self._shutdown_s, lambda: self._stopped(task))

    def _stopped(self, task: Task) -> None:
        if not task.is_stopped:
            task.stopped_s = self._clock.now_s()
            task.reach("STOPPED", self._clock.now_s())
