"""What one query picture got, with SKUs replaced by the groups that stand for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class QueryOutcome:
    """One query's answers.

    Attributes:
        name: Of the picture: its path.
        truth: Its SKU; None for a negative.
        decision: `match`, `ambiguous` or `unknown`.
        answered: The product of a match, the short list of an ambiguous answer.
        probability: Of the best candidate.
        ranked: The candidates, most probable first.
        shortlists: What the search proposes when it proposes so many, before any closer look, in no order.
        rankings: Parts of the way by their names, best first: what each would have answered.
        verified: Whether keypoints were compared.
        closer: Whether the picture took a closer look.
        milliseconds: Of `identify`, decoding included.
        outline: Where the first candidate was found, four corners in px of the picture; empty: nowhere.
    """

    name: str
    truth: str | None
    decision: str
    answered: tuple[str, ...] = ()
    probability: float = 0.0
    ranked: tuple[str, ...] = ()
    shortlists: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    rankings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    verified: bool = True
    closer: bool = False
    milliseconds: float = 0.0
    outline: tuple[tuple[float, float], ...] = ()

    @property
    def right(self) -> bool:
        """Whether the most probable candidate is the product shown."""
        return self.right_within(1)

    def right_within(self, count: int) -> bool:
        """Whether the truth is among the first `count` candidates; never, when nothing is shown."""
        return self.truth is not None and self.truth in self.ranked[:count]


def ungrouped(skus: Iterable[str], group_of: Mapping[str, str]) -> tuple[str, ...]:
    """Replace SKUs by their groups and keep each the first time it comes."""
    return tuple(dict.fromkeys(group_of.get(sku, sku) for sku in skus))
