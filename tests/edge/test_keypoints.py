import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.descriptors import DESCRIPTOR_BYTES
from skuscan.errors import BundleError, ModelError
from skuscan.keypoint_extraction import KeypointExtractor
from skuscan.keypoints import MAX_KEYPOINTS, Keypoints, pack, unpack
from skuscan.proto.bundle_pb2 import KeypointSpec

SPEC = KeypointSpec(
    detector="orb",
    extractor_version=KeypointExtractor.VERSION,
    longest_side=640,
    query_keypoints=1000,
    reference_keypoints=220,
    candidate_keypoints=1000,
    scale_factor=1.2,
    levels=8,
    fast_threshold=10,
)
RECOGNITION_BYTES = 5_300  # bytes of keypoints that a reference may have


def drawn_package(seed: int = 0, width: int = 480, height: int = 640) -> np.ndarray:
    """Shapes and letters without end, so that ORB has much to choose from."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 240, np.uint8)
    for _ in range(60):
        x, y = (int(v) for v in rng.integers(0, (width, height)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(10, 90)), y + int(rng.integers(10, 60))), colour, -1)
        letter = chr(int(rng.integers(65, 91)))
        cv2.putText(picture, letter, (y % width, x % height), cv2.FONT_HERSHEY_DUPLEX, 1.4, colour[::-1], 3)
    return picture


@pytest.fixture(scope="module")
def extractor() -> KeypointExtractor:
    return KeypointExtractor(SPEC)


@st.composite
def keypoint_sets(draw: st.DrawFn) -> Keypoints:
    count, width, height = draw(st.integers(0, 40)), draw(st.integers(1, 4096)), draw(st.integers(1, 4096))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Keypoints(
        (rng.random((count, 2)) * (width, height)).astype(np.float32),
        rng.integers(0, 256, (count, DESCRIPTOR_BYTES), np.uint8),
        rng.integers(0, 8, count, np.uint8),
        (rng.random(count) * 359.99).astype(np.float32),
        width,
        height,
    )


@given(keypoint_sets())
def test_packing_keeps_descriptors_and_loses_at_most_half_a_step_of_place(keypoints: Keypoints) -> None:
    back = unpack(pack(keypoints))
    assert np.array_equal(back.descriptors, keypoints.descriptors)
    assert np.array_equal(back.octaves, keypoints.octaves)
    assert (back.width, back.height) == (keypoints.width, keypoints.height)
    step = max(keypoints.width, keypoints.height) / 4095
    assert np.abs(back.xy - keypoints.xy).max(initial=0) <= step / 2 + 1e-3
    turned = np.abs((back.angles - keypoints.angles + 180) % 360 - 180)
    assert turned.max(initial=0) <= 360 / 64 + 1e-3
    assert pack(back) == pack(keypoints)


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_read_and_written_back_the_same(data: bytes) -> None:
    try:
        keypoints = unpack(data)
    except BundleError:
        return
    assert pack(keypoints) == data


@given(keypoint_sets(), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_never_raises_anything_but_a_bundle_error(keypoints: Keypoints, at: int, value: int) -> None:
    data = bytearray(pack(keypoints))
    data[at % len(data)] = value
    try:
        unpack(bytes(data))
    except BundleError:
        return


@pytest.mark.parametrize("cut", [0, 3, 6, 7, 100, 3606])
def test_a_cut_set_is_refused(extractor: KeypointExtractor, cut: int) -> None:
    data = pack(extractor.reference(drawn_package()))
    with pytest.raises(BundleError):
        unpack(data[:cut])


def test_more_keypoints_than_the_limit_are_refused_before_they_are_read() -> None:
    header = bytes([2]) + (MAX_KEYPOINTS + 1).to_bytes(2, "little") + (640).to_bytes(2, "little") * 2
    with pytest.raises(BundleError, match="at most 1024 in a frame"):
        unpack(header + bytes((MAX_KEYPOINTS + 1) * (4 + DESCRIPTOR_BYTES)))


def test_a_keypoint_outside_its_frame_is_refused() -> None:
    data = bytearray(pack(Keypoints(*one_keypoint(9.0, 9.0))))
    data[7:9] = (0xFFF).to_bytes(2, "little")  # x of 20 px in a frame of 10 x 20
    with pytest.raises(BundleError, match="lie in their frame"):
        unpack(bytes(data))


def one_keypoint(x: float, y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int]:
    xy = np.array([[x, y]], np.float32)
    return xy, np.zeros((1, DESCRIPTOR_BYTES), np.uint8), np.zeros(1, np.uint8), np.zeros(1, np.float32), 10, 20


def test_a_reference_has_the_keypoints_of_its_spec_within_the_byte_budget(extractor: KeypointExtractor) -> None:
    keypoints = extractor.reference(drawn_package())
    assert len(keypoints) == SPEC.reference_keypoints
    assert len(pack(keypoints)) <= RECOGNITION_BYTES
    assert max(keypoints.width, keypoints.height) == SPEC.longest_side


def test_a_plain_picture_has_no_keypoints_and_packs(extractor: KeypointExtractor) -> None:
    plain = np.full((300, 200, 3), 255, np.uint8)
    for keypoints in (extractor.query(plain), extractor.reference(plain)):
        assert len(keypoints) == 0
        assert len(unpack(pack(keypoints))) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 600), (20, 30), (2000, 300)])
def test_pictures_of_any_shape_are_taken(extractor: KeypointExtractor, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (*shape, 3), np.uint8)
    for keypoints in (extractor.query(picture), extractor.reference(picture)):
        assert unpack(pack(keypoints.take(np.arange(min(50, len(keypoints)))))).width == keypoints.width


def test_the_same_picture_gives_the_same_bytes(extractor: KeypointExtractor) -> None:
    picture = drawn_package(4)
    assert pack(extractor.reference(picture)) == pack(KeypointExtractor(SPEC).reference(picture.copy()))


def test_chosen_keypoints_are_found_again_more_often_than_the_strongest(extractor: KeypointExtractor) -> None:
    picture = drawn_package(5)
    chosen = extractor.reference(picture)
    strongest = extractor.query(picture).take(np.arange(SPEC.reference_keypoints))
    assert found_in_a_small_photo(extractor, picture, chosen) > found_in_a_small_photo(extractor, picture, strongest)


def found_in_a_small_photo(extractor: KeypointExtractor, picture: np.ndarray, kept: Keypoints) -> int:
    """How many of the kept stand at their place, with nearly their descriptor, in a photo of 0.45 the size."""
    matrix = np.float32([[0.42, -0.09, 90], [0.08, 0.40, 60]])
    photo = cv2.GaussianBlur(cv2.warpAffine(picture, matrix, (480, 640), flags=cv2.INTER_AREA), (0, 0), 0.7)
    seen = extractor.query(photo)
    places = kept.xy @ matrix[:, :2].T + matrix[:, 2]
    near = ((places[:, None] - seen.xy[None]) ** 2).sum(axis=2) < 9
    unlike = np.unpackbits(kept.descriptors[:, None] ^ seen.descriptors[None], axis=2).sum(axis=2)
    return int((near & (unlike < 38)).any(axis=1).sum())


def test_the_silhouette_of_a_cut_out_is_kept_last(extractor: KeypointExtractor) -> None:
    picture = np.full((640, 640, 3), 255, np.uint8)
    picture[160:480, 200:440] = drawn_package(6, 240, 320)
    keypoints = extractor.reference(picture)
    inside = ((keypoints.xy > (212, 172)) & (keypoints.xy < (428, 468))).all(axis=1)
    assert inside[:100].mean() > 0.85


@pytest.mark.parametrize(
    "changes",
    [{"detector": "sift"}, {"extractor_version": "orb-0"}, {"levels": 9}, {"scale_factor": 1.0}, {"longest_side": 0}],
)
def test_a_spec_of_another_extractor_or_with_impossible_numbers_is_refused(changes: dict[str, object]) -> None:
    spec = KeypointSpec()
    spec.CopyFrom(SPEC)
    for name, value in changes.items():
        setattr(spec, name, value)
    with pytest.raises(ModelError):
        KeypointExtractor(spec)
