"""Runs an evaluation on every core: features, then catalogues, then scans, each a job of its own.

A catalogue's way is a user's: a server imports, publishes and signs it, a device enrols and syncs, and its store
answers. Jobs of one process keep the stores that they opened last.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from benchmarks.recognition.cache import Cache, CachingExecutor, cached_eye
from benchmarks.recognition.foreign import foreign_picture
from benchmarks.recognition.shops import QUERIES, Photo, Shop
from skuscan.model import Model
from skuscan.store import Store
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.device import provision
from skuscan_server.evaluation.outcome import QueryOutcome
from skuscan_server.evaluation.run import bytes_per_reference, groups_of
from skuscan_server.evaluation.scanning import Scanner
from skuscan_server.features import Recipe, compute

FEATURES_CHUNK = 64  # pictures of a job
SCANS_CHUNK = 40  # photos of a job
OPEN_STORES = 2  # kept by a process

Groups = tuple[tuple[str, str], ...]  # SKU and group
Step = Callable[[str, int, int], None]
"""Told of a step's name, how much is done, of how much."""


@dataclass(frozen=True)
class Workplace:
    """What every job needs.

    Attributes:
        folder: For servers and devices; temporary.
        cache: The folder of caches.
        train: The folder of training pictures.
        model: The artefact's folder.
        false_accept_rate: What the operators accept.
    """

    folder: Path
    cache: Path
    train: Path
    model: Path
    false_accept_rate: float

    def store(self, shop: str) -> Path:
        """A shop's device."""
        return self.folder / shop / "device"

    def config(self, shop: str) -> ServerConfig:
        """A shop's server."""
        return ServerConfig(
            data_folder=self.folder / shop / "server",
            model_folder=self.model,
            workers=1,
            false_accept_rate=self.false_accept_rate,
        )


@dataclass(frozen=True)
class Answers:
    """What a shop's device said.

    Attributes:
        outcomes: By kind, in the order of the shop's photos.
        bytes_per_reference: Recognition data on the wire.
    """

    outcomes: dict[str, list[QueryOutcome]]
    bytes_per_reference: float


def run(shops: Sequence[Shop], place: Workplace, step: Step) -> dict[str, Answers]:
    """Publish every shop and ask it everything; answers by the shops' keys."""
    _cache(place)  # SQLite lets one process alone turn a new file to a write-ahead log
    with workers() as pool:
        pictures = sorted({source.path for shop in shops for source in shop.plan.sources})
        wait_for([pool.submit(_compute, place, chunk) for chunk in _chunks(pictures, FEATURES_CHUNK)], "features", step)
        published = [pool.submit(_publish, place, shop) for shop in shops]
        wait_for(published, "catalogues", step)
        jobs = {(shop.key, kind): _scans(pool, place, shop, kind) for shop in shops for kind in shop.asked}
        wait_for([job for some in jobs.values() for job in some], "scans", step)
    outcomes = {at: [outcome for job in some for outcome in job.result()] for at, some in jobs.items()}
    return {
        shop.key: Answers({kind: outcomes[shop.key, kind] for kind in shop.asked}, size.result())
        for shop, size in zip(shops, published, strict=True)
    }


def _scans(pool: Executor, place: Workplace, shop: Shop, kind: str) -> list["Future[list[QueryOutcome]]"]:
    groups, parts = tuple(groups_of(shop.plan).items()), kind == QUERIES
    chunks = _chunks(shop.asked[kind], SCANS_CHUNK)
    return [pool.submit(_scan, place, shop.key, groups, chunk, parts=parts) for chunk in chunks]


def workers() -> ProcessPoolExecutor:
    """A process for each core; a context manager. Their code is to run in one thread each."""
    context = multiprocessing.get_context("spawn")  # a forked process would inherit locks of the progress bar's thread
    return ProcessPoolExecutor(os.cpu_count(), context, initializer=_begin)


def wait_for(jobs: Sequence[Future[Any]], title: str, step: Step) -> None:
    """See every job done, and tell of it. Raises what a job raised."""
    step(title, 0, len(jobs))
    try:
        for done, job in enumerate(as_completed(jobs), 1):
            job.result()
            step(title, done, len(jobs))
    finally:
        for job in jobs:
            job.cancel()  # after an error the rest need not run; to those that are done it does nothing


def _chunks(items: Sequence[Any], size: int) -> Iterator[tuple[Any, ...]]:
    return (tuple(items[start : start + size]) for start in range(0, len(items), size))


# --- Jobs, in processes of their own --------------------------------------------------------------------------------


def _begin() -> None:
    cv2.setNumThreads(1)


@lru_cache(maxsize=1)
def _cache(place: Workplace) -> Cache:
    return Cache.of(place.cache, Model.open_folder(place.model))


def _compute(place: Workplace, pictures: tuple[Path, ...]) -> None:
    """Fill the cache with references' features."""
    executor, recipe = CachingExecutor(_cache(place)), Recipe(str(place.model), place.config("").display_side)
    for path in pictures:
        executor.submit(compute, path.read_bytes(), recipe)


def _publish(place: Workplace, shop: Shop) -> float:
    """Bring a catalogue to its device; the bytes that a reference costs."""
    executor = CachingExecutor(_cache(place))
    device = provision(shop.plan, place.config(shop.key), place.store(shop.key), lambda *_: None, executor)
    return bytes_per_reference(device.open_generation())


def _scan(place: Workplace, shop: str, groups: Groups, photos: tuple[Photo, ...], *, parts: bool) -> list[QueryOutcome]:
    scanner = _scanner(place, shop, groups)
    outcomes = []
    for photo in photos:
        image = foreign_picture(photo.source, place.train) if isinstance(photo.source, int) else photo.source
        outcomes.append(scanner.ask(image, str(photo.source), photo.sku or None, parts=parts))
    return outcomes


@lru_cache(maxsize=OPEN_STORES)
def _scanner(place: Workplace, shop: str, groups: Groups) -> Scanner:
    store = Store.open(place.store(shop))
    return Scanner(store, dict(groups), cached_eye(store.open_generation().model, _cache(place)))
