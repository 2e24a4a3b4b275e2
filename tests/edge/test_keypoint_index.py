from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skuscan.errors import StoreError
from skuscan.keypoint_index import CROWDED, KeypointIndex, build_keypoint_index, index_in_memory, word_bits
from skuscan.keypoints import Keypoints
from tools.random_features import random_keypoints

FLIPPED = 16  # bits of 160: what light and angle turn in a descriptor that is found again


def keypoints(seed: int, count: int = 60) -> Keypoints:
    return random_keypoints(np.random.default_rng(seed), count, 400, 400)


def seen(reference: Keypoints, seed: int, turn: float = 0.0, flipped: int = FLIPPED) -> Keypoints:
    """The reference's keypoints as a scan shows them: turned, and some bits of each descriptor are others."""
    rng = np.random.default_rng(seed)
    bits = np.unpackbits(reference.descriptors, axis=1)
    for row in bits:
        row[rng.permutation(len(row))[:flipped]] ^= 1
    angles = (reference.angles + np.float32(turn)) % np.float32(360)
    return replace(reference, descriptors=np.packbits(bits, axis=1), angles=angles)


@pytest.fixture(scope="module")
def references() -> list[Keypoints]:
    return [keypoints(seed) for seed in range(400)]


@pytest.fixture(scope="module")
def index(references: list[Keypoints]) -> KeypointIndex:
    return index_in_memory(references, len(references))


@pytest.mark.parametrize("turn", [0.0, 45.0, 180.0, 349.0])
def test_a_turned_scan_votes_for_its_own_reference(
    references: list[Keypoints], index: KeypointIndex, turn: float
) -> None:
    for number in (0, 123, 399):
        votes = index.votes(seen(references[number], number, turn))
        assert votes.shape == (400,)
        assert int(np.argmax(votes)) == number


def test_votes_of_many_turns_count_less_than_those_of_one(references: list[Keypoints], index: KeypointIndex) -> None:
    rng = np.random.default_rng(1)
    straight = seen(references[5], 5)
    anyhow = replace(straight, angles=rng.uniform(0, 360, len(straight)).astype(np.float32))
    assert index.votes(anyhow)[5] < index.votes(straight)[5] / 2


def test_what_is_printed_on_every_package_says_nothing(references: list[Keypoints]) -> None:
    logo = keypoints(1000, 10)
    assert len(references) > CROWDED
    printed = [
        replace(
            reference,
            xy=np.concatenate([logo.xy, reference.xy]),
            descriptors=np.concatenate([logo.descriptors, reference.descriptors]),
            octaves=np.concatenate([logo.octaves, reference.octaves]),
            angles=np.concatenate([logo.angles, reference.angles]),
        )
        for reference in references
    ]
    assert not index_in_memory(printed, len(printed)).votes(logo).any()


@pytest.mark.guarantee("G23")
def test_the_same_references_give_the_same_bytes_and_the_same_votes(references: list[Keypoints]) -> None:
    first, again = (build_keypoint_index(iter(references[:50]), 50, bits=12) for _ in range(2))
    assert first == again
    query = seen(references[7], 7)
    one, other = (KeypointIndex(np.frombuffer(data, np.uint8)).votes(query) for data in (first, again))
    assert one.tobytes() == other.tobytes()


def test_a_reference_without_keypoints_gets_no_vote(references: list[Keypoints]) -> None:
    votes = index_in_memory([Keypoints.empty(), references[0]], 2).votes(seen(references[0], 3))
    assert votes[0] == 0
    assert votes[1] > 0


@pytest.mark.parametrize("count", [0, 3])
def test_no_keypoints_at_all_give_no_votes(count: int) -> None:
    empty = index_in_memory([Keypoints.empty()] * count, count)
    assert len(empty) == count
    assert empty.votes(keypoints(0)).tolist() == [0.0] * count
    assert not index_in_memory([keypoints(0)], 1).votes(Keypoints.empty()).any()


@settings(max_examples=30)
@example([1], 8, 0)
@given(st.lists(st.integers(0, 8), max_size=6), st.integers(8, 12), st.integers(0, 99))
def test_only_references_with_the_very_words_are_voted_for(counts: list[int], bits: int, seed: int) -> None:
    references = [keypoints(seed + number, count) for number, count in enumerate(counts)]
    built = KeypointIndex(np.frombuffer(build_keypoint_index(references, len(references), bits), np.uint8))
    for number, reference in enumerate(references):
        votes = built.votes(reference)
        assert (votes[number] > 0) == (len(reference) > 0)
        opposite = replace(reference, descriptors=~reference.descriptors)  # no bit is the same
        if len(reference) == sum(counts) == 1:  # of several, one's opposite may be another's word by chance
            assert not built.votes(opposite).any()


def test_words_grow_with_the_catalogue_and_stay_within_bounds() -> None:
    sizes = [word_bits(references) for references in (0, 1, 100, 1000, 10_000, 10**7)]
    assert sizes == sorted(sizes)
    assert sizes[0] >= 8
    assert sizes[-1] <= 20


def test_more_references_than_two_bytes_can_number_are_kept_apart() -> None:
    empty = Keypoints.empty()
    many = [keypoints(1), *[empty] * 65_535, keypoints(2)]
    data = build_keypoint_index(many, len(many), bits=10)
    votes = KeypointIndex(np.frombuffer(data, np.uint8)).votes(seen(many[-1], 0))
    assert int(np.argmax(votes)) == 65_536


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: b"x" + d[1:], lambda d: d[:-4], lambda d: d + b"1234"])
def test_bytes_of_another_format_or_length_are_refused(references: list[Keypoints], damage: object) -> None:
    data = build_keypoint_index(references[:3], 3, bits=8)
    with pytest.raises(StoreError, match="sync again"):
        KeypointIndex(np.frombuffer(damage(data), np.uint8))  # type: ignore[operator]
