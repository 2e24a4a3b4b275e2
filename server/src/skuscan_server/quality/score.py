"""From measurements of a reference picture to a score and advice in plain words.

Each aspect becomes 0 to 100 between a value at which recognition is lost and one from which more helps no further; the
score is that of the worst aspect, so it says what to mend. A chain as strong as its weakest link: on training pictures
made worse on purpose it ordered the drawn scans' fate better than the aspects' product or mean did: scans found the
product of 68% of the pictures below 40, of 96% of those below 60, of 97% above.
`python -m benchmarks.reference_quality` prints that, and the tables that the ranges were read from.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum

from skuscan.quality import ReferenceQuality

POOR_BELOW = 40  # of 100
GOOD_FROM = 60


class Aspect(StrEnum):
    """What is judged."""

    SIZE = "size"
    FRAME = "frame"
    BLUR = "blur"
    TEXTURE = "texture"
    SPREAD = "spread"
    DISTINCTNESS = "distinctness"


class Grade(StrEnum):
    """A score in a word."""

    POOR = "poor"
    FAIR = "fair"
    GOOD = "good"

    @classmethod
    def of(cls, score: int) -> "Grade":
        """The grade of a score."""
        return cls.POOR if score < POOR_BELOW else cls.FAIR if score < GOOD_FROM else cls.GOOD


@dataclass(frozen=True)
class Range:
    """Between which values an aspect goes from 0 to 100; `worst` may be the greater one."""

    worst: float
    best: float

    def score(self, value: float) -> int:
        """0 to 100, cut off at both ends."""
        return round(100 * min(1.0, max(0.0, (value - self.worst) / (self.best - self.worst))))


@dataclass(frozen=True)
class QualityScale:
    """The ranges, and in their comments the share of drawn scans that found the product at such values.

    Attributes:
        similarity: Of the nearest other product; it begins where two products count as look-alikes.
    """

    similarity: Range
    octaves: Range = field(default=Range(math.log2(30), math.log2(160)))  # log2 px: 40 px .91, 56 .93, 80 .98, 160 1.00
    share: Range = field(default=Range(0.2, 0.7))  # of the frame's longest side: .15 .09, .25 .59, .35 .86, .5 .93
    blur: Range = field(default=Range(0.9, 0.6))  # 0.8-0.85 .78, 0.75-0.8 .90, 0.7-0.75 .95, below 0.65 .93
    surviving: Range = field(default=Range(0, 75))  # keypoints: none .40, 5-10 .89, 30-50 .87, 50-75 .96
    spread: Range = field(default=Range(0.0, 0.5))  # below 0.1 .47, 0.1-0.2 .83, 0.2-0.5 .89, above .97


@dataclass(frozen=True)
class Judgement:
    """What is said of a picture.

    Attributes:
        score: 0 to 100, that of the worst aspect.
        aspects: 0 to 100 each, the worst first.
        advice: A sentence for each aspect that is not good, the worst first.
    """

    score: int
    aspects: dict[Aspect, int]
    advice: list[str]

    @property
    def grade(self) -> Grade:
        """The score in a word."""
        return Grade.of(self.score)


def judge(quality: ReferenceQuality, nearest: tuple[str, float] | None, scale: QualityScale) -> Judgement:
    """Judge a picture.

    Args:
        quality: What was measured.
        nearest: The SKU of the other product that looks most like it, and the cosine; None: there is no other.
        scale: How values become scores.
    """
    side = max(quality.package_width, quality.package_height)
    share = side / max(quality.width, quality.height)
    aspects = {
        Aspect.SIZE: scale.octaves.score(math.log2(max(1, side))),
        Aspect.FRAME: scale.share.score(share),
        Aspect.BLUR: scale.blur.score(quality.blur),
        Aspect.TEXTURE: scale.surviving.score(quality.surviving),
        Aspect.SPREAD: scale.spread.score(quality.spread),
        Aspect.DISTINCTNESS: scale.similarity.score(nearest[1]) if nearest else 100,
    }
    said = {
        Aspect.SIZE: f"take a larger picture: the product is {side} px long, and print is read from 160 px on",
        Aspect.FRAME: f"go nearer or crop: the product fills {share:.0%} of the picture's longer side",
        Aspect.BLUR: "take a sharper picture: hold still, focus on the print, and do not enlarge a small one",
        Aspect.TEXTURE: "show the side with print: there is little here that a photo would show again",
        Aspect.SPREAD: "show the whole printed side: what can be recognised lies in one small part",
        Aspect.DISTINCTNESS: (
            f"looks like {nearest[0] if nearest else 'another'}: "
            "add a picture of the side that differs, or put the two in one group"
        ),
    }
    ordered = dict(sorted(aspects.items(), key=lambda item: item[1]))
    advice = [said[aspect] for aspect, score in ordered.items() if score < GOOD_FROM]
    return Judgement(min(aspects.values()), ordered, advice)
