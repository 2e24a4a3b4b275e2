import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.keypoint_choice import SelectionOptions, most_central
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import Keypoints
from skuscan.model import Model


def located(xy: list[tuple[float, float]], octaves: list[int], side: int = 640) -> Keypoints:
    count = len(xy)
    return Keypoints(
        np.array(xy, np.float32).reshape(-1, 2),
        np.zeros((count, DESCRIPTOR_BYTES), np.uint8),
        np.array(octaves, np.uint8),
        np.zeros(count, np.float32),
        side,
        side,
    )


def test_the_middle_wins_over_a_stronger_corner() -> None:
    keypoints = located([(10, 10), (320, 320), (630, 10)], [0, 0, 0])
    responses = np.array([3.0, 1.0, 0.9], np.float32)
    assert most_central(keypoints, responses, 1, SelectionOptions(centring=4)).tolist() == [1]
    assert most_central(keypoints, responses, 1, SelectionOptions(centring=0)).tolist() == [0]


def test_a_far_stronger_corner_wins_over_the_middle() -> None:
    keypoints = located([(10, 320), (320, 320)], [2, 2])
    strengths = np.array([np.exp(4.1), 1.0], np.float32)  # the middle of a side costs 4
    assert most_central(keypoints, strengths, 1, SelectionOptions(centring=4)).tolist() == [0]


@given(st.lists(st.integers(0, 7), max_size=60), st.integers(1, 70), st.integers(0, 2**32))
def test_each_octave_keeps_the_same_share(octaves: list[int], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keypoints = located([(float(x), float(y)) for x, y in rng.random((len(octaves), 2)) * 640], octaves)
    rows = most_central(keypoints, rng.random(len(octaves)).astype(np.float32), count, SelectionOptions())
    assert len(set(rows.tolist())) == len(rows) <= count
    assert (np.diff(rows) > 0).all()
    if len(octaves) <= count:
        assert len(rows) == len(octaves)
    else:
        of_octave, kept = (np.bincount(keypoints.octaves[r], minlength=8) for r in (slice(None), rows))
        assert np.array_equal(kept, of_octave * count // len(octaves))


def blocks(seed: int, side: int) -> np.ndarray:
    """(side, side, 3) uint8: grey fields with many corners."""
    levels = np.random.default_rng(seed).integers(0, 256, (side // 20, side // 20), np.uint8)
    return cv2.cvtColor(cv2.resize(levels, (side, side), interpolation=cv2.INTER_NEAREST), cv2.COLOR_GRAY2RGB)


def test_a_scan_looks_at_its_middle(released_model: Model) -> None:
    """A faint package before a shelf that is not."""
    photo = blocks(1, 640)
    photo[190:450, 190:450] = 64 + blocks(2, 260) // 2

    def share_within(centring: float) -> float:
        options = SelectionOptions(centring=centring)
        xy = KeypointExtractor(released_model.artifact.keypoints, options).query(photo).xy
        return float(((xy > 190) & (xy < 450)).all(axis=1).mean())

    assert share_within(SelectionOptions().centring) > 1.5 * share_within(0.0)


def test_without_a_middle_a_scan_keeps_the_strongest_of_each_octave(released_model: Model) -> None:
    photo = blocks(4, 640)
    options = SelectionOptions(centring=0.0)
    extractor = KeypointExtractor(released_model.artifact.keypoints, options)
    found = extractor.locate(photo[:, :, 0].copy(), options.located)
    kept = extractor.query(photo)
    assert len(kept) < len(found)
    for octave in range(released_model.artifact.keypoints.levels):
        of_octave = kept.xy[kept.octaves == octave]
        assert np.array_equal(of_octave, found.xy[found.octaves == octave][: len(of_octave)])


def test_only_what_a_view_shows_again_survived(released_model: Model) -> None:
    """However strong it is."""
    spec = released_model.artifact.keypoints
    without_views = KeypointExtractor(spec, SelectionOptions(views=())).examine(blocks(3, 400))
    assert len(without_views.keypoints) == spec.reference_keypoints
    assert not without_views.survived.any()
    assert KeypointExtractor(spec).examine(blocks(3, 400)).survived.mean() > 0.5
