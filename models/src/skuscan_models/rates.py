"""The threshold that keeps a rate of accepts, also where so few were measured that none of them shows the rate.

Of 400 scans, one in a thousand is less than one scan: counting says nothing there. Above a high start, though, the
excesses of logits are close to exponential (Pickands 1975, "Statistical inference using extreme order statistics"), and
the measured ones tell how fast they thin out. numpy only: the fit of the model and the server's calibration call it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TAIL_SHARE = 0.1  # of all scans, whose excesses are the tail
LEAST_EXCESSES = 10  # fewer do not tell how fast they thin out


@dataclass(frozen=True)
class Tail:
    """The highest of n logits.

    Attributes:
        start: The tail begins here; minus infinity: nothing was accepted at any threshold.
        share: Of the scans that are above it.
        mean_excess: How far they are above it, on average.
        excesses: How many they are.
    """

    start: float
    share: float
    mean_excess: float
    excesses: int

    def threshold(self, rate: float) -> float:
        """The logit above which the next scan lies with a probability of `rate`, below `share`.

        The mean excess is itself measured. Averaged over what it may be, the excess has a Lomax distribution,
        P(excess > x) = (1 + x / (k m))^-k, hence a little more than the exponential's m log(share / rate).
        """
        if self.excesses == 0 or rate >= self.share:
            return self.start
        k = self.excesses
        return self.start + k * self.mean_excess * float(np.expm1(np.log(self.share / rate) / k))


def tail(logits: Sequence[float], share: float = TAIL_SHARE) -> Tail:
    """The tail of the logits of scans that should be refused.

    Args:
        logits: One for each scan; minus infinity for one that is refused at any threshold.
        share: Of them, how many are in the tail.
    """
    ordered = np.sort(np.asarray(logits, np.float64))[::-1]
    finite = int(np.isfinite(ordered).sum())
    if finite == 0:
        return Tail(-np.inf, 0.0, 0.0, 0)
    wanted = max(LEAST_EXCESSES, int(share * len(ordered)))
    count = min(wanted, finite - 1)
    start = float(ordered[count])
    return Tail(start, count / len(ordered), float((ordered[:count] - start).mean()) if count else 0.0, count)


def threshold_of_rate(logits: Sequence[float], rate: float) -> float:
    """The least logit above which no more than `rate` of such scans lie; minus infinity when none is ever accepted.

    Args:
        logits: As `tail` takes them.
        rate: 0 to 1.
    """
    ordered = np.sort(np.asarray(logits, np.float64))[::-1]
    allowed = int(rate * len(ordered))
    counted = float(ordered[allowed]) if allowed < len(ordered) else -np.inf
    found = tail(logits)
    # What was counted stays: a few scans far out do not fit an exponential, and are there all the same.
    return max(counted, found.threshold(rate)) if rate < found.share else counted
