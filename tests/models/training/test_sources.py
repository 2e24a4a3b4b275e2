import shutil
from pathlib import Path

import pytest

from skuscan.errors import PictureError
from skuscan_models.training import sources
from skuscan_models.training.sources import LONGEST_SIDE, VALIDATION_PHOTOS, Instance, load_sources, part_of

NAMES = ("boxes", "open-boxes", "grozi120", "produce")


def keys(instances: list[Instance]) -> set[str]:
    return {instance.key for instance in instances}


def test_an_instance_is_on_the_side_that_its_key_says_whatever_else_there_is(pictures: Path, tmp_path: Path) -> None:
    fewer = tmp_path / "boxes"
    shutil.copytree(pictures / "boxes", fewer)
    for path in sorted(fewer.iterdir())[::2]:
        path.unlink()
    some, everything = load_sources(["boxes"], tmp_path, "train"), load_sources(["boxes"], pictures, "train")
    assert keys(some["boxes"]) == {key for key in keys(everything["boxes"]) if (fewer / f"{key}.jpg").exists()}


def test_one_instance_of_eight_is_kept_aside() -> None:
    aside = sum(part_of(f"product-{number}") == "validation" for number in range(8_000))
    assert 900 < aside < 1_100


@pytest.mark.parametrize("name", ["boxes", "grozi120"])
def test_training_and_validation_share_no_instance_and_leave_none_out(pictures: Path, name: str) -> None:
    train, kept = (keys(load_sources([name], pictures, part)[name]) for part in ("train", "validation"))
    assert kept
    assert not train & kept
    assert len(train | kept) == {"boxes": 48, "grozi120": 12}[name]


def test_of_each_kind_of_produce_some_photos_are_kept_aside(pictures: Path) -> None:
    train, kept = (load_sources(["produce"], pictures, part)["produce"] for part in ("train", "validation"))
    assert keys(train) == keys(kept)
    for trained, aside in zip(train, kept, strict=True):
        assert (len(trained.pictures), len(aside.pictures)) == (7 - VALIDATION_PHOTOS, VALIDATION_PHOTOS)
        both = {picture.tobytes() for picture in (*trained.pictures, *aside.pictures)}
        assert len(both) == 7


def test_boxes_with_a_licence_are_some_of_the_boxes(pictures: Path) -> None:
    loaded = load_sources(NAMES, pictures, "train")
    assert set(loaded) == set(NAMES)
    assert keys(loaded["open-boxes"]) < keys(loaded["boxes"])
    assert {instance.family for instance in loaded["open-boxes"]} == {"manga", "shelfcrop"}


def test_shelf_crops_may_be_one_design_and_others_are_not(pictures: Path) -> None:
    boxes = load_sources(["boxes"], pictures, "train")["boxes"]
    assert {instance.family for instance in boxes if instance.alike} == {"shelfcrop"}
    assert "game_ds" not in {instance.family for instance in boxes}  # games have a family of a console and a number


def test_large_pictures_are_kept_small(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONGEST_SIDE", LONGEST_SIDE // 8)
    for instance in load_sources(["boxes"], pictures, "train")["boxes"]:
        assert max(instance.pictures[0].shape[:2]) == LONGEST_SIDE // 8


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "boxes").mkdir()
    with pytest.raises(PictureError, match="holds pictures"):
        load_sources(["boxes"], tmp_path, "train")


def test_drawn_packaging_needs_no_folder() -> None:
    assert load_sources(["drawn"], None, "train") == {}
