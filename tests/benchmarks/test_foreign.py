"""Pictures of nothing: the same at every run, and none that training or the fit has seen."""

from pathlib import Path

import numpy as np

from benchmarks.recognition.foreign import foreign_picture, held_out
from skuscan_models.training.sources import part_of


def test_a_number_is_always_the_same_picture(shared_data: Path) -> None:
    train = shared_data / "train"
    for number in range(6):
        picture = foreign_picture(number, train)
        assert picture.dtype == np.uint8
        assert picture.shape[2] == 3
        assert min(picture.shape[:2]) >= 24
        assert np.array_equal(picture, foreign_picture(number, train))
    assert not np.array_equal(foreign_picture(1, train), foreign_picture(3, train))


def test_crops_are_of_pictures_that_training_leaves_out(shared_data: Path) -> None:
    paths = held_out(shared_data / "train")
    boxes = [path for path in paths if path.parent.name == "boxes"]
    assert len(boxes) > 100
    assert {part_of(path.stem) for path in boxes} == {"validation"}
    frames = {path.parent.name for path in paths if path.parent.parent.name == "grozi120"}
    assert frames
    assert {part_of(f"grozi-{name}") for name in frames} == {"validation"}
