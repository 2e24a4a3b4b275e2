"""The server and the command lines that the demo runs, as a person would run them."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tools.ports import free_port

START_SECONDS = 60.0  # until the server answers
STOP_SECONDS = 30.0  # until it has ended by itself
POLL_SECONDS = 0.1
BIN = Path(sys.executable).parent


class Server:
    """A `skuscan-server run` on a free port of loopback, and its command line."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._log = data.with_suffix(".log")
        self._port = free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def command(self, *arguments: str, as_json: bool = True) -> Any:
        """Run a command; its JSON. Raises RuntimeError with its last line when it fails."""
        called = ["skuscan-server", "--data", str(self._data), *arguments]
        return run_json(*called, "--json") if as_json else run(*called)

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError when it does not."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [BIN / "skuscan-server", "--data", str(self._data), "run", "--bind", f"127.0.0.1:{self._port}"],
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo, which stops the server
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start; see {self._log}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop it and all that it started."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False


def run(program: str, *arguments: str) -> str:
    """Run one of the project's programs; what it printed. Raises RuntimeError with its last line when it fails."""
    done = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError(f"{program} {arguments[0]} ended with {done.returncode}: {said[-1] if said else 'no word'}")
    return done.stdout


def run_json(program: str, *arguments: str) -> Any:
    """As `run`, and reads its JSON."""
    return json.loads(run(program, *arguments))
