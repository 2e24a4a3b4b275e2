"""Two sets of keypoints -> evidence that they show the same printed surface.

1. match descriptors: the nearest by Hamming distance, clearly nearer than the second (Lowe 2004, "Distinctive image
   features from scale-invariant keypoints", 7.1), and nearest in both directions;
2. vote: each match alone says how the reference was turned, scaled and moved, and the largest group that says the same
   is kept (Lowe 2004, 7.3). It lets the ratio be lax, and counts on bent bags where no homography holds;
3. fit a homography to that group, robustly (Barath et al. 2020, "MAGSAC++, a fast, reliable and accurate robust
   estimator"), and refuse those that no photo of a flat package can have.

OpenCV's USAC estimators draw from a seed of their own for each call, so the same sets give the same bits in any thread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.keypoints import Keypoints, squared_distances

DESCRIPTOR_BITS = 8 * DESCRIPTOR_BYTES
_GLANCED_TOGETHER = 64  # references: a shortlist in one go, and a whole catalogue without its memory

Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]
Points = npt.NDArray[np.float32]


@dataclass(frozen=True)
class VerificationOptions:
    """What counts as agreement; chosen on drawn field views of training pictures."""

    scale_factor: float = 1.2  # of the keypoint spec: what one octave is
    ratio: float = 0.95  # nearest to second nearest distance
    turn_tolerance: float = 25.0  # degrees between two matches' rotations
    octave_tolerance: float = 1.5  # octaves between two matches' scales
    place_tolerance: float = 0.15  # of the reference's longest side, between the centres that two matches foretell
    min_group: int = 4  # matches, for a homography
    inlier_distance: float = 3.0  # px
    confidence: float = 0.999  # at which the estimator stops
    max_iterations: int = 1000
    min_area_ratio: float = 0.01  # of the reference in the query's frame to the reference
    max_area_ratio: float = 20.0
    glanced_keypoints: int = 24  # of each reference on a shortlist
    finalists: int = 5  # references of a shortlist that are verified with all their keypoints, at most
    always_finalists: int = 2  # of those, the most similar by the embedding, whatever the glance says
    finalist_share: float = 0.6  # of the best one's agreeing matches: with fewer, the glance has decided
    max_side_ratio: float = 6.0  # of one side in the query to the opposite: beyond, it is seen along its surface


@dataclass(frozen=True)
class Geometry:
    """What verification measured.

    Attributes:
        agreeing: Matches that agree on turn, scale and place.
        inliers: Of those, the ones that one sound homography explains; 0 when there is none.
        inlier_ratio: inliers / agreeing, 0 to 1.
        spread: Area of the inliers' hull over that of all the reference's keypoints, 0 to 1.
        reprojection_error: Mean distance of the inliers from where the homography puts them, px.
        homography: (3, 3) float64, reference frame -> query frame; None when there is none.
        rows: The inliers' rows among the query's keypoints.
    """

    agreeing: int
    inliers: int
    inlier_ratio: float
    spread: float
    reprojection_error: float
    homography: Matrix | None
    rows: frozenset[int] = frozenset()

    @property
    def strength(self) -> tuple[int, int]:
        """Orders the geometries of one product's references."""
        return self.inliers, self.agreeing

    @classmethod
    def none(cls) -> "Geometry":
        """No evidence at all."""
        return cls(0, 0, 0.0, 0.0, 0.0, None)


def verify(query: Keypoints, reference: Keypoints, options: VerificationOptions) -> Geometry:
    """How well a reference's keypoints are found in a query, as one flat surface.

    Args:
        query: Keypoints of the scan.
        reference: Keypoints of a catalogue picture, of the same feature space.
        options: What counts as agreement.
    """
    rows, columns = match(query, reference, options.ratio)
    agree = _agreement(query, _Surfaces.of([reference]), rows, columns, options)
    group = agree[agree.sum(axis=1).argmax()] if len(rows) else np.zeros(0, np.bool_)
    rows, columns = rows[group], columns[group]
    votes_only = Geometry(len(rows), 0, 0.0, 0.0, 0.0, None)
    if len(rows) < options.min_group:
        return votes_only
    fitted = _fit(reference.xy[rows], query.xy[columns], options)
    if fitted is None or not _is_possible(fitted[0], reference.xy, options):
        return votes_only
    homography, inliers = fitted
    there = reference.xy[rows[inliers]]
    off = project(homography, there) - query.xy[columns[inliers]]
    return Geometry(
        agreeing=len(rows),
        inliers=len(there),
        inlier_ratio=len(there) / len(rows),
        spread=_hull_area(there) / max(_hull_area(reference.xy), 1.0),
        reprojection_error=float(np.hypot(off[:, 0], off[:, 1]).mean()),
        homography=homography,
        rows=frozenset(columns[inliers].tolist()),
    )


def verify_shortlist(query: Keypoints, references: Sequence[Keypoints], options: VerificationOptions) -> list[Geometry]:
    """Verify many references, in two rounds, since almost all of them are wrong.

    A glance at the best few keypoints of each finds the matches that agree. The finalists are then verified with all
    their keypoints: those with most of them, none with far fewer than the best, and always the first two. The others
    keep what the glance found.

    Args:
        query: Keypoints of the scan.
        references: The most similar first; each with its best keypoints first.
        options: What counts as agreement, and how much is looked at.

    Returns:
        A geometry for each reference.
    """
    votes: list[int] = []
    for start in range(0, len(references), _GLANCED_TOGETHER):
        votes += _glance(query, references[start : start + _GLANCED_TOGETHER], options)
    found = [Geometry(agreeing, 0, 0.0, 0.0, 0.0, None) for agreeing in votes]
    for i in _finalists(votes, options):
        found[i] = verify(query, references[i], options)
    return found


def _finalists(votes: Sequence[int], options: VerificationOptions) -> list[int]:
    """Numbers of the references to verify with all their keypoints."""
    always = list(range(min(options.always_finalists, len(votes))))
    rest = sorted(range(len(always), len(votes)), key=lambda i: -votes[i])
    least = options.finalist_share * max(votes, default=0)
    return always + [i for i in rest[: max(0, options.finalists - len(always))] if votes[i] >= least]


def match(query: Keypoints, reference: Keypoints, ratio: float) -> tuple[Rows, Rows]:
    """Matches that are nearest in both directions and clearly nearer than the second.

    Args:
        query: (Q) keypoints.
        reference: (R) keypoints.
        ratio: Greatest distance of the nearest over that of the second nearest query keypoint.

    Returns:
        (M,) rows of the reference and (M,) rows of the query.
    """
    return _matches(reference.signs @ query.signs.T, ratio)


def project(homography: Matrix, points: Points) -> Matrix:
    """(N, 2) float64: points (N, 2) seen through a homography (3, 3)."""
    seen = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(seen[:, :2] / seen[:, 2:])


def _glance(query: Keypoints, references: Sequence[Keypoints], options: VerificationOptions) -> list[int]:
    """How many matches of each reference's best keypoints agree; one reference or more."""
    best = np.arange(options.glanced_keypoints)
    heads = [reference.take(best[: len(reference)]) for reference in references]
    # One product and one agreement for all: small ones spend their time on reading the query again, and on calls.
    products = np.concatenate([head.signs for head in heads]) @ query.signs.T
    ends = np.cumsum([len(head) for head in heads])
    matches = [_matches(block, options.ratio) for block in np.split(products, ends[:-1])]
    rows = np.concatenate([rows + end - len(head) for (rows, _), end, head in zip(matches, ends, heads, strict=True)])
    columns = np.concatenate([columns for _, columns in matches])
    votes = _agreement(query, _Surfaces.of(heads), rows, columns, options).sum(axis=1)
    of_reference = np.split(votes, np.cumsum([len(rows) for rows, _ in matches])[:-1])
    return [int(of_matches.max(initial=0)) for of_matches in of_reference]


def _matches(products: Points, ratio: float) -> tuple[Rows, Rows]:
    """See `match`. `products`: (R, Q) float32 of descriptors whose bits are -1 and 1; overwritten.

    Bits as signs make Hamming distances one matrix product, faster than OpenCV's brute force and as exact:
    distance = (bits - product) / 2.
    """
    if products.shape[0] < 1 or products.shape[1] < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rows = np.arange(len(products))
    nearest = products.argmax(axis=1)
    mutual = products[:, nearest].argmax(axis=0) == rows
    best = products[rows, nearest]
    products[rows, nearest] = -DESCRIPTOR_BITS
    second = products.max(axis=1)
    kept = mutual & (DESCRIPTOR_BITS - best < ratio * (DESCRIPTOR_BITS - second))
    return rows[kept], nearest[kept]


@dataclass(frozen=True)
class _Surfaces:
    """The keypoints of some references, one after another.

    Attributes:
        owners: (N,) whose each is.
        angles, octaves: As in `Keypoints`.
        to_centre: (N, 2) float32, from each to the middle of its reference's frame, px.
        longest: (N,) float32, that frame's longest side, px.
    """

    owners: Rows
    angles: npt.NDArray[np.float32]
    octaves: npt.NDArray[np.uint8]
    to_centre: Points
    longest: npt.NDArray[np.float32]

    @classmethod
    def of(cls, references: Sequence[Keypoints]) -> "_Surfaces":
        counts = [len(reference) for reference in references]
        frames = np.array([(reference.width, reference.height) for reference in references], np.float32)
        owners = np.repeat(np.arange(len(references)), counts)
        return cls(
            owners,
            np.concatenate([reference.angles for reference in references]),
            np.concatenate([reference.octaves for reference in references]),
            (frames / 2)[owners] - np.concatenate([reference.xy for reference in references]),
            frames.max(axis=1)[owners],
        )


def _agreement(
    query: Keypoints, surfaces: _Surfaces, rows: Rows, columns: Rows, options: VerificationOptions
) -> npt.NDArray[np.bool_]:
    """(M, M) bool: which matches of one reference say the same of how it was turned, scaled and moved."""
    turns = query.angles[columns] - surfaces.angles[rows]
    steps = query.octaves[columns].astype(np.float32) - surfaces.octaves[rows]
    scales = np.float32(options.scale_factor) ** steps
    to_centre = surfaces.to_centre[rows] * scales[:, None]
    cos, sin = np.cos(np.deg2rad(turns)), np.sin(np.deg2rad(turns))
    x, y = to_centre[:, 0], to_centre[:, 1]
    places = query.xy[columns] + np.column_stack([cos * x - sin * y, sin * x + cos * y])

    owners = surfaces.owners[rows]
    apart = np.abs((turns[:, None] - turns + 180) % 360 - 180)
    reach = np.float32(options.place_tolerance) * surfaces.longest[rows][:, None] * np.maximum(scales[:, None], scales)
    return np.asarray(
        (owners[:, None] == owners)
        & (apart < options.turn_tolerance)
        & (np.abs(steps[:, None] - steps) <= options.octave_tolerance)
        & (squared_distances(places, places) < reach * reach)
    )


def _fit(there: Points, here: Points, options: VerificationOptions) -> tuple[Matrix, Mask] | None:
    """A homography and the (M,) bool of its inliers; None when the estimator finds none."""
    homography, mask = cv2.findHomography(
        there,
        here,
        cv2.USAC_MAGSAC,
        options.inlier_distance,
        maxIters=options.max_iterations,
        confidence=options.confidence,
    )
    if homography is None or not np.isfinite(homography).all():
        return None
    inliers = np.asarray(mask).ravel().astype(np.bool_)
    return (np.asarray(homography, np.float64), inliers) if inliers.sum() >= options.min_group else None


def _is_possible(homography: Matrix, points: Points, options: VerificationOptions) -> bool:
    """Whether a camera can see the keypoints' bounding box like this: in front of it, not mirrored, not edge on."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    box = np.array([[left, top, 1], [right, top, 1], [right, bottom, 1], [left, bottom, 1]])
    seen = box @ homography.T
    if (seen[:, 2] * np.sign(homography[2, 2]) <= 0).any():
        return False
    corners = seen[:, :2] / seen[:, 2:]
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    if (turns <= 0).any():  # not convex, or mirrored
        return False
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    opposite = lengths / np.roll(lengths, 2)
    ratio = cv2.contourArea(corners.astype(np.float32)) / max(float((right - left) * (bottom - top)), 1.0)
    return bool(options.min_area_ratio <= ratio <= options.max_area_ratio and opposite.max() <= options.max_side_ratio)


def _hull_area(points: Points) -> float:
    return float(cv2.contourArea(cv2.convexHull(points)))
