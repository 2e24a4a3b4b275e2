import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.keypoints import Keypoints
from skuscan.verification import Geometry, VerificationOptions, match, project, verify, verify_shortlist

OPTIONS = VerificationOptions()
SIDE = 640  # px
PARTS = ("xy", "descriptors", "octaves", "angles")


def reference_set(seed: int, count: int = 150) -> Keypoints:
    rng = np.random.default_rng(seed)
    return Keypoints(
        rng.uniform(20, SIDE - 20, (count, 2)).astype(np.float32),
        rng.integers(0, 256, (count, DESCRIPTOR_BYTES), np.uint8),
        rng.integers(0, 4, count, np.uint8),
        rng.uniform(0, 360, count).astype(np.float32),
        SIDE,
        SIDE,
    )


def seen(
    reference: Keypoints, homography: np.ndarray, share: float = 1.0, clutter: int = 300, seed: int = 1
) -> Keypoints:
    """A query in which a share of the reference's keypoints shows through a homography, among clutter."""
    rng = np.random.default_rng(1)
    shown = rng.permutation(len(reference))[: round(share * len(reference))]
    xy = project(homography, reference.xy[shown]) + rng.normal(0, 0.5, (len(shown), 2))
    step = reference.xy[shown] + (8, 0)
    arrow = project(homography, step.astype(np.float32)) - project(homography, reference.xy[shown])
    turn = np.rad2deg(np.arctan2(arrow[:, 1], arrow[:, 0]))
    octaves = np.round(np.log(np.hypot(arrow[:, 0], arrow[:, 1]) / 8) / np.log(1.2))
    other = reference_set(1000, 300)
    return Keypoints(
        np.vstack([xy, other.xy]).astype(np.float32),
        np.vstack([reference.descriptors[shown], other.descriptors]),
        np.concatenate([np.clip(reference.octaves[shown] + octaves, 0, 7), other.octaves]).astype(np.uint8),
        np.concatenate([(reference.angles[shown] + turn) % 360, other.angles]).astype(np.float32),
        SIDE,
        SIDE,
    )


def similarity(turn: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(np.deg2rad(turn)), scale * np.sin(np.deg2rad(turn))
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1.0]])


TILTED = np.array([[0.8, -0.1, 60], [0.12, 0.75, 40], [1e-4, 2e-4, 1]])


@pytest.mark.parametrize(
    "homography",
    [np.eye(3), similarity(40, 0.8, 200, 20), similarity(180, 1.0, 640, 640), similarity(-90, 0.6, 50, 500), TILTED],
    ids=["as it is", "turned", "upside down", "quarter turn", "tilted"],
)
def test_a_seen_reference_is_verified_and_located(homography: np.ndarray) -> None:
    reference = reference_set(0)
    geometry = verify(seen(reference, homography, 0.6), reference, OPTIONS)
    assert geometry.inliers >= 60
    assert geometry.agreeing >= geometry.inliers
    assert geometry.inlier_ratio == geometry.inliers / geometry.agreeing
    assert 0.7 < geometry.spread <= 1
    assert geometry.reprojection_error < 1.5
    assert geometry.homography is not None
    corners = np.array([[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]], np.float32)
    assert np.abs(project(geometry.homography, corners) - project(homography, corners)).max() < 6


def test_another_product_has_no_inliers() -> None:
    for seed in range(20):
        geometry = verify(seen(reference_set(seed), TILTED), reference_set(seed + 500), OPTIONS)
        assert geometry.inliers == 0
        assert geometry.homography is None
        assert geometry.agreeing < 12


def test_a_mirrored_reference_is_refused() -> None:
    reference = reference_set(3)
    mirror = np.array([[-1, 0, SIDE], [0, 1, 0], [0, 0, 1.0]])
    query = seen(reference, np.eye(3))
    mirrored = Keypoints(
        project(mirror, query.xy).astype(np.float32), query.descriptors, query.octaves, query.angles, SIDE, SIDE
    )
    assert verify(mirrored, reference, VerificationOptions(place_tolerance=10)).inliers == 0


def test_a_reference_squeezed_onto_a_line_is_refused() -> None:
    reference = reference_set(4)
    query = seen(reference, np.eye(3))
    on_a_line = query.xy * np.float32([1, 0.001])
    squeezed = Keypoints(on_a_line, query.descriptors, query.octaves, query.angles, SIDE, SIDE)
    assert verify(squeezed, reference, VerificationOptions(place_tolerance=10)).homography is None


def test_a_reference_seen_along_its_surface_is_refused() -> None:
    reference = reference_set(5)
    along = np.array([[1, 0, 0], [0, 1, 0], [0.015, 0, 1.0]])
    query = seen(reference, np.eye(3))
    seen_along = project(along, query.xy).astype(np.float32) * 4
    stretched = Keypoints(seen_along, query.descriptors, query.octaves, query.angles, SIDE, SIDE)
    assert verify(stretched, reference, VerificationOptions(place_tolerance=10)).homography is None


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_keypoints_give_no_homography_and_no_error(count: int) -> None:
    reference = reference_set(6)
    few = seen(reference, np.eye(3)).take(np.arange(count))
    assert verify(few, reference, OPTIONS).homography is None
    assert verify(seen(reference, np.eye(3)), reference.take(np.arange(count)), OPTIONS).homography is None


def test_empty_sets_give_no_evidence() -> None:
    assert verify(Keypoints.empty(), Keypoints.empty(), OPTIONS) == Geometry.none()


def test_matches_are_those_of_a_brute_force_search_by_hamming_distance() -> None:
    reference, query = reference_set(7, 80), seen(reference_set(7, 80), TILTED, 0.5)
    rows, columns = match(query, reference, 0.8)
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    back = {m.queryIdx: m.trainIdx for m in matcher.match(query.descriptors, reference.descriptors)}
    expected = [
        (first.queryIdx, first.trainIdx)
        for first, second in matcher.knnMatch(reference.descriptors, query.descriptors, k=2)
        if first.distance < 0.8 * second.distance and back[first.trainIdx] == first.queryIdx
    ]
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == expected
    assert len(expected) >= 40


@pytest.mark.guarantee("G23")
def test_the_same_sets_give_the_same_bits_in_any_thread_and_with_any_seed() -> None:
    reference = reference_set(8)
    query = seen(reference, TILTED, 0.4)
    answers: set[tuple[int, int, float, float, bytes]] = set()

    def work(seed: int) -> None:
        cv2.setRNGSeed(seed)
        for _ in range(5):
            found = verify(query, reference, OPTIONS)
            assert found.homography is not None
            answers.add(
                (found.agreeing, found.inliers, found.spread, found.reprojection_error, found.homography.tobytes())
            )

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1


def test_a_shortlist_is_verified_as_closely_as_its_members_deserve() -> None:
    shown = reference_set(9)
    others = [reference_set(100 + seed) for seed in range(12)]
    shortlist = [*others[:7], shown, *others[7:]]
    query = seen(shown, TILTED, 0.5)
    found = verify_shortlist(query, shortlist, OPTIONS)
    assert found[7].agreeing == verify(query, shown, OPTIONS).agreeing
    assert found[7].inliers == verify(query, shown, OPTIONS).inliers
    assert [geometry.inliers for i, geometry in enumerate(found) if i != 7] == [0] * 12


def test_the_most_similar_are_verified_whatever_the_glance_says() -> None:
    most_similar, obvious = reference_set(10), reference_set(11)
    unseen_by_the_glance = np.arange(OPTIONS.glanced_keypoints, len(most_similar))
    query = both(seen(most_similar.take(unseen_by_the_glance), TILTED, 0.3), seen(obvious, np.eye(3)))
    others = [reference_set(200 + seed) for seed in range(6)]
    first = verify_shortlist(query, [most_similar, obvious, *others], OPTIONS)
    assert first[0].inliers > 20
    assert first[1].inliers > 100
    last = verify_shortlist(query, [*others, most_similar, obvious], OPTIONS)
    assert last[6].inliers == 0
    assert last[7].inliers > 100


def test_a_glance_at_many_says_of_each_what_a_glance_at_it_alone_says() -> None:
    shown = [reference_set(10), reference_set(11)]
    query = both(seen(shown[0], TILTED), seen(shown[1], np.eye(3)))
    small = reference_set(12).take(np.arange(3))
    references = [*(reference_set(200 + seed) for seed in range(70)), shown[0], small, Keypoints.empty(), shown[1]]
    glance = replace(OPTIONS, always_finalists=0, finalists=0)
    together = verify_shortlist(query, references, glance)
    assert together == [verify_shortlist(query, [reference], glance)[0] for reference in references]
    assert together[70].agreeing > 5
    assert together[-1].agreeing > 5


def both(one: Keypoints, other: Keypoints) -> Keypoints:
    """The keypoints of two queries in one."""
    joined = (np.concatenate([getattr(k, name) for k in (one, other)]) for name in PARTS)
    return Keypoints(*joined, SIDE, SIDE)  # type: ignore[misc]


def test_an_empty_shortlist_and_a_blank_scan_give_nothing() -> None:
    assert verify_shortlist(Keypoints.empty(), [], OPTIONS) == []
    blank = verify_shortlist(Keypoints.empty(), [reference_set(11), Keypoints.empty()], OPTIONS)
    assert blank == [Geometry.none(), Geometry.none()]
