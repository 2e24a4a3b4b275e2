"""Features kept between two evaluations."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import skuscan_server.features
from benchmarks.recognition.cache import LATER, Cache, CachingExecutor, cached_eye
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye
from skuscan_server.features import Recipe

RECIPE = Recipe("model", 240)


class Work:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, picture: bytes, recipe: Recipe) -> bytes:
        self.calls += 1
        return picture[::-1]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Stands for what computes a picture's features: the one function whose results are kept."""
    counted = Work()
    monkeypatch.setattr(skuscan_server.features, "compute", counted)
    return counted


def asked(executor: CachingExecutor, work: Callable[..., Any], picture: bytes) -> Any:
    return executor.submit(work, picture, RECIPE).result()


def test_a_picture_is_computed_once_even_by_another_process_opening_the_file(tmp_path: Path, work: Work) -> None:
    for cache in (Cache(tmp_path / "a.sqlite"), Cache(tmp_path / "a.sqlite")):
        executor = CachingExecutor(cache)
        assert [asked(executor, work, picture) for picture in (b"abc", b"xyz")] == [b"cba", b"zyx"]
    assert work.calls == 2


def test_another_size_of_display_picture_is_other_work(tmp_path: Path, work: Work) -> None:
    executor = CachingExecutor(Cache(tmp_path / "a.sqlite"))
    for side in (240, 120):
        executor.submit(work, b"abc", Recipe("model", side)).result()
        executor.submit(work, b"abc", Recipe("model", side)).result()
    assert work.calls == 2


def test_work_that_depends_on_more_than_a_picture_is_done_each_time(tmp_path: Path) -> None:
    other, executor = Work(), CachingExecutor(Cache(tmp_path / "a.sqlite"))
    assert [asked(executor, other, b"abc") for _ in range(2)] == [b"cba", b"cba"]
    assert other.calls == 2


def test_a_kept_embedding_is_the_embedding(tmp_path: Path, released_model: Model) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    plain = Eye.open(released_model, RuntimeOptions(threads=1)).embedder
    eye = cached_eye(released_model, Cache.of(tmp_path, released_model))
    expected, first, again = (embedder.embed_scan(picture) for embedder in (plain, eye.embedder, eye.embedder))
    for kept in (first, again):
        assert np.array_equal(kept.vector, expected.vector)
        assert kept.part == expected.part
    turned = np.ascontiguousarray(picture.reshape(60, 40, 3))  # the same bytes, another picture
    assert not np.array_equal(eye.embedder.embed(turned), first.vector)


def test_code_that_makes_features_is_part_of_a_caches_name() -> None:
    made = "import sys, skuscan.features; print(*(name for name in sys.modules if name.startswith('skuscan.')))"
    loaded = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, check=True).stdout.split()
    assert "skuscan.keypoints" in loaded
    assert not {f"skuscan.{name.removesuffix('.py')}" for name in LATER} & set(loaded)
