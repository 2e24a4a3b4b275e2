"""What keeping in step costs in bytes: a small change moves little, and no change next to nothing."""

from pathlib import Path

import pytest

from benchmarks import sync

SKUS = 10_000
FEWEST = 2_000  # with fewer, metadata outweighs what changed
MOST_FOR_A_PERCENT = 0.013  # of a first sync's bytes
MOST_POLL_BYTES = 1_000  # bytes on the wire, both ways, heads included
MOST_PRICE_BYTES = 300  # bytes of records for each product with another price


@pytest.fixture(scope="module")
def costs(faults, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, sync.Cost]]:
    skus = max(FEWEST, faults.count(SKUS))
    measured = sync.measure(Path(tmp_path_factory.mktemp("sync")), skus)
    figures = {name: cost.wire for name, cost in measured.items()}
    faults.record("G14", "bytes of a sync", skus=skus, **figures)
    return skus, measured


@pytest.mark.guarantee("G14")
def test_a_change_of_one_percent_moves_at_most_one_point_three_percent(costs) -> None:
    _, measured = costs
    assert measured["1% changed"].wire <= MOST_FOR_A_PERCENT * measured["first sync"].wire


@pytest.mark.guarantee("G14")
def test_a_poll_without_news_costs_less_than_a_kilobyte(costs) -> None:
    assert costs[1]["poll without news"].wire < MOST_POLL_BYTES


@pytest.mark.guarantee("G14")
def test_a_price_costs_less_than_300_bytes(costs) -> None:
    skus, measured = costs
    assert measured["1% with another price only"].records < MOST_PRICE_BYTES * (skus // 100)
