"""Running the server: several programs as children of this process, which end together.

They are gunicorn, one scheduler, what tells devices of publications, and what answers Prometheus.

A signal to stop, or the end of one child, ends all: first by SIGTERM, and after a while by SIGKILL. The children have
sessions of their own, so that Ctrl-C reaches this process only.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from skuscan.errors import ConfigError
from skuscan_server.config import ENVIRONMENT_PREFIX, ServerConfig
from skuscan_server.metrics import SHARED_FOLDER_VARIABLE

GRACE = 20.0  # s, that a child has to end by itself
GUNICORN_GRACE = 10  # s, that requests have to end
KEEP_ALIVE = 15  # s, that an idle connection is kept
SILENCE = 60  # s, after which a worker that does not answer is replaced
REQUESTS_PER_WORKER = 20_000  # then it is replaced, so that a leak in a library cannot grow for ever

STOPPING = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


def gunicorn_command(config: ServerConfig, bind: str) -> list[str]:
    """How the web server is started."""
    options = {
        "bind": bind,
        "worker-class": "skuscan_server.overload.Worker",
        "workers": config.web_workers,
        "threads": config.web_threads,
        "timeout": SILENCE,
        "graceful-timeout": GUNICORN_GRACE,
        "keep-alive": KEEP_ALIVE,
        "max-requests": REQUESTS_PER_WORKER,
        "max-requests-jitter": REQUESTS_PER_WORKER // 10,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "gunicorn", *flags, "--no-control-socket", "skuscan_server.wsgi:application()"]


def own_command(name: str) -> list[str]:
    """How a program of this package is started: "scheduler", "events" or "metrics"."""
    return [sys.executable, "-m", "skuscan_server.cli", name]


def events_address(bind: str) -> str:
    """Where events are by default: the port after the web server's. Raises ConfigError when that has none."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError("the events' address is next to an address:port", bind, "set SKUSCAN_SERVER_EVENTS_BIND")
    return f"{host}:{int(port) + 1}"


def environment(data_folder: Path, events_bind: str, counts: str = "") -> dict[str, str]:
    """The children's environment: this one's, with what the command line may have named.

    Args:
        data_folder: The server's.
        events_bind: Where events are told.
        counts: A folder in which the children count for monitoring; empty: in their memory.
    """
    shared = {SHARED_FOLDER_VARIABLE: counts} if counts else {}
    named = {"DATA_FOLDER": str(data_folder.absolute()), "EVENTS_BIND": events_bind}
    return {**os.environ, **{ENVIRONMENT_PREFIX + name: value for name, value in named.items()}, **shared}


def supervise(commands: Sequence[list[str]], child_environment: dict[str, str]) -> int:
    """Run commands until one ends or this process is told to stop.

    Returns:
        0 when it was told to stop; 1 when a child ended by itself.
    """
    watched = {*STOPPING, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)  # from here on signals wait for `sigwait`
    children = [
        subprocess.Popen(
            command,
            env=child_environment,
            start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
        )
        for command in commands
    ]
    try:
        while signal.sigwait(watched) not in STOPPING:
            ended = [child for child in children if child.poll() is not None]
            if ended:
                log.error("%s ended with %s; stopping", ended[0].args, ended[0].returncode)
                return 1
        return 0
    finally:
        _stop(children)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _stop(children: list["subprocess.Popen[bytes]"]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + GRACE
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
