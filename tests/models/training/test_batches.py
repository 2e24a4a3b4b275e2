from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skuscan_models.synthetic.canvas import Picture
from skuscan_models.synthetic.materials import Materials
from skuscan_models.synthetic.packaging import ProductDesign, draw_front
from skuscan_models.training import batches as module
from skuscan_models.training.batches import NO_GROUP, Batches
from skuscan_models.training.config import Stage, TrainingConfig
from skuscan_models.training.sources import Instance, load_sources

PAIRS = {"boxes": 4, "drawn": 3, "grozi120": 2, "produce": 2}
CONFIG = TrainingConfig("test", pairs=PAIRS, stages=(Stage(32, 2), Stage(64, 2)), seed=7)


@pytest.fixture(scope="module")
def sources(pictures: Path) -> dict[str, list[Instance]]:
    return load_sources(list(PAIRS), pictures, "train")


@pytest.fixture(scope="module")
def batches(sources: dict[str, list[Instance]]) -> Batches:
    return Batches(CONFIG, sources)


def one_instance(number: int, family: str = "", alike: bool = False) -> Instance:
    front = np.full((24, 24, 3), number, np.uint8)
    return Instance(f"instance-{number}", family or str(number), alike, (front,))


def test_a_batch_holds_two_pictures_of_each_instance_at_the_stages_size(batches: Batches) -> None:
    for step, size in enumerate((32, 32, 64, 64)):
        batch = batches.batch(step)
        assert batch.pixels.shape == (2 * sum(PAIRS.values()), size, size, 3)
        assert batch.pixels.dtype == np.uint8
        assert batch.pictures.dtype == np.float32
        assert batch.labels.shape == (2 * sum(PAIRS.values()), 2)


def test_a_batch_is_the_same_drawn_again_in_another_order(batches: Batches, sources: dict[str, list[Instance]]) -> None:
    again = Batches(CONFIG, sources)
    for step in (3, 0, 1):
        first, second = batches.batch(step), again.batch(step)
        np.testing.assert_array_equal(first.pixels, second.pixels)
        np.testing.assert_array_equal(first.labels, second.labels)


def test_a_run_that_goes_on_draws_the_batches_that_are_left(batches: Batches) -> None:
    left = list(batches.between(2, 4))
    assert len(left) == 2
    for step, batch in enumerate(left, 2):
        np.testing.assert_array_equal(batch.pixels, batches.batch(step).pixels)


def test_steps_and_seeds_draw_other_batches(batches: Batches, sources: dict[str, list[Instance]]) -> None:
    other_seed = Batches(replace(CONFIG, seed=8), sources)
    assert (batches.batch(0).pixels != batches.batch(1).pixels).any()
    assert (batches.batch(0).pixels != other_seed.batch(0).pixels).any()


def test_labels_say_which_two_pictures_are_of_one_instance(batches: Batches) -> None:
    labels = batches.batch(0).labels
    first, second = np.split(labels, 2)
    np.testing.assert_array_equal(first, second)
    assert set(Counter(labels[:, 0]).values()) == {2}  # nobody is there twice


def test_a_label_holds_for_the_whole_run() -> None:
    instances = {"boxes": [one_instance(n) for n in range(6)]}
    drawn = Batches(replace(CONFIG, pairs={"boxes": 6}), instances)
    first, later = (set(drawn.batch(step).labels[:, 0]) for step in (0, 3))
    assert first == later


def test_of_a_small_source_nobody_is_there_twice() -> None:
    few = {"boxes": [one_instance(n) for n in range(3)]}
    labels = Batches(replace(CONFIG, pairs={"boxes": 12}), few).batch(0).labels
    assert len(labels) == 6
    assert set(Counter(labels[:, 0]).values()) == {2}


def test_products_of_one_family_meet() -> None:
    families = [one_instance(n, family=f"family-{n // 4}") for n in range(200)]
    drawn = Batches(replace(CONFIG, pairs={"boxes": 8}), {"boxes": families})
    number_of = {module._labels([instance])[0][0]: number for number, instance in enumerate(families)}
    for step in range(4):
        numbers = [number_of[int(label)] for label in drawn.batch(step).labels[:8, 0]]
        assert max(Counter(number // 4 for number in numbers).values()) >= 3  # chance alone: 2 at the most, usually 1


def test_only_instances_that_may_be_one_design_share_a_group() -> None:
    alike = [one_instance(n, family="crops", alike=True) for n in range(3)]
    others = [one_instance(n, family="games") for n in range(3, 6)]
    labels = Batches(replace(CONFIG, pairs={"boxes": 6}), {"boxes": alike + others}).batch(0).labels
    groups = Counter(labels[:, 1])
    assert groups[NO_GROUP] == 6
    assert len(groups) == 2


def test_drawn_packages_alone_are_drawn_with_the_materials(
    sources: dict[str, list[Instance]], batches: Batches
) -> None:
    art = np.full((20, 20, 4), 255, np.uint8)
    with_art = Batches(CONFIG, sources, Materials(art=(art,)))
    drawn_first, drawn_end = PAIRS["boxes"], PAIRS["boxes"] + PAIRS["drawn"]
    plain, changed = (
        sum((each.batch(step).pixels for step in (2, 3)), np.zeros((), np.int64)) for each in (batches, with_art)
    )
    rows = (plain != changed).any(axis=(1, 2, 3))[: sum(PAIRS.values())]
    assert rows[drawn_first:drawn_end].any()
    assert not rows[:drawn_first].any()
    assert not rows[drawn_end:].any()


def test_photos_of_the_sources_are_printed_on_drawn_packages(
    sources: dict[str, list[Instance]], monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[int] = []

    def recorded(product: ProductDesign, materials: Materials) -> Picture:
        printed.append(len(materials.photos))
        return draw_front(product, materials)

    monkeypatch.setattr(module, "draw_front", recorded)
    Batches(CONFIG, sources).batch(0)
    photos = sum(len(instance.pictures) for name in ("produce", "boxes") for instance in sources.get(name, ()))
    assert set(printed) == {photos}
    assert photos > 0
