"""Whether probabilities mean what they say: the reliability diagram and the expected calibration error.

Of the answers with a probability near 0.8, eight in ten should be right. Naeini, Cooper and Hauskrecht 2015,
"Obtaining well calibrated probabilities using Bayesian binning"; Guo et al. 2017, "On calibration of modern neural
networks", section 2. Bins are of equal width, as in both. numpy only: the evaluation on the server calls it too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

BINS = 15  # of equal width, as Guo et al. 2017

_SIDE = 320  # px, of the diagram's square
_MARGIN = 48  # px around it, for the axes
_STYLE = "font-family:sans-serif;font-size:12px"


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers of one interval of probability.

    Attributes:
        low: Its lower end; inclusive in the first bin only.
        high: Its upper end, inclusive.
        count: How many answers.
        confidence: Their mean probability; 0 when there are none.
        accuracy: The share of them that is right; 0 when there are none.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """What probabilities were worth.

    Attributes:
        bins: From 0 to 1.
        ece: Expected calibration error: |accuracy - confidence|, averaged over all answers by their bins.
    """

    bins: tuple[ReliabilityBin, ...]
    ece: float

    @property
    def count(self) -> int:
        """How many answers there were."""
        return sum(one.count for one in self.bins)


def reliability(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = BINS) -> Reliability:
    """Compare probabilities with what came of them.

    Args:
        probabilities: Of n answers, 0 to 1.
        outcomes: Whether each was right.
        bins: How many, of equal width.

    Returns:
        With an ECE of 0 when there are no answers.

    Raises:
        ValueError: Lengths differ, a probability is not one, or there is no bin.
    """
    p, right = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.bool_)
    if bins < 1 or p.shape != right.shape or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("probabilities of 0 to 1, as many outcomes, and one bin or more")
    number = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    found = tuple(_bin(i / bins, (i + 1) / bins, p[number == i], right[number == i]) for i in range(bins))
    error = sum(one.count * abs(one.accuracy - one.confidence) for one in found)
    return Reliability(found, error / len(p) if len(p) else 0.0)


def diagram(measured: Reliability, title: str) -> str:
    """The reliability diagram as SVG: bars are accuracies, the diagonal is perfect calibration.

    A bar's strength tells how many answers it stands for.
    """
    most = max((one.count for one in measured.bins), default=0) or 1
    bars = [_bar(one, 0.25 + 0.75 * one.count / most) for one in measured.bins if one.count]
    ticks = [mark for tenth in range(0, 11, 2) for mark in _ticks(tenth / 10)]
    width, middle = _SIDE + 2 * _MARGIN, _MARGIN + _SIDE // 2
    caption = f"{title}: ECE {measured.ece:.3f}, n = {measured.count}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{width}" style="{_STYLE}">',
            '<rect width="100%" height="100%" fill="white"/>',
            f'<text x="{middle}" y="{_MARGIN // 2}" text-anchor="middle">{escape(caption)}</text>',
            *bars,
            f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="black" stroke-dasharray="4"/>',
            f'<rect x="{_x(0)}" y="{_y(1)}" width="{_SIDE}" height="{_SIDE}" fill="none" stroke="black"/>',
            *ticks,
            f'<text x="{middle}" y="{width - 8}" text-anchor="middle">probability</text>',
            f'<text x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})">share right</text>',
            "</svg>\n",
        ]
    )


def _bin(low: float, high: float, p: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> ReliabilityBin:
    if not len(p):
        return ReliabilityBin(low, high, 0, 0.0, 0.0)
    return ReliabilityBin(low, high, len(p), float(p.mean()), float(right.mean()))


def _bar(one: ReliabilityBin, strength: float) -> str:
    top, width = _y(one.accuracy), _x(one.high) - _x(one.low) - 1
    return (
        f'<rect x="{_x(one.low):.1f}" y="{top:.1f}" width="{width:.1f}" height="{_y(0) - top:.1f}" '
        f'fill="#2a6fb0" fill-opacity="{strength:.2f}">'
        f"<title>{one.count} answers, {one.confidence:.3f} expected, {one.accuracy:.3f} right</title></rect>"
    )


def _ticks(value: float) -> tuple[str, str]:
    return (
        f'<text x="{_x(value)}" y="{_y(0) + 16}" text-anchor="middle">{value:.1f}</text>',
        f'<text x="{_x(0) - 6}" y="{_y(value) + 4}" text-anchor="end">{value:.1f}</text>',
    )


def _x(value: float) -> float:
    return _MARGIN + value * _SIDE


def _y(value: float) -> float:
    return _MARGIN + (1 - value) * _SIDE
