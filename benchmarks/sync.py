"""What keeping in step costs a device, in bytes and seconds: `python -m benchmarks.sync [--skus 10000] [--json FILE]`.

The server's web processes and a device talk HTTP over loopback, through a relay that counts what
travels in both directions, headers and all. The catalogue is `big_catalogue.py`'s: one reference for each SKU, of the
usual size. A changed SKU has another price and another picture, so its product record, its reference and a tombstone
for the picture before travel; nearly all of that is the reference.

Bytes are those of the whole exchange. `records` are the bodies of segments, index, network; display pictures travel
after a generation is live and are not in it: the catalogue has but one.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.big_catalogue import BigCatalogue
from skuscan.store import Store
from skuscan.sync import SyncOptions, enrol, sync_once
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.config import ENVIRONMENT_PREFIX
from skuscan_server.services import Services
from skuscan_server.supervisor import gunicorn_command
from tools.ports import free_port
from tools.turned_model import turned_model

PATIENCE = 120.0  # s, that the server has to start and to end
POLL = 0.05  # s
TOKEN_DAYS = 1.0
POLLS = 5
PIECE = 1 << 16  # bytes relayed at once
RESULTS = Path(__file__).parent / "results" / "sync.json"
ALL = 10_000  # SKUs that the published numbers are taken with


@dataclass(frozen=True)
class Cost:
    """What one step cost the device, and the server before it.

    Attributes:
        wire: bytes, up and down, headers too.
        metadata: bytes of bodies: TUF metadata, manifest, model description.
        records: bytes of bodies: segments, index, network.
        sync_seconds: s, from the device's first request to the end of its sync; it is live before that.
        publish_seconds: s, of the publication before; 0: there was none.
    """

    wire: int
    metadata: int
    records: int
    sync_seconds: float
    publish_seconds: float


class Relay:
    """Passes a server's TCP connections on, and counts their bytes. A context manager.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._bytes = 0
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Relay":
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts; closing does not
        self._accepting.join()
        self._listener.close()

    def take(self) -> int:
        """The bytes since the last time it was asked."""
        with self._lock:
            taken, self._bytes = self._bytes, 0
        return taken

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:  # it was shut down
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        """One connection, until both directions have ended."""
        with near, contextlib.suppress(OSError), socket.create_connection(self._target) as far:
            back = threading.Thread(target=self._pass_on, args=(far, near), daemon=True)
            back.start()
            self._pass_on(near, far)
            back.join()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                with self._lock:
                    self._bytes += len(piece)
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


class Bench:
    """A catalogue, its running server, and a device that was enrolled.

    Args:
        folder: For both.
        catalogue: Not published yet.
        relay: In front of the server.
    """

    def __init__(self, folder: Path, catalogue: BigCatalogue, relay: Relay) -> None:
        self.catalogue = catalogue
        self._relay = relay
        services = catalogue.services
        with services.database.write() as session:
            root = services.repository(DEFAULT).root_sha256()
            token = create_enrolment_token(session, DEFAULT, root, TOKEN_DAYS)
        enrol(relay.url, str(token), folder / "store", "benchmark", SyncOptions())
        self._store = Store.open(folder / "store")

    def sync(self, publish_seconds: float = 0.0) -> Cost:
        """Let the device take what is published."""
        self._relay.take()
        result = sync_once(self._store, SyncOptions())
        return Cost(
            self._relay.take(),
            result.bytes_metadata,
            result.bytes_records,
            round(result.seconds, 3),
            round(publish_seconds, 3),
        )

    def publish_and_sync(self, force: str = "") -> Cost:
        """Publish, and let the device take it."""
        started = time.perf_counter()
        published = self.catalogue.publish(force)
        took = time.perf_counter() - started
        cost = self.sync(took)
        assert published is not None
        assert self._store.current() == published.generation, "the device has what was published"
        return cost


def measure(folder: Path, skus: int, said: Callable[[str, Cost], None] = lambda *_: None) -> dict[str, Cost]:
    """Every step once, in an empty folder; `said` is told of each when it is done."""
    catalogue = BigCatalogue(folder / "data", compaction_share=1.0)  # a new base when it is asked for, not before
    catalogue.put(range(skus))
    costs: dict[str, Cost] = {}
    with running_server(catalogue.services) as port, Relay(port) as relay:
        bench = Bench(folder, catalogue, relay)
        for name, step in _steps(bench, skus, folder):
            costs[name] = step()
            said(name, costs[name])
    return costs


def _steps(bench: Bench, skus: int, folder: Path) -> Iterator[tuple[str, Callable[[], Cost]]]:
    """Names of steps and what does them, each after the ones before."""
    catalogue = bench.catalogue

    def change(share: float, look: int) -> Callable[[], Cost]:
        every = round(1 / share)
        catalogue.put(range(look % every, skus, every), look)
        return bench.publish_and_sync

    yield "first sync", bench.publish_and_sync
    yield "poll without news", lambda: min((bench.sync() for _ in range(POLLS)), key=lambda cost: cost.sync_seconds)
    yield "0.1% changed", change(0.001, 1)
    yield "1% changed", change(0.01, 2)
    yield "5% changed", change(0.05, 3)
    catalogue.set_price(range(0, skus, 100), cents=999)
    yield "1% with another price only", bench.publish_and_sync
    yield "compaction", lambda: bench.publish_and_sync("base")
    models = catalogue.services.models
    models.use(models.add(turned_model(catalogue.services.model, folder)))
    catalogue.finish_features()
    yield "another model", bench.publish_and_sync


@contextlib.contextmanager
def running_server(services: Services, **fields: str) -> Iterator[int]:
    """The server's web processes, without a scheduler that would publish at times of its own: their port.

    Args:
        services: Of a server that was set up.
        fields: Of its configuration, as its environment has them: `WEB_WAITING="8"`.
    """
    config, port = services.config, free_port()
    command = gunicorn_command(config, f"127.0.0.1:{port}")
    fields["DATA_FOLDER"] = str(config.data_folder)
    variables = {ENVIRONMENT_PREFIX + name: value for name, value in fields.items()}
    process = subprocess.Popen(command, env=os.environ | variables, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/healthz")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", url: str) -> None:
    """It listens long before its workers have opened the model."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE):
                return
        except OSError:
            time.sleep(POLL)
    raise SystemExit(f"the server does not answer ({process.poll()})")


def report(costs: dict[str, Cost], skus: int) -> dict[str, object]:
    """What is published of the numbers."""
    return {
        "command": "python -m benchmarks.sync",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "skus": skus,
        "steps": {name: dataclasses.asdict(cost) for name, cost in costs.items()},
        "share of a first sync's bytes": {
            name: round(cost.wire / costs["first sync"].wire, 5) for name, cost in costs.items() if name != "first sync"
        },
    }


def _say(name: str, cost: Cost) -> None:
    print(
        f"{name:>26}: {cost.wire:11,d} bytes ({cost.metadata:,d} metadata, {cost.records:,d} records), "
        f"{cost.sync_seconds:.2f} s after {cost.publish_seconds:.2f} s of publishing",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--skus", type=int, default=ALL)
    parser.add_argument("--json", type=Path, help=f"where the numbers go; {RESULTS.name} in results/ with all SKUs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), options.skus, _say)
    out = options.json or (RESULTS if options.skus == ALL else None)
    if out is not None:
        out.write_text(json.dumps(report(costs, options.skus), indent=2) + "\n")


if __name__ == "__main__":
    main()
