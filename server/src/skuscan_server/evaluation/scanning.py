"""Asks pictures of a device's store: the whole way's answer, and what parts of the way would have said."""

import math
from collections.abc import Iterable, Mapping, Sequence

from skuscan.decision import Looks, Measured
from skuscan.recognition import Image, Recognition, RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.scan import Eye
from skuscan.store import Store
from skuscan.verification import Geometry
from skuscan_server.evaluation.outcome import QueryOutcome, ungrouped

# A fixed rule in place of the fitted decision, to show what the fit is worth: re-rank by
# similarity + 0.3 log(1 + inliers) where a homography has at least 6 inliers, as fewer are found anywhere.
FUSION_WEIGHT = 0.3
FUSION_INLIERS = 6
SHORTLISTS = (10, 20)  # SKUs that the search proposes; a device's own is one of them
MOST_AGAINST_ALL = 64  # references that are all verified for `orb`: above, a tenth of a second and more a query

Ranking = tuple[str, ...]


class Scanner:
    """One device, asked in several ways. Safe in one thread.

    Args:
        store: The device's.
        group_of: SKU -> the group that it stands for, where it has one.
        eye: The model opened before; None: it is opened here.
    """

    def __init__(self, store: Store, group_of: Mapping[str, str], eye: Eye | None = None) -> None:
        self._group_of = group_of
        generation = store.open_generation()
        self._full = Recognizer(generation, RecognizerOptions(), eye)
        eye = self._full.eye
        lengths = [length for length in SHORTLISTS if length != self._full.options.shortlist]
        self._shortlists = [Recognizer(generation, RecognizerOptions(shortlist=length), eye) for length in lengths]
        self._embedding = Recognizer(generation, RecognizerOptions(mode="embedding"), eye)
        self._against_all = None
        if generation.manifest.references <= MOST_AGAINST_ALL:
            self._against_all = Recognizer(generation, RecognizerOptions(mode="keypoints_all"), eye)

    def ask(self, image: Image, name: str, truth: str | None, *, parts: bool = True) -> QueryOutcome:
        """One query's outcome.

        Args:
            image: The picture.
            name: What the outcome calls it.
            truth: The SKU shown; None: nothing of the catalogue.
            parts: Whether parts of the way are asked too.

        Raises:
            PictureError: The picture cannot be used.
        """
        answer = self._full.identify(image)
        looks = self._full.measure(image) if parts else Looks(())
        shortlists, rankings = self._parts_of(image, looks) if parts else ({}, {})
        verified = any(candidate.evidence.verified for candidate in answer.candidates)
        outline = answer.candidates[0].outline if answer.candidates else None
        return QueryOutcome(
            name=name,
            truth=self._group_of.get(truth, truth) if truth else None,
            decision=answer.decision.kind,
            answered=self._grouped(answer.decision.skus),
            probability=answer.decision.probability,
            ranked=self._skus(answer),
            shortlists=shortlists,
            rankings=rankings,
            verified=verified,
            closer=verified and looks.closer is not None,
            milliseconds=sum(answer.timings.values()),
            outline=() if outline is None else tuple((float(x), float(y)) for x, y in outline),
        )

    def _parts_of(self, image: Image, looks: Looks) -> tuple[dict[int, Ranking], dict[str, Ranking]]:
        """Shortlists by their length, and rankings by the name of the part that made them."""
        shortlists = {self._full.options.shortlist: self._named(looks.first)}
        for recognizer in self._shortlists:
            shortlists[recognizer.options.shortlist] = self._named(recognizer.measure(image).first)
        fused = sorted(looks.last, key=lambda one: -fused_score(one.similarity, one.geometry))
        rankings = {
            "embedding": self._skus(self._embedding.identify(image)),
            "embedding_orb": self._named(fused),
        }
        if self._against_all is not None:
            rankings["orb"] = self._skus(self._against_all.identify(image))
        return shortlists, rankings

    def _named(self, measured: Sequence[Measured]) -> Ranking:
        return self._grouped(one.sku for one in measured)

    def _skus(self, answer: Recognition) -> tuple[str, ...]:
        return self._grouped(candidate.sku for candidate in answer.candidates)

    def _grouped(self, skus: Iterable[str]) -> tuple[str, ...]:
        return ungrouped(skus, self._group_of)


def fused_score(similarity: float, geometry: Geometry | None) -> float:
    """The fixed rule's score of a candidate."""
    inliers = geometry.inliers if geometry else 0
    return similarity + (FUSION_WEIGHT * math.log1p(inliers) if inliers >= FUSION_INLIERS else 0.0)
