"""Processes that work on what came from outside, within limits of time and memory.

One job, one process, one thread of this process that waits for it. So a job that takes too long, or makes its process
end, is known, and costs nobody else anything: its process is replaced, and the others never notice. A picture's reader
is C code that was given bytes from anywhere: limits that it keeps by itself would be promises; these are the kernel's.

Processes are fresh ones (a forked one would inherit locks held by this one's threads), start with the first job, and
end with their owner, however that ends: each reads its jobs from a pipe, whose other end only the owner holds.
"""

import multiprocessing
import queue
import resource
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from skuscan_server.errors import ServerError

START_SECONDS = 120.0  # s, that a process has to start and to import a function
END_SECONDS = 5.0  # s, that a process has to end by itself
TRIES = 2  # a process that ended may have been the victim of others: the kernel kills the largest when memory is short

P = ParamSpec("P")
Done = TypeVar("Done")


@dataclass(frozen=True)
class WorkLimits:
    """What one job may cost.

    Attributes:
        seconds: s; then its process is killed.
        memory: bytes of address space that its process may take beyond what it began with.
    """

    seconds: float
    memory: int


class LostWorkError(ServerError):
    """A job that broke a limit, or that its process did not survive."""


class LimitedExecutor(Executor):
    """Runs functions of modules in processes of their own; see the module. Safe in any thread.

    A result's `LostWorkError` says which limit was broken. Other errors of a job come as RuntimeError, since not every
    error survives the way between processes: functions should not raise.

    Args:
        count: How many jobs run at once.
        limits: Of each.
    """

    def __init__(self, count: int, limits: WorkLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="work")
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()

    def submit(self, function: Callable[P, Done], /, *args: P.args, **kwargs: P.kwargs) -> Future[Done]:
        """Call a function in a process. Arguments and result are pickled."""
        return self._threads.submit(self._run, function, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs, and end the processes that have none."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().end()

    def _run(self, function: Callable[..., Done], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
        for left in reversed(range(TRIES)):
            process = self._take()
            try:
                answer: Done = process.call(function, args, kwargs)
            except EOFError as error:
                process.end()
                if not left:
                    rule = "a worker survives its job"
                    raise LostWorkError(rule, "it ended", "see that there is memory") from error
            except LostWorkError:
                process.end()
                raise
            else:
                self._idle.put(process)
                return answer
        raise AssertionError("a try returns or raises")

    def _take(self) -> "_Process":
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return _Process(self._limits)


class _Process:
    """One worker, for one thread at a time."""

    def __init__(self, limits: WorkLimits) -> None:
        self._limits = limits
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, limits.memory), daemon=True, name="worker")
        self._process.start()
        theirs.close()  # so that its end is seen here

    def call(self, function: Callable[..., Done], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Done:
        """Raises EOFError when the process ended, LostWorkError when a limit was broken, RuntimeError."""
        try:
            self._pipe.send(function)
            if not self._pipe.poll(START_SECONDS):
                raise LostWorkError(f"a worker starts within {START_SECONDS:g} s", "it did not", "look at the load")
            self._pipe.recv()
            self._pipe.send((args, kwargs))
            if not self._pipe.poll(self._limits.seconds):
                raise LostWorkError(f"a job takes at most {self._limits.seconds:g} s", "more", "leave it out")
            kind, value = self._pipe.recv()
        except OSError as error:
            raise EOFError from error
        if kind == "memory":
            rule = f"a job takes at most {self._limits.memory // 1_000_000:,} MB"
            raise LostWorkError(rule, "more", "leave it out")
        if kind == "error":
            raise RuntimeError(value)
        result: Done = value
        return result

    def end(self) -> None:
        """At once when it works, by itself when it does not."""
        self._pipe.close()
        self._process.kill()
        self._process.join(END_SECONDS)


def limit_memory(more: int) -> None:
    """Let this process take so many bytes of address space beyond what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _serve(pipe: "Connection[Any, Any]", memory: int) -> None:
    """Run in a worker: one job after the other, until the owner is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the owner ends this one
    limit_memory(memory)
    with suppress(EOFError, OSError):
        while True:
            function = pipe.recv()
            pipe.send("imported")  # from here on the job's own time is counted
            args, kwargs = pipe.recv()
            try:
                answer = ("done", function(*args, **kwargs))
            except MemoryError:
                answer = ("memory", "")
            except Exception as error:
                answer = ("error", f"{type(error).__name__}: {error}")
            pipe.send(answer)
