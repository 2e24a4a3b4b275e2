"""Which SKUs are worth verifying: those whose embedding is nearest, and those that share printed detail.

The embedding sees the product as a whole and loses it among thousands of others now and then; the keypoints' votes find
just those, as long as something is printed on it. Both only propose: verification and the decision judge.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skuscan.catalogue import Catalogue
from skuscan.index import largest
from skuscan.keypoints import Keypoints
from skuscan.layered_index import LayeredIndex, Neighbour

VOTED_SHARE = 0.25  # of a shortlist: places for the SKUs with most votes; chosen on training pictures
VOTED_ROWS = 4  # rows looked at for each such place: several references of one SKU may have most votes

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Proposal:
    """A SKU to verify.

    Attributes:
        sku: Its key.
        similarity: Of the whole scan, as in `Neighbour`.
        rows: References to verify: the most similar, and the one with most votes where that is another.
    """

    sku: str
    similarity: float
    rows: tuple[int, ...]


class Shortlister:
    """Proposes SKUs of one catalogue. Immutable, safe in any thread.

    Attributes:
        index: The search by embedding.

    Raises:
        StoreError: The catalogue's Annoy file belongs to another base.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.index = LayeredIndex.open(catalogue)
        self._sku_of_row = catalogue.sku_of_row
        self._withdrawn = catalogue.withdrawn
        self._keypoints = catalogue.keypoint_indexes

    def nearest(self, vector: Vector, count: int, hidden: Collection[str] = ()) -> list[Proposal]:
        """The SKUs whose embedding is nearest, the most similar first.

        Args:
            vector: (256,) float32 of unit length.
            count: At most so many.
            hidden: SKUs to pass over, as if they were not in the catalogue.
        """
        found = self.index.search(vector, count + len(hidden))
        return [_proposal(neighbour) for neighbour in found if neighbour.sku not in hidden][:count]

    def with_votes(
        self, nearest: Sequence[Proposal], vector: Vector, query: Keypoints, hidden: Collection[str] = ()
    ) -> list[Proposal]:
        """The same number of proposals: the least similar make room for the SKUs with most votes.

        Args:
            nearest: By embedding, the most similar first.
            vector: Of the same scan.
            query: Its keypoints.
            hidden: SKUs to pass over.

        Returns:
            The most similar first.
        """
        voted = self._most_voted(query, round(len(nearest) * VOTED_SHARE), hidden)
        kept = {proposal.sku: proposal for proposal in nearest[: len(nearest) - len(voted)]}
        for row in voted:
            proposal = kept.get(self._sku_of_row(row)) or _proposal(self.index.judge(vector, row))
            rows = proposal.rows if row in proposal.rows else (*proposal.rows, row)
            kept[proposal.sku] = replace(proposal, rows=rows)
        for proposal in nearest:  # places that were not needed: the votes named who was there already
            if len(kept) < len(nearest):
                kept.setdefault(proposal.sku, proposal)
        return sorted(kept.values(), key=lambda proposal: (-proposal.similarity, proposal.sku))

    def closer(
        self,
        known: Sequence[Proposal],
        vector: Vector,
        part: Vector,
        count: int,
        hidden: Collection[str] = (),
        *,
        part_counts: bool,
    ) -> list[Proposal]:
        """What is known, and what a part of the scan proposes beyond it.

        A product among others is lost in the whole: then each counts with the more similar of whole and part. One that
        fills the whole is cut up in the part, of which a logo may be all that is left: then the whole alone counts.

        Args:
            known: Proposed before.
            vector: (256,) float32 of the whole scan.
            part: (256,) float32 of the part.
            count: SKUs nearest to the part that are looked at.
            hidden: SKUs to pass over.
            part_counts: Which of the two it is.

        Returns:
            The known ones in their order, then the new ones, the most similar first.
        """
        before = {proposal.sku for proposal in known}
        found = [p for p in self.nearest(part, count, hidden) if p.sku not in before]
        again, new = list(known), [_proposal(self.index.judge(vector, p.rows[0])) for p in found]
        if part_counts:
            by_part = [self.index.judge(part, p.rows[0]).similarity for p in known]
            again = [replace(p, similarity=max(p.similarity, one)) for p, one in zip(known, by_part, strict=True)]
            new = [max(pair, key=lambda p: p.similarity) for pair in zip(found, new, strict=True)]
        return again + sorted(new, key=lambda proposal: (-proposal.similarity, proposal.sku))

    def _most_voted(self, query: Keypoints, count: int, hidden: Collection[str]) -> list[int]:
        """The most voted row of each of the `count` SKUs with most votes."""
        votes = np.concatenate([index.votes(query) for index in self._keypoints])
        votes[np.flatnonzero(self._withdrawn)] = 0
        best: dict[str, int] = {}
        order = largest(votes, (count + len(hidden)) * VOTED_ROWS)
        for row in order[votes[order] > 0].tolist():
            sku = self._sku_of_row(row)
            if sku not in hidden and len(best) < count:
                best.setdefault(sku, row)
        return list(best.values())


def _proposal(neighbour: Neighbour) -> Proposal:
    return Proposal(neighbour.sku, neighbour.similarity, (neighbour.row,))
