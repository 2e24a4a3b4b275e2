"""From a reference picture's bytes to what is kept of it: embedding, keypoints, display picture.

The work goes through the `concurrent.futures` interface. Workers get bytes and give bytes back, load the model once per
process on first use, and never raise: an error's class may not survive the way back between processes, so a refusal is
an ordinary result. Any executor will do; the default is processes of this machine with limits of time and memory
(`workers.py`): a picture that breaks one is refused, and its worker replaced.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
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
from skuscan_server.workers import LimitedExecutor, LostWorkError, WorkLimits

DISPLAY_QUALITIES = (80, 60, 40, 20)  # WebP quality, from the best; a lower one only when the blob would be too long
DISPLAY_EFFORT = 2  # of 6: 2.9 ms a picture; the default 4 takes 6.0 ms and saves 4% of the bytes
WORK_LIMITS = WorkLimits(seconds=60.0, memory=2_000_000_000)  # a picture takes 0.1 s and at most 0.5 GB
DECODE_LIMITS = WorkLimits(seconds=10.0, memory=1_000_000_000)  # 25 MP take 0.5 s and at most 0.4 GB
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
        embedding: 2 x 256 int8, as in `Reference.embedding`.
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


def refusal(picture: bytes) -> Refused | None:
    """Run in a worker: why a picture cannot be decoded; None: it can."""
    try:
        load_picture(picture)
    except SkuscanError as error:
        return Refused(error.rule, error.received, error.advice)
    return None


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
        executor: Where they work; it stays the caller's. None: processes of this machine, limited.
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
        for key, future in self._started(compute, pictures):
            try:
                yield key, _result(future)
            except LostWorkError as error:
                yield key, Refused(error.rule, error.received, error.advice)

    def run(self, work: Callable[[Job, Recipe], Done], jobs: Iterable[tuple[Key, Job]]) -> Iterator[tuple[Key, Done]]:
        """Other work of the same kind: a function at the top of a module, that gets all it needs and never raises.

        Raises:
            ServerError: A job broke a limit, or its worker ended.
        """
        for key, future in self._started(work, jobs):
            yield key, _result(future)

    def _started(
        self, work: Callable[[Job, Recipe], Done], jobs: Iterable[tuple[Key, Job]]
    ) -> Iterator[tuple[Key, "Future[Done]"]]:
        """Jobs that were handed out, in their order, some more than are asked for."""
        waiting: deque[tuple[Key, Future[Done]]] = deque()
        for key, job in jobs:
            if self._executor is None:
                self._executor = LimitedExecutor(self._workers, WORK_LIMITS)
            waiting.append((key, self._executor.submit(work, job, self.recipe)))
            if len(waiting) >= self._workers * JOBS_PER_WORKER:
                yield waiting.popleft()
        yield from waiting


def _result(future: "Future[Done]") -> Done:
    try:
        return future.result()
    except BrokenExecutor as error:  # of an executor that was given
        raise ServerError(
            "the workers live until they are done", "one ended", "see that there is memory, and run it again"
        ) from error


@lru_cache(maxsize=2)
def _extractor(model_folder: str) -> FeatureExtractor:
    cv2.setNumThreads(1)  # as many processes as cores: threads of their own would only get in each other's way
    return FeatureExtractor.open(Model.open_folder(Path(model_folder)), RuntimeOptions(threads=1))
