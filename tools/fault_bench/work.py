"""A process that works for a server or a device, and is killed in the middle of it: `python -m tools.fault_bench.work`.

It imports everything once, and makes a child by fork for each job that it reads, a line of JSON each: so a kill costs
milliseconds. A job may say when its child is to be killed:

- at a step: before the n-th call that changes the disk or the database, the child sends itself SIGKILL;
- after so many seconds: this process kills it, wherever it is, within SQLite too.

A job may also be done without a child, so that the later ones find all imported and SQLAlchemy's statements compiled.

The server's code is the server's own, but for two things that these promises do not need: the features of a picture
are drawn from its digest, and the decision is not fitted.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, event

from skuscan.errors import SkuscanError
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.quality import ReferenceQuality
from skuscan.store import Store
from skuscan.store.durable import Disk
from skuscan.sync import SyncLimits, SyncOptions, import_bundle, sync_once
from skuscan_server import calibration
from skuscan_server.builder.publish import Publisher
from skuscan_server.catalogue import products
from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.values import ProductData, money
from skuscan_server.config import ServerConfig
from skuscan_server.features import Computed
from skuscan_server.scheduler import Scheduler
from skuscan_server.services import Services

KEYPOINT_BYTES = 600  # bytes of drawn keypoints; they do not compress
LEASE = 1.1  # s, until a builder that was killed is taken over
WAIT = 30.0  # s, that a builder waits for another one
QUALITY = ReferenceQuality(**{field.name: 1 for field in dataclasses.fields(ReferenceQuality)})
OPTIONS = SyncOptions(  # the Annoy file is fetched: building it here would start a process
    index_policy="download", limits=SyncLimits(attempts=2, backoff_seconds=0.01, block_bytes=1_024)
)

_steps: Iterator[int] = itertools.count(1)


class DrawnFeatures(Executor):
    """Draws a picture's features from its digest and the model's folder, at once and in this process."""

    def submit(self, function: Any, /, *arguments: Any, **_: Any) -> "Future[Any]":
        """What `features.compute` would give; other work is done."""
        done: Future[Any] = Future()
        if function.__name__ == "compute":
            picture, recipe = arguments
            rng = np.random.default_rng([*hashlib.sha256(picture + recipe.model_folder.encode()).digest()])
            embedding = rng.integers(-127, 128, 512, dtype=np.int8).tobytes()
            display = b"RIFF" + hashlib.sha256(picture).digest()
            done.set_result(Computed(embedding, rng.bytes(KEYPOINT_BYTES), b"", QUALITY, display))
        else:
            done.set_result(function(*arguments))
        return done


@functools.cache
def server(data: str, model: str) -> Services:
    """The parts of a server with a model of its own. Children inherit them: no connection is open between two jobs."""
    config = ServerConfig(
        data_folder=Path(data),
        model_folder=Path(model),
        workers=1,
        feature_batch=2,
        probes=0,
        annoy_from=1,
        annoy_trees=2,
        lease=LEASE,
        regenerate_quiet=0.0,
    )
    return Services(config, DrawnFeatures())


def set_up(data: str, model: str) -> str:
    """Make a server; the digest of its first root, hex."""
    services = server(data, model)
    services.set_up()
    return services.repository(DEFAULT).root_sha256()


def put(data: str, model: str, prices: dict[str, int], picture: str) -> None:
    """Create or change products: SKU -> price in cents. `picture` is what their one picture is drawn from."""
    services = server(data, model)
    with services.database.write() as session:
        for sku, price in prices.items():
            ref = services.pictures.put(f"{picture} of {sku}".encode())
            products.remember_picture(session, ref.sha256, ref.length)
            attributes = {"price": money(f"{price / 100:.2f}", "EUR")}
            products.put_product(session, ProductData(sku, f"Product {sku}", "", "", attributes))
            products.set_references(session, sku, [(ref.sha256, picture)])
        products.count_changes(session, len(prices))


def withdraw(data: str, model: str, sku: str) -> None:
    """Take a product out."""
    with server(data, model).database.write() as session:
        products.withdraw(session, sku)


def import_csv(data: str, model: str, csv: str) -> int:
    """Import a catalogue; how many pictures' features were computed now."""
    services = server(data, model)
    config = services.config
    with services.pool() as pool:
        plan = read_csv(Path(csv), config.max_csv_bytes, config.max_csv_rows)
        return services.importer(pool).run(plan, "bench").computed


def publish(data: str, model: str, force: str = "", wait: float = WAIT, log: str = "") -> int:
    """Publish; the generation, or 0 when nothing changed. `log`: a file that is told when the lock is held."""
    if log:
        _tell_of_builds(Path(log))
    done = server(data, model).publish(DEFAULT, force=force, wait=wait)
    return done.generation if done else 0


def tick(data: str, model: str) -> None:
    """What the scheduler does in one look: publish what changed."""
    Scheduler(server(data, model)).tick(threading.Event())


def sync(store: str) -> str:
    """Sync a device; what it came to."""
    return sync_once(Store.open(Path(store)), OPTIONS, lambda generation: None).state


def take_bundle(store: str, bundle: str) -> str:
    """Bring a device to what a folder holds that is laid out as published; what it came to."""
    return import_bundle(Store.open(Path(store)), Path(bundle), OPTIONS, lambda generation: None).state


def read(store: str) -> int:
    """Read what answers, to the last record; its number."""
    generation = Store.open(Path(store)).open_generation()
    assert generation.state_digest() == generation.manifest.state_digest
    return generation.number


WORK: dict[str, Callable[..., object]] = {
    work.__name__: work for work in (set_up, put, withdraw, import_csv, publish, tick, sync, take_bundle, read)
}


def main() -> None:
    """Do jobs until there are no more."""
    calibration.calibrate = lambda *arguments: Calibration(spread=1.0, false_accept_rate=arguments[2])
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(_attempt(job) if job["here"] else _run(job)), flush=True)


def _run(job: dict[str, Any]) -> dict[str, Any]:
    heard, told = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(heard)
        _count_steps(job["kill_at"])
        os.write(told, json.dumps(_attempt(job)).encode())
        os._exit(0)
    os.close(told)
    if job["kill_after"] is not None and not select.select([heard], [], [], job["kill_after"])[0]:
        os.kill(child, signal.SIGKILL)
    with os.fdopen(heard, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - started
    if not data:
        return {"killed": os.WIFSIGNALED(status), "pid": child, "seconds": seconds}
    return {**json.loads(data), "pid": child, "seconds": seconds}  # done, if not killed as it was leaving


def _attempt(job: dict[str, Any]) -> dict[str, Any]:
    try:
        value = WORK[job["work"]](**job["arguments"])
        return {"value": value, "steps": next(_steps) - 1}
    except SkuscanError as error:
        return {"error": f"{type(error).__name__}: {error}", "steps": next(_steps) - 1}
    except BaseException:
        traceback.print_exc()
        return {"error": f"a bug: {traceback.format_exc()}"}


def _count_steps(kill_at: int | None) -> None:
    """Every step is counted, and the process ends before step `kill_at`."""

    def step(*_: object, **__: object) -> None:
        if next(_steps) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    Disk._step = step  # type: ignore[method-assign]
    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)


def _tell_of_builds(log: Path) -> None:
    original = Publisher._publish_plan

    def told(self: Publisher, *arguments: Any, **keywords: Any) -> Any:
        with log.open("a") as file:
            file.write(json.dumps([os.getpid(), "begins", time.monotonic()]) + "\n")
            file.flush()
            done = original(self, *arguments, **keywords)
            file.write(json.dumps([os.getpid(), "ends", time.monotonic()]) + "\n")
        return done

    Publisher._publish_plan = told  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
