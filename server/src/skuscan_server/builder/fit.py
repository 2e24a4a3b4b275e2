"""Where the decision is fitted to an assortment, and when a fit is good enough to be kept."""

from dataclasses import dataclass
from typing import Protocol

from skuscan.model import Model
from skuscan.proto.bundle_pb2 import Calibration, Manifest
from skuscan_server.builder.snapshot import SnapshotReference

KEPT_UNTIL_CHANGED = 0.05  # share of the references that may change before the decision is fitted again


@dataclass(frozen=True)
class FitRequest:
    """What a fit is made from.

    Attributes:
        model: Whose decision is fitted.
        references: Every reference of the assortment, sorted by key.
        read_picture: A reference's picture, as it was uploaded.
        false_accept_rate: What the operator accepts.
    """

    model: Model
    references: list[SnapshotReference]
    read_picture: "ReadPicture"
    false_accept_rate: float


class ReadPicture(Protocol):
    """Gives a reference's picture."""

    def __call__(self, reference: SnapshotReference) -> bytes:
        """The bytes as uploaded. Raises StoreError when they are missing or damaged."""


class Fit(Protocol):
    """Fits the decision to an assortment."""

    def __call__(self, request: FitRequest) -> Calibration:
        """The offset, the spread and the threshold that the rate gives."""


def unfitted(request: FitRequest) -> Calibration:
    """The model's own decision: offset 0, spread 1, fitted on nothing."""
    return Calibration(
        spread=1.0,
        false_accept_rate=request.false_accept_rate,
        match_probability=request.model.artifact.decision.match_probability,
    )


def may_keep(previous: Manifest, model: Model, false_accept_rate: float, changed: int) -> bool:
    """Whether the fit of the last publication still holds after so many references changed."""
    return (
        previous.feature_space == model.feature_space
        and previous.calibration.false_accept_rate == false_accept_rate
        and changed <= KEPT_UNTIL_CHANGED * max(1, previous.references)
    )
