"""The other end of `work.py`: give a process jobs, and say when it is to be killed."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        killed: It was killed before it was done.
        value: What it came to.
        error: The error that ended it, by its class and its words; empty: none.
        steps: Calls that changed the disk or the database, or SQL statements; 0 when it was killed.
        pid: Of its process.
        seconds: How long it took.
    """

    killed: bool = False
    value: Any = None
    error: str = ""
    steps: int = 0
    pid: int = 0
    seconds: float = 0.0


class Worker:
    """A process that does one job at a time. A context manager; leaving it ends the process."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.fault_bench.work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **(environment or {})},
        )

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def do(self, work: str, kill_at: int | None = None, kill_after: float | None = None, **arguments: Any) -> Outcome:
        """Do a job of `work.WORK` and wait for its end.

        Args:
            work: Its name.
            kill_at: The step before which it is killed.
            kill_after: Seconds after which it is killed.
            arguments: The job's own.
        """
        self.begin(work, kill_at, kill_after, **arguments)
        return self.end()

    def do_here(self, work: str, **arguments: Any) -> Any:
        """Do a job that must go well in the process that children are made of: they find everything warm."""
        self._send({"work": work, "arguments": arguments, "here": True})
        return self._checked(self.end())

    def warm(self, data: str, model: str) -> None:
        """Do every job of a server that was set up once, so that its statements are compiled when it counts."""
        server = {"data": data, "model": model}
        for price in (1, 2):
            self.do_here("put", **server, prices={"warm-1": price, "warm-2": 1}, picture="warm")
            self.do_here("publish", **server)
        self.do_here("withdraw", **server, sku="warm-2")
        self.do_here("publish", **server, force="base")
        self.do_here("withdraw", **server, sku="warm-1")
        self.do_here("tick", **server)

    def expect(self, work: str, **arguments: Any) -> Any:
        """Do a job that must go well; what it came to."""
        return self._checked(self.do(work, **arguments))

    def begin(self, work: str, kill_at: int | None = None, kill_after: float | None = None, **arguments: Any) -> None:
        """Begin a job, so that another process may work at the same time."""
        kill = {"kill_at": kill_at, "kill_after": kill_after}
        self._send({"work": work, "arguments": arguments, "here": False, **kill})

    def end(self) -> Outcome:
        """Wait for the end of the job that was begun."""
        assert self._process.stdout is not None
        return Outcome(**json.loads(self._process.stdout.readline()))

    def _send(self, job: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()

    @staticmethod
    def _checked(outcome: Outcome) -> Any:
        assert not outcome.error, outcome.error
        assert not outcome.killed
        return outcome.value
