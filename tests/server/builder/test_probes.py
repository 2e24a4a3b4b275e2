import numpy as np
import pytest

from skuscan.embedding import quantize
from skuscan.index import ExactIndex
from skuscan_server.builder.probes import is_clear


def vector(angle: float) -> np.ndarray:
    """A direction in a plane, int8."""
    direction = np.zeros(256, np.float32)
    direction[:2] = np.cos(angle), np.sin(angle)
    return quantize(direction)


@pytest.mark.parametrize(
    ("other_large", "other_small", "clear"), [(1.0, 1.2, True), (0.1, 1.2, False), (1.0, 0.1, False)]
)
def test_a_probe_s_own_product_is_well_ahead_of_both_sizes_of_others(
    other_large: float, other_small: float, clear: bool
) -> None:
    rows = np.stack([vector(angle) for angle in (0.0, 0.7, other_large, other_small)])
    skus = np.array(["own", "own", "other", "other"], dtype=object)
    picture = np.stack([vector(0.05), vector(0.7)]).tobytes()
    assert is_clear(ExactIndex(rows), skus, "own", picture) == clear


def test_a_picture_that_cannot_be_used_is_no_probe() -> None:
    index = ExactIndex(np.stack([vector(0.0), vector(0.7)]))
    assert not is_clear(index, np.array(["own", "own"], dtype=object), "own", b"")
