"""Where the decision is fitted to an assortment, and when a fit is good enough to be kept."""

from collections.abc import Callable

from skuscan.catalogue import Catalogue
from skuscan.proto.bundle_pb2 import Calibration, Manifest

KEPT_UNTIL_CHANGED = 0.05  # share of the references that may change before the decision is fitted again

ReadPicture = Callable[[int], bytes]
"""Gives the picture of a reference row, as it was uploaded."""

FitProgress = Callable[[int, int], None]
"""Told of references done, of how many."""

Fit = Callable[[Catalogue, ReadPicture, float, FitProgress], Calibration]
"""Fits the decision to an assortment for a false-accept rate; `skuscan_server.calibration.calibrate` does."""


def may_keep(previous: Manifest, model_sha256: bytes, false_accept_rate: float, changed: int) -> bool:
    """Whether the fit of the last publication still holds after so many references changed.

    A model that only weighs evidence in another way has the same feature space, and needs another fit.
    """
    return (
        previous.model_sha256 == model_sha256
        and previous.calibration.false_accept_rate == false_accept_rate
        and changed <= KEPT_UNTIL_CHANGED * max(1, previous.references)
    )
