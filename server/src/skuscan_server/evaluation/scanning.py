"""Asks pictures of a device's store: the whole way's answer, and what parts of the way would have said."""

import math
from collections.abc import Iterable, Mapping

from skuscan.recognizer import Eye, Image, Mode, Recognition, Recognizer, RecognizerOptions
from skuscan.store import Store
from skuscan_server.evaluation.outcome import QueryOutcome, ungrouped

# A fixed rule in place of the fitted decision, to show what the fit is worth: re-rank by
# similarity + 0.3 log(1 + inliers) where a homography has at least 6 inliers, as fewer are found anywhere.
FUSION_WEIGHT = 0.3
FUSION_INLIERS = 6
MOST_AGAINST_ALL = 200  # references that are all verified for `orb`: 1 ms each, for each query


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
        modes: list[Mode] = ["embedding"]
        if generation.manifest.references <= MOST_AGAINST_ALL:
            modes.append("keypoints_all")
        self._parts = {mode: Recognizer(generation, RecognizerOptions(mode=mode), self._full.eye) for mode in modes}

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
        similar = sorted(answer.candidates, key=lambda candidate: -candidate.evidence.similarity)
        outline = answer.candidates[0].outline if answer.candidates else None
        return QueryOutcome(
            name=name,
            truth=self._group_of.get(truth, truth) if truth else None,
            decision=answer.decision.kind,
            answered=self._grouped(answer.decision.skus),
            probability=answer.decision.probability,
            ranked=self._skus(answer),
            shortlist=self._grouped(candidate.sku for candidate in similar),
            rankings=self._rankings(image, answer) if parts else {},
            verified=_is_verified(answer),
            milliseconds=sum(answer.timings.values()),
            outline=() if outline is None else tuple((float(x), float(y)) for x, y in outline),
        )

    def _rankings(self, image: Image, answer: Recognition) -> dict[str, tuple[str, ...]]:
        rankings = {"embedding": self._skus(self._parts["embedding"].identify(image))}
        rankings["embedding_orb"] = self._fused(image, answer)
        if "keypoints_all" in self._parts:
            rankings["orb"] = self._skus(self._parts["keypoints_all"].identify(image))
        return rankings

    def _fused(self, image: Image, answer: Recognition) -> tuple[str, ...]:
        """The shortlist by the fixed rule; verified now when the scan found that needless."""
        if _is_verified(answer):
            found = [(c.sku, c.evidence.similarity, c.evidence.inliers) for c in answer.candidates]
        else:
            measured = self._full.measure(image)
            found = [(m.sku, m.similarity, m.geometry.inliers if m.geometry else 0) for m in measured]
        return self._grouped(sku for sku, *_ in sorted(found, key=lambda one: -fused_score(one[1], one[2])))

    def _skus(self, answer: Recognition) -> tuple[str, ...]:
        return self._grouped(candidate.sku for candidate in answer.candidates)

    def _grouped(self, skus: Iterable[str]) -> tuple[str, ...]:
        return ungrouped(skus, self._group_of)


def fused_score(similarity: float, inliers: int) -> float:
    """The fixed rule's score of a candidate."""
    return similarity + (FUSION_WEIGHT * math.log1p(inliers) if inliers >= FUSION_INLIERS else 0.0)


def _is_verified(answer: Recognition) -> bool:
    return any(candidate.evidence.verified for candidate in answer.candidates)
