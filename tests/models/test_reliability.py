import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan_models.reliability import BINS, diagram, reliability

answers = st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=60)


def test_hand_worked_bins() -> None:
    measured = reliability([0.2, 0.4, 0.9, 1.0], [False, True, True, True], bins=2)
    low, high = measured.bins
    assert [low.count, low.confidence, low.accuracy] == pytest.approx([2, 0.3, 0.5])
    assert [high.count, high.confidence, high.accuracy] == pytest.approx([2, 0.95, 1.0])
    assert measured.ece == pytest.approx((2 * 0.2 + 2 * 0.05) / 4)


def test_an_edge_belongs_to_the_bin_below_it() -> None:
    assert [one.count for one in reliability([0.0, 0.5, 0.51], [True] * 3, bins=2).bins] == [2, 1]


@given(answers, st.integers(1, 20))
def test_every_answer_is_in_one_bin(given: list[tuple[float, bool]], bins: int) -> None:
    measured = reliability([p for p, _ in given], [right for _, right in given], bins)
    assert measured.count == len(given)
    assert 0 <= measured.ece <= 1
    for one in measured.bins:
        assert not one.count or one.low - 1e-9 <= one.confidence <= one.high + 1e-9


def test_true_probabilities_have_hardly_any_error_and_confident_ones_have() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    outcomes = [bool(o) for o in rng.random(20_000) < p]
    assert reliability(list(p), outcomes).ece < 0.015
    assert reliability(list(np.sqrt(p)), outcomes).ece == pytest.approx(2 / 3 - 1 / 2, abs=0.015)


def test_no_answers_are_no_error() -> None:
    assert reliability([], []).ece == 0


@pytest.mark.parametrize(("p", "outcomes", "bins"), [([1.1], [True], 5), ([0.5], [], 5), ([float("nan")], [True], 5)])
def test_what_is_no_probability_is_refused(p: list[float], outcomes: list[bool], bins: int) -> None:
    with pytest.raises(ValueError, match="probabilities of 0 to 1"):
        reliability(p, outcomes, bins)


def test_the_diagram_is_xml_with_a_bar_for_each_bin_in_use() -> None:
    drawn = ElementTree.fromstring(diagram(reliability([0.1, 0.95, 0.96], [False, True, True]), "a < b & c"))
    assert len(drawn.findall(".//{http://www.w3.org/2000/svg}title")) == 2
    assert any("ECE" in (text.text or "") for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
    assert BINS == 15
