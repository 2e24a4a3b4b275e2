"""Choosing and loading pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skuscan.errors import PictureError
from skuscan.proto.bundle_pb2 import PreprocessSpec
from skuscan_models.pictures import choose_pictures, find_pictures, load_letterboxed, to_network

SPEC = PreprocessSpec(size=32, letterbox_grey=255, scale=128.0, offset=127.0, channel_order="RGB", resampling="area")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i, name in enumerate(["b.png", "a.jpg", "deep/c.JPEG", "deep/d.webp"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 20), (i, i, i)).save(path)
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_pictures_are_found_below_a_folder_in_the_order_of_their_names(folder: Path) -> None:
    found = [path.relative_to(folder).as_posix() for path in find_pictures(folder)]
    assert found == ["a.jpg", "b.png", "deep/c.JPEG", "deep/d.webp"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="holds pictures"):
        find_pictures(tmp_path)


def test_the_same_seed_chooses_the_same_pictures(folder: Path) -> None:
    chosen = choose_pictures(folder, 2, seed=4)
    assert len(chosen) == 2
    assert chosen == choose_pictures(folder, 2, seed=4)
    assert {tuple(choose_pictures(folder, 2, seed)) for seed in range(20)} != {tuple(chosen)}


def test_pictures_become_squares_of_the_network_s_size(folder: Path) -> None:
    pixels = load_letterboxed(find_pictures(folder), SPEC)
    assert pixels.shape == (4, 32, 32, 3)
    assert pixels.dtype == np.uint8
    assert (pixels[:, 0] == 255).all()


def test_pixels_reach_the_network_as_its_spec_says() -> None:
    values = to_network(np.array([0, 127, 255], np.uint8), SPEC)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, [-127 / 128, 0, 1])
