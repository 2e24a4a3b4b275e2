"""ORB keypoints of scans and references (Rublee et al. 2011, "ORB: an efficient alternative to SIFT or SURF").

ORB finds them; which are kept is chosen by `keypoint_choice.py`, and what they look like is described by a trained
network (`descriptors.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DESCRIPTOR_BYTES, describe
from skuscan.errors import ModelError
from skuscan.keypoint_choice import (
    SelectionOptions,
    background_share,
    draw_view,
    found_again,
    most_central,
    spread_out,
)
from skuscan.keypoints import MAX_KEYPOINTS, MAX_SIDE, OCTAVES, Keypoints
from skuscan.picture import fit_longest_side
from skuscan.proto.bundle_pb2 import KeypointSpec

PATCH_SIZE = 31  # px at the keypoint's own scale, ORB's descriptor patch

_PLAIN_RANGE = 6  # grey levels that JPEG adds to a plain background

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ExaminedReference:
    """A reference's keypoints, and what their choice showed of the picture.

    Attributes:
        keypoints: Those kept, best first.
        survived: (N,) bool: which of them a drawn view showed again.
        rgb: (H, W, 3) uint8, the picture as it was looked at.
        grey: (H, W) uint8, the same.
        background: (H, W) uint8: 1 in the plain background around a cut-out, else 0.
        package: (x, y, width, height), px in `grey`: the box of all that is not plain background around a cut-out.
    """

    keypoints: Keypoints
    survived: npt.NDArray[np.bool_]
    rgb: ByteArray
    grey: Grey
    background: ByteArray
    package: tuple[int, int, int, int]


class KeypointExtractor:
    """Finds keypoints as one spec says. Immutable; safe in any thread.

    Args:
        spec: Of the model's artefact.
        selection: Which are kept.

    Raises:
        ModelError: The spec asks for another detector, another version of it, or impossible numbers.
    """

    VERSION: Final = "orb-3"

    def __init__(self, spec: KeypointSpec, selection: SelectionOptions | None = None) -> None:
        if (spec.detector, spec.extractor_version) != ("orb", self.VERSION):
            raise ModelError(
                f"keypoints are those of detector orb, extractor {self.VERSION}",
                f"{spec.detector!r}, {spec.extractor_version!r}",
                "update skuscan",
            )
        counts = (spec.query_keypoints, spec.reference_keypoints, spec.candidate_keypoints)
        sound = 1 <= spec.levels <= OCTAVES and 1.01 <= spec.scale_factor <= 2 and 0 < spec.longest_side <= MAX_SIDE
        if not sound or min(counts) < 1 or spec.reference_keypoints > MAX_KEYPOINTS:
            raise ModelError("a keypoint spec has possible numbers", str(spec))
        self._spec = spec
        self._selection = selection or SelectionOptions()

    def query(self, rgb: ByteArray) -> Keypoints:
        """The strongest keypoints of a scan, above all of its middle.

        Args:
            rgb: (H, W, 3) uint8.
        """
        grey = _grey(self._fitted(rgb))
        located, responses = self._located(grey, max(self._selection.located, self._spec.query_keypoints))
        kept = most_central(located, responses, self._spec.query_keypoints, self._selection)
        return self._described(grey, located.take(kept))

    def locate(self, grey: Grey, count: int) -> Keypoints:
        """The strongest keypoints of a fitted picture, not described: their bits are 0.

        Args:
            grey: (H, W) uint8.
            count: At most so many.
        """
        return self._located(grey, count)[0]

    def reference(self, rgb: ByteArray) -> Keypoints:
        """The keypoints of a catalogue picture that its field photos will show again, best first.

        Args:
            rgb: (H, W, 3) uint8.
        """
        return self.examine(rgb).keypoints

    def examine(self, rgb: ByteArray) -> ExaminedReference:
        """The same keypoints, and what their choice showed of the picture.

        Args:
            rgb: (H, W, 3) uint8.
        """
        fitted = self._fitted(rgb)
        grey = _grey(fitted)
        background = _background(grey)
        x, y, width, height = cv2.boundingRect(1 - background)
        package = (x, y, width, height)
        candidates = self._detect(grey, self._spec.candidate_keypoints)
        if not len(candidates):
            return ExaminedReference(candidates, np.zeros(0, np.bool_), fitted, grey, background, package)
        views = self._survivals(grey, candidates)
        worth = views + np.linspace(self._selection.response_share, 0, len(candidates), dtype=np.float32)
        worth *= 1 - background_share(background, candidates.xy, PATCH_SIZE * candidates.sizes(self._spec.scale_factor))
        kept = spread_out(candidates.xy, worth, self._spec.reference_keypoints, self._selection)
        keypoints = self._described(grey, candidates.take(kept))
        return ExaminedReference(keypoints, views[kept] > 0, fitted, grey, background, package)

    def _fitted(self, rgb: ByteArray) -> ByteArray:
        return fit_longest_side(rgb, self._spec.longest_side)

    def _located(self, grey: Grey, count: int) -> tuple[Keypoints, FloatArray]:
        """As `locate`; and their (N,) responses."""
        if self._is_too_small(grey):
            return _none_of(grey)
        found = self._orb(count).detect(grey, None)
        return _of_orb(found, np.zeros((len(found), DESCRIPTOR_BYTES), np.uint8), grey)

    def _detect(self, grey: Grey, count: int) -> Keypoints:
        """As `locate`, with the first 160 of ORB's own bits, by which a picture is compared with views of itself."""
        if self._is_too_small(grey):
            return _none_of(grey)[0]
        found, descriptors = self._orb(count).detectAndCompute(grey, None)
        if descriptors is None:
            return _none_of(grey)[0]
        return _of_orb(found, np.asarray(descriptors[:, :DESCRIPTOR_BYTES], np.uint8), grey)[0]

    def _is_too_small(self, grey: Grey) -> bool:
        """ORB fails where a level has no pixel."""
        coarsest = self._spec.scale_factor ** (self._spec.levels - 1)
        return bool(min(grey.shape) < max(PATCH_SIZE, coarsest))

    def _described(self, grey: Grey, keypoints: Keypoints) -> Keypoints:
        bits = describe(grey, keypoints.xy, keypoints.octaves, keypoints.angles, self._spec.scale_factor)
        return replace(keypoints, descriptors=bits)

    def _orb(self, count: int) -> cv2.ORB:
        spec = self._spec
        return cv2.ORB.create(
            nfeatures=count,
            scaleFactor=spec.scale_factor,
            nlevels=spec.levels,
            patchSize=PATCH_SIZE,
            fastThreshold=spec.fast_threshold,
        )

    def _survivals(self, grey: Grey, candidates: Keypoints) -> FloatArray:
        """(N,) float32: in how many drawn views a candidate is found again."""
        options = self._selection
        views = np.zeros(len(candidates), np.float32)
        for view in options.views:
            drawn, matrix = draw_view(grey, view)
            seen = self._detect(drawn, options.view_keypoints)
            if len(seen):
                reach = options.place_tolerance * np.maximum(1, candidates.sizes(self._spec.scale_factor) * view.scale)
                views += found_again(candidates, seen, matrix, reach, options.descriptor_tolerance)
        return views


def _of_orb(found: Sequence[cv2.KeyPoint], descriptors: ByteArray, grey: Grey) -> tuple[Keypoints, FloatArray]:
    """ORB gives them level by level; here the strongest are first. And their (N,) responses."""
    if not found:
        return _none_of(grey)
    # Number by number: an array of objects' attributes takes three times as long.
    count = len(found)
    responses = np.fromiter((k.response for k in found), np.float32, count)
    strongest = np.argsort(-responses, kind="stable")
    keypoints = Keypoints(
        np.asarray(cv2.KeyPoint.convert(found), np.float32),
        descriptors,
        np.fromiter((k.octave for k in found), np.uint8, count),
        np.fromiter((k.angle for k in found), np.float32, count) % np.float32(360),
        grey.shape[1],
        grey.shape[0],
    )
    return keypoints.take(strongest), responses[strongest]


def _none_of(grey: Grey) -> tuple[Keypoints, FloatArray]:
    return Keypoints.empty(grey.shape[1], grey.shape[0]), np.zeros(0, np.float32)


def _grey(rgb: ByteArray) -> Grey:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _background(grey: Grey) -> Grey:
    """(H, W) uint8: 1 in the plain background around a cut-out, else 0.

    It is what a flood from the four corners reaches without leaving a corner's own grey.
    """
    height, width = grey.shape
    flooded = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        cv2.floodFill(grey, flooded, corner, 0, _PLAIN_RANGE, _PLAIN_RANGE, flags)
    return flooded[1:-1, 1:-1]
