"""Scores and advice."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.quality import ReferenceQuality
from skuscan_server.quality.score import GOOD_FROM, Aspect, Grade, QualityScale, Range, judge

SCALE = QualityScale(similarity=Range(worst=1.0, best=0.7))


def test_a_faultless_picture_scores_100_and_needs_no_advice(faultless: ReferenceQuality) -> None:
    judged = judge(faultless, ("other", 0.4), SCALE)
    assert (judged.score, judged.grade, judged.advice) == (100, Grade.GOOD, [])
    assert judge(faultless, None, SCALE).score == 100


@pytest.mark.parametrize(
    ("fault", "aspect", "words"),
    [
        ({"width": 60, "height": 60, "package_width": 40, "package_height": 20}, Aspect.SIZE, "larger picture.*40 px"),
        ({"package_width": 200, "package_height": 180}, Aspect.FRAME, "nearer or crop.*31%"),
        ({"blur": 0.85}, Aspect.BLUR, "sharper"),
        ({"surviving": 10}, Aspect.TEXTURE, "side with print"),
        ({"spread": 0.1}, Aspect.SPREAD, "one small part"),
    ],
)
def test_a_fault_is_the_score_and_the_advice(
    faultless: ReferenceQuality, fault: dict[str, Any], aspect: Aspect, words: str
) -> None:
    judged = judge(replace(faultless, **fault), None, SCALE)
    assert judged.grade is Grade.POOR
    assert next(iter(judged.aspects.items())) == (aspect, judged.score)
    assert len(judged.advice) == 1
    assert re.search(words, judged.advice[0])


def test_a_look_alike_is_named(faultless: ReferenceQuality) -> None:
    judged = judge(faultless, ("4001-B", 0.97), SCALE)
    assert judged.aspects[Aspect.DISTINCTNESS] == judged.score == 10
    assert "4001-B" in judged.advice[0]


def test_the_worst_fault_is_named_first(faultless: ReferenceQuality) -> None:
    judged = judge(replace(faultless, blur=0.75, surviving=3), None, SCALE)
    assert [line.split(":")[0] for line in judged.advice] == ["show the side with print", "take a sharper picture"]


@given(
    st.builds(
        ReferenceQuality,
        width=st.integers(1, 10_000),
        height=st.integers(1, 10_000),
        package_width=st.integers(0, 10_000),
        package_height=st.integers(0, 10_000),
        keypoints=st.integers(0, 1024),
        surviving=st.integers(0, 1024),
        spread=st.floats(0, 1),
        blur=st.floats(0, 1),
    ),
    st.none() | st.tuples(st.just("B"), st.floats(-1, 1)),
)
def test_every_picture_has_a_score_and_advice_exactly_where_it_is_not_good(
    quality: ReferenceQuality, nearest: tuple[str, float] | None
) -> None:
    judged = judge(quality, nearest, SCALE)
    assert 0 <= judged.score == min(judged.aspects.values()) <= max(judged.aspects.values()) <= 100
    assert len(judged.advice) == sum(score < GOOD_FROM for score in judged.aspects.values())
