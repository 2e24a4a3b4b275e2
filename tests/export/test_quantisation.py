"""What int8 loses: the counting, on hand-made answers. `skuscan-export recall` compares the networks themselves."""

import json
from pathlib import Path

import pytest

from skuscan_export.quantisation import Comparison, Loss


def loss(queries: int, lost: int, won: int) -> Loss:
    return Loss("set", queries, exact=0.9, quantized=0.9 - (lost - won) / queries, lost=lost, won=won)


def test_a_small_set_may_lose_one_photo_and_a_large_one_a_point() -> None:
    assert loss(30, lost=1, won=0).passes
    assert not loss(30, lost=2, won=0).passes
    assert loss(30, lost=3, won=2).passes
    assert loss(900, lost=9, won=0).passes
    assert not loss(900, lost=10, won=0).passes


def test_all_photos_count_the_same() -> None:
    comparison = Comparison((loss(100, lost=1, won=0), loss(900, lost=6, won=3)))
    assert comparison.pooled == pytest.approx(4 / 1000)
    assert comparison.passes
    assert not Comparison((loss(100, lost=1, won=0), loss(900, lost=9, won=3))).passes


def test_the_interval_is_bonett_and_prices() -> None:
    # n = 98: (lost + 1) / 100 = 0.06, (won + 1) / 100 = 0.02; 0.04 +- 1.96 * sqrt((0.08 - 0.0016) / 100)
    low, high = Comparison((loss(98, lost=5, won=1),)).interval
    assert (low, high) == pytest.approx((0.04 - 0.05488, 0.04 + 0.05488), abs=1e-4)


def test_the_report_says_what_is_allowed(tmp_path: Path) -> None:
    Comparison((loss(30, lost=2, won=0),)).write(tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["passes"] is False
    assert report["sets"][0]["lost"] == 2
    assert report["allowed"] == {"pooled_loss": 0.005, "set_loss": 0.01}
