from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from skuscan_models.training import validation
from skuscan_models.training.sources import Instance
from skuscan_models.training.validation import Question, catalogue_question, questions, recall

Picture = npt.NDArray[np.uint8]
SIZE = 32
NAMES = [f"product-{number}" for number in range(8)]


@pytest.fixture
def asked() -> dict[str, Question]:
    """Photos that look just like their references: a grey for each product."""
    pictures = [(name, np.full((20, 20, 3), 10 + 30 * number, np.uint8)) for number, name in enumerate(NAMES)]
    return {"greys": Question(pictures, pictures * 2)}


def by_grey(pixels: Picture) -> npt.NDArray[np.float32]:
    """A direction for every grey in the middle: a reference has a margin."""
    angles = pixels[:, SIZE // 2, SIZE // 2].mean(axis=-1) / 255 * np.pi
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_an_embedding_that_tells_products_apart_recalls_all(asked: dict[str, Question]) -> None:
    assert recall(asked, by_grey, SIZE) == {"greys": 1.0}


def test_an_embedding_that_tells_nothing_is_right_by_chance(asked: dict[str, Question]) -> None:
    def constant(pixels: Picture) -> npt.NDArray[np.float32]:
        return np.full((len(pixels), 4), 0.5, np.float32)

    assert recall(asked, constant, SIZE) == {"greys": 1 / len(NAMES)}


def test_what_is_asked_was_kept_aside(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, make_front: Callable[[int], Picture]
) -> None:
    monkeypatch.setattr(validation, "DRAWN_FAMILIES", 1)
    monkeypatch.setattr(validation, "PHOTO_SIDES", (64, 48))
    monkeypatch.setattr(validation, "draw_front", lambda _: make_front(0))
    asked = questions(pictures)
    assert set(asked) == {"drawn", "boxes", "angled", "grozi120", "produce"}
    for question in asked.values():
        names = {name for name, _ in question.references}
        assert {name for name, _ in question.photos} == names
    (alone,) = questions(None).values()
    for (_, first), (_, second) in zip(asked["drawn"].photos, alone.photos, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_catalogues_products_kept_aside_are_asked_for_among_all(make_front: Callable[[int], Picture]) -> None:
    single, trained = Instance("single", "", False, (make_front(0),)), Instance("trained", "", False, (make_front(1),))
    several = Instance("several", "", False, tuple(np.full((20, 20, 3), grey, np.uint8) for grey in (1, 2, 3)))
    question = catalogue_question([trained], [single, several], np.random.default_rng(1))
    assert [name for name, _ in question.references] == ["single", "several", "trained"]
    assert [name for name, _ in question.photos] == ["single", "single", "several", "several"]
    assert [int(photo[0, 0, 0]) for _, photo in question.photos[2:]] == [2, 3]
    assert int(question.references[1][1][0, 0, 0]) == 1
