"""Real processes, really killed: `python -m tools.fault_bench.kills FOLDER SERVER_URL`.

This process imports the package once, and then makes a child for each line that it is sent, as JSON. The child does an
operation on a store and is ended by SIGKILL: before its n-th system call that changes the disk, once it has downloaded
so many bytes, or some time after it began. For each it answers a line: whether it was killed, and how long it lived.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from skuscan.store.blobs import BlobFolder
from skuscan.store.durable import DISK
from skuscan.sync.downloader import Download, Downloader
from skuscan.sync.transport import Transport
from tools.fault_bench.device import OFFLINE, OPTIONS, SYNC, World
from tools.fault_bench.disks import DyingDisk

OPERATIONS = {operation.name: operation for operation in (*OFFLINE, SYNC)}


@dataclass(frozen=True)
class Death:
    """What to do, and when to die of it; one of the three is set, or none: it lives.

    Attributes:
        operation: Its name.
        store: Where.
        before_call: The n-th call that changes the disk.
        after_bytes: Of the largest published file, which is downloaded; the operation does not matter then.
        after_seconds: Since it began.
    """

    operation: str
    store: str
    before_call: int = 0
    after_bytes: int = 0
    after_seconds: float = 0.0


@dataclass(frozen=True)
class End:
    """How a child ended, and after how many seconds."""

    killed: bool
    seconds: float


class Killer:
    """Sends deaths to a process that makes them happen; a context.

    Args:
        world: Whose stores they are.
        root: The checkout.
    """

    def __init__(self, world: World, root: Path) -> None:
        command = [sys.executable, "-m", "tools.fault_bench.kills", str(world.folder), world.server_url]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, bufsize=1
        )

    def __enter__(self) -> "Killer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def kill(self, death: Death) -> End:
        """Do it once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(death)) + "\n")
        return End(**json.loads(self._process.stdout.readline()))


def main() -> None:
    world = World(Path(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        print(json.dumps(asdict(_execute(world, Death(**json.loads(line))))), flush=True)


def _execute(world: World, death: Death) -> End:
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(told, b".")
            _live(world, death)
            status = 0
        finally:
            os._exit(status)
    os.close(told)
    os.read(heard, 1)
    started = time.monotonic()
    if death.after_seconds:
        time.sleep(death.after_seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(heard)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"{death} failed by itself")
    return End(os.WIFSIGNALED(status), time.monotonic() - started)


def _live(world: World, death: Death) -> None:
    if death.after_bytes:
        download(world, Path(death.store), _dying(death.after_bytes))
        return
    disk = DyingDisk(death.before_call) if death.before_call else DISK
    OPERATIONS[death.operation].run(world, Path(death.store), disk)


def download(world: World, store: Path, progress: Callable[[int, int], None]) -> None:
    """Fetch the largest file that is published from the server."""
    file = world.largest_file()
    name = file.sha256.hex()
    url = f"{world.server_url}/blobs/sha256/{name[:2]}/{name}"
    downloader = Downloader(Transport(OPTIONS), BlobFolder(store / "blobs"), store / "tmp" / "parts")
    downloader.fetch([Download(file, url)], progress)


def _dying(after: int) -> Callable[[int, int], None]:
    """A progress that kills its process."""

    def progress(done: int, total: int) -> None:
        if done >= after:
            os.kill(os.getpid(), signal.SIGKILL)

    return progress


if __name__ == "__main__":
    main()
