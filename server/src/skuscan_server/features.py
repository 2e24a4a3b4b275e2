"""From a reference picture's bytes to what is kept of it: embedding, keypoints, display picture.

The work goes through the `concurrent.futures` interface. Workers get bytes and give bytes back, load the model once per
process on first use, and never raise: an error's class may not survive the way back between processes, so a refusal is
an ordinary result. Any executor will do; the default is a pool of fresh processes.
"""

import io
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from skuscan.bundle.limits import LIMITS
from skuscan.bundle.records import check_embedding
from skuscan.errors import SkuscanError
from skuscan.features import FeatureExtractor
from skuscan.model import Model
from skuscan.picture import fit_longest_side, load_picture
from skuscan.quality import ReferenceQuality
from skuscan.runtime import RuntimeOptions
from skuscan_server.errors import ServerError

DISPLAY_QUALITIES = (80, 60, 40, 20)  # WebP quality, from the best; a lower one only when the blob would be too long
DISPLAY_EFFORT = 2  # of 6: 2.9 ms a picture; the default 4 takes 6.0 ms and saves 4% of the bytes
JOBS_PER_WORKER = 3  # handed out ahead, so that no worker waits and few pictures are in memory

Key = TypeVar("Key")
Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True)
class Recipe:
    """What is computed, apart from the picture.

    Attributes:
        model_folder: An artefact folder that the worker can read.
        display_side: px, longest side of the display picture.
    """

    model_folder: str
    display_side: int


@dataclass(frozen=True)
class Computed:
    """What was made of a picture.

    Attributes:
        embedding: 256 int8, as in `Reference.embedding`.
        keypoints: Packed, as in `Reference.keypoints`.
        appearance: Packed, as in `Reference.appearance`.
        quality: The extractor's judgement of the picture.
        display: WebP.
    """

    embedding: bytes
    keypoints: bytes
    appearance: bytes
    quality: ReferenceQuality
    display: bytes


@dataclass(frozen=True)
class Refused:
    """A picture that cannot be used, and why."""

    rule: str
    received: str
    advice: str


def compute(picture: bytes, recipe: Recipe) -> Computed | Refused:
    """Run in a worker: everything that is computed from one picture."""
    try:
        rgb = load_picture(picture)
        features = _extractor(recipe.model_folder).extract(rgb)
        check_embedding(features.embedding)
        display = make_display(rgb, recipe.display_side)
    except SkuscanError as error:
        return Refused(error.rule, error.received, error.advice)
    return Computed(features.embedding, features.keypoints, features.appearance, features.quality, display)


def make_display(rgb: npt.NDArray[np.uint8], side: int) -> bytes:
    """A WebP of an (H, W, 3) RGB picture, its longest side at most `side` px, within the device's limit of bytes."""
    small = Image.fromarray(fit_longest_side(rgb, side) if max(rgb.shape[:2]) > side else rgb)
    data = b""
    for quality in DISPLAY_QUALITIES:
        out = io.BytesIO()
        small.save(out, "WEBP", quality=quality, method=DISPLAY_EFFORT)
        data = out.getvalue()
        if len(data) <= LIMITS.display_bytes:
            break
    return data


class FeaturePool:
    """Workers that start when the first picture comes. A context manager; leaving it stops them.

    Args:
        recipe: What they compute.
        workers: How many work at once.
        executor: Where they work; it stays the caller's. None: fresh processes of this machine.
    """

    def __init__(self, recipe: Recipe, workers: int, executor: Executor | None = None) -> None:
        self.recipe = recipe
        self._workers = workers
        self._executor = executor
        self._is_ours = executor is None

    def __enter__(self) -> "FeaturePool":
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours and self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def map(self, pictures: Iterable[tuple[Key, bytes]]) -> Iterator[tuple[Key, Computed | Refused]]:
        """Compute in parallel, in the order given; only a few pictures are held at a time."""
        return self.run(compute, pictures)

    def run(self, work: Callable[[Job, Recipe], Done], jobs: Iterable[tuple[Key, Job]]) -> Iterator[tuple[Key, Done]]:
        """Other work of the same kind: a function at the top of a module, that gets all it needs and never raises."""
        waiting: deque[tuple[Key, Future[Done]]] = deque()
        for key, job in jobs:
            waiting.append((key, self._started().submit(work, job, self.recipe)))
            if len(waiting) >= self._workers * JOBS_PER_WORKER:
                yield _result(waiting)
        while waiting:
            yield _result(waiting)

    def _started(self) -> Executor:
        if self._executor is None:
            # Fresh processes: a forked one would inherit locks held by this one's threads.
            context = multiprocessing.get_context("spawn")
            self._executor = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_follow_owner)
        return self._executor


def _result(waiting: deque[tuple[Key, "Future[Done]"]]) -> tuple[Key, Done]:
    key, future = waiting.popleft()
    try:
        return key, future.result()
    except BrokenExecutor as error:
        raise ServerError(
            "the workers live until they are done", "one ended", "see that there is memory, and run it again"
        ) from error


def _follow_owner() -> None:
    """Run in a new worker: end with the process that owns the pool, even when that is killed, and not before.

    A worker holds both ends of its queue, so it would not notice that nobody writes to it any more. Ctrl-C reaches all
    processes of a terminal; the owner ends the workers then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_owner, name="owner", daemon=True).start()


def _end_with_owner() -> None:
    owner = multiprocessing.parent_process()
    if owner is not None:
        owner.join()
        os._exit(1)


@lru_cache(maxsize=2)
def _extractor(model_folder: str) -> FeatureExtractor:
    cv2.setNumThreads(1)  # as many processes as cores: threads of their own would only get in each other's way
    return FeatureExtractor.open(Model.open_folder(Path(model_folder)), RuntimeOptions(threads=1))
