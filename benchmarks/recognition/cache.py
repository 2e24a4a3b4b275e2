"""Features of pictures, kept between two evaluations: references' on the server's side, embeddings of queries.

A cache is one SQLite file, named by all that decides what is in it: the feature space and the code that computes
features. So other thresholds, another decision or another catalogue find everything done, and another model or another
preprocessing finds nothing. Several processes may use it at once. `rm -r build/evaluation/cache` forgets it all.
"""

import hashlib
import pickle
import sqlite3
import struct
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import skuscan.features
import skuscan_server.features
from skuscan.embedding import Embedder, ScanEmbedding
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye

# Of the device's modules, those that work on what `skuscan.features` made, and have no part in making it.
LATER = (
    "bench.py",
    "catalogue.py",
    "decision.py",
    "drawing.py",
    "index.py",
    "recognition.py",
    "recognizer.py",
    "scan.py",
    "verification.py",
)
DIGEST_DIGITS = 24  # of the file's name
_PART = struct.Struct("<4I")  # left, top, right and bottom of where a closer look is, px
WAIT = 60.0  # s, for another process to finish writing
ONE_THREAD = RuntimeOptions(threads=1)


class Cache:
    """Bytes by key, in a file. One object a process."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(file, timeout=WAIT, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")  # what is lost with the power is computed again
        self._connection.execute("CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    @classmethod
    def of(cls, folder: Path, model: Model) -> "Cache":
        """The cache of a model's features in a folder of caches."""
        digest = hashlib.sha256(model.feature_space)
        package = Path(skuscan.features.__file__).parent
        for file in sorted([*package.glob("*.py"), *package.glob("*.npz")]):
            if file.name not in LATER:
                digest.update(file.read_bytes())
        digest.update(Path(skuscan_server.features.__file__).read_bytes())
        return cls(folder / f"{digest.hexdigest()[:DIGEST_DIGITS]}.sqlite")

    def get(self, key: bytes) -> bytes | None:
        """What is kept under a key."""
        row = self._connection.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def put(self, key: bytes, value: bytes) -> None:
        """Keep something."""
        self._connection.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))


class CachingExecutor(Executor):
    """Runs what it is given here and now; a result of `skuscan_server.features.compute` is kept.

    Other work, such as a pair's margin, depends on more than a picture and the model. Only results of this project's
    own code are unpickled, from a file that it wrote itself.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """`fn(picture, recipe)`, done when it returns."""
        future: Future[Any] = Future()
        if fn is not skuscan_server.features.compute:
            future.set_result(fn(*args, **kwargs))
            return future
        picture, recipe = args
        key = hashlib.sha256(picture + repr(recipe.display_side).encode()).digest()
        kept = self._cache.get(key)
        future.set_result(pickle.loads(kept) if kept is not None else fn(picture, recipe))
        if kept is None:
            self._cache.put(key, pickle.dumps(future.result()))
        return future


class CachedEmbedder(Embedder):
    """An embedder that remembers."""

    cache: Cache

    def embed_scan(self, rgb: npt.NDArray[np.uint8]) -> ScanEmbedding:
        """See `Embedder.embed_scan`."""
        pixels = hashlib.sha256(b"%d x %d" % rgb.shape[:2])
        pixels.update(np.ascontiguousarray(rgb).data)
        key = pixels.digest()
        kept = self.cache.get(key)
        if kept is not None:
            left, top, right, bottom = _PART.unpack(kept[-_PART.size :])
            return ScanEmbedding(np.frombuffer(kept[: -_PART.size], np.float32), (left, top, right, bottom))
        found = super().embed_scan(rgb)
        self.cache.put(key, found.vector.tobytes() + _PART.pack(*found.part))
        return found


def cached_eye(model: Model, cache: Cache) -> Eye:
    """A model opened for scanning, whose embeddings of queries are kept."""
    embedder = CachedEmbedder.open(model, ONE_THREAD)
    assert isinstance(embedder, CachedEmbedder)
    embedder.cache = cache
    return replace(Eye.open(model, ONE_THREAD), embedder=embedder)
