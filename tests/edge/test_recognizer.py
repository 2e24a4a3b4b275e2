import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from skuscan.catalogue import MemoryCatalogue
from skuscan.errors import ConfigError, FeatureSpaceError, PictureError, StoreError
from skuscan.features import FeatureExtractor
from skuscan.focus import is_small
from skuscan.model import Model
from skuscan.proto.bundle_pb2 import Calibration, ModelArtifact
from skuscan.proto.catalogue_pb2 import Pair, Product, Reference
from skuscan.recognition import RecognizerOptions
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye
from skuscan.store import Store

SKUS = tuple(f"sku-{i:02}" for i in range(14))


def package(seed: int) -> np.ndarray:
    """A flat design, (480, 360, 3): the seed decides everything."""
    rng = np.random.default_rng(seed)
    picture = np.full((480, 360, 3), rng.integers(40, 255, 3), np.uint8)
    for _ in range(40):
        x, y = (int(v) for v in rng.integers(0, (340, 460)))
        colour = tuple(int(v) for v in rng.integers(0, 255, 3))
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(8, 70)), y + int(rng.integers(8, 50))), colour, -1)
        cv2.putText(picture, chr(int(rng.integers(65, 91))), (x, y), cv2.FONT_HERSHEY_DUPLEX, 1.2, colour[::-1], 2)
    return picture


def photo(picture: np.ndarray, seed: int = 0) -> np.ndarray:
    """The package, turned and tilted, on a mottled table, (640, 480, 3)."""
    rng = np.random.default_rng(seed + 77)
    table = cv2.resize(rng.integers(60, 200, (20, 15, 3), np.uint8), (480, 640), interpolation=cv2.INTER_CUBIC)
    matrix = np.array([[0.92, -0.16, 110], [0.14, 0.9, 60], [1e-4, -1e-4, 1]])
    laid = cv2.warpPerspective(picture, matrix, (480, 640), dst=table, borderMode=cv2.BORDER_TRANSPARENT)
    return np.asarray(cv2.GaussianBlur(laid, (0, 0), 0.8), np.uint8)


@pytest.fixture(scope="module")
def references(released_model: Model) -> list[Reference]:
    extractor = FeatureExtractor.open(released_model, RuntimeOptions())
    made = []
    for i, sku in enumerate(SKUS):
        features = extractor.extract(package(i))
        made.append(
            Reference(
                sku=sku,
                reference_id=f"{i:016x}",
                embedding=features.embedding,
                keypoints=features.keypoints,
                appearance=features.appearance,
            )
        )
    return made


@pytest.fixture(scope="module")
def eye(released_model: Model) -> Eye:
    return Eye.open(released_model, RuntimeOptions())


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return [Product(sku=sku, name=f"Product {sku}") for sku in SKUS]


@pytest.fixture
def catalogue(released_model: Model, references: list[Reference], products: list[Product]) -> MemoryCatalogue:
    return MemoryCatalogue(released_model, references, products)


@pytest.fixture
def recognizer(catalogue: MemoryCatalogue, eye: Eye) -> Recognizer:
    return Recognizer(catalogue, RecognizerOptions(shortlist=len(SKUS)), eye)


@pytest.mark.parametrize("number", [0, 5, 13])
def test_a_photo_of_a_package_is_matched_named_and_outlined(recognizer: Recognizer, number: int) -> None:
    recognition = recognizer.identify(photo(package(number)))
    best = recognition.candidates[0]
    assert recognition.decision.kind == "match"
    assert recognition.decision.skus == (best.sku,) == (SKUS[number],)
    assert best.name == f"Product {SKUS[number]}"
    assert best.evidence.inliers > 20
    assert best.outline is not None
    assert best.outline.shape == (4, 2)
    centre = best.outline.mean(axis=0)
    assert np.abs(centre - (243, 307)).max() < 40  # where `photo` puts the middle of a package


def test_a_picture_of_something_else_is_unknown(recognizer: Recognizer) -> None:
    assert recognizer.identify(photo(package(999))).decision.kind == "unknown"


def test_paths_bytes_and_arrays_get_the_same_answer(recognizer: Recognizer, tmp_path: Path) -> None:
    rgb = photo(package(2))
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    answers = [recognizer.identify(source).candidates[0] for source in (rgb, str(path), path, path.read_bytes())]
    assert {(a.sku, a.probability, a.evidence) for a in answers} == {
        (answers[0].sku, answers[0].probability, answers[0].evidence)
    }


def test_a_file_that_is_no_picture_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(PictureError):
        recognizer.identify(b"no picture")


def test_timings_name_the_stages_that_ran(recognizer: Recognizer) -> None:
    timings = recognizer.identify(photo(package(1))).timings
    assert list(timings) == ["decode", "embed", "search", "keypoints", "verify", "decide"]
    assert all(value >= 0 for value in timings.values())


def test_an_empty_catalogue_answers_unknown(released_model: Model, eye: Eye) -> None:
    recognition = Recognizer(MemoryCatalogue(released_model, []), eye=eye).identify(photo(package(0)))
    assert recognition.decision.kind == "unknown"
    assert recognition.candidates == ()


def test_the_embedding_alone_verifies_nothing(catalogue: MemoryCatalogue, eye: Eye) -> None:
    recognition = Recognizer(catalogue, RecognizerOptions(mode="embedding"), eye).identify(photo(package(3)))
    assert "verify" not in recognition.timings
    assert not any(candidate.evidence.verified for candidate in recognition.candidates)
    similarities = [candidate.evidence.similarity for candidate in recognition.candidates]
    assert similarities == sorted(similarities, reverse=True)


def test_keypoints_against_all_ranks_every_sku_without_the_embedding(catalogue: MemoryCatalogue, eye: Eye) -> None:
    recognition = Recognizer(catalogue, RecognizerOptions(mode="keypoints_all"), eye).identify(photo(package(4)))
    assert recognition.candidates[0].sku == SKUS[4]
    assert len(recognition.candidates) == len(SKUS)
    assert {candidate.evidence.similarity for candidate in recognition.candidates} == {0.0}


def test_the_shortlist_bounds_what_is_verified(catalogue: MemoryCatalogue, eye: Eye) -> None:
    recognition = Recognizer(catalogue, RecognizerOptions(shortlist=3), eye).identify(photo(package(4)))
    assert len(recognition.candidates) == 3
    with pytest.raises(ConfigError):
        RecognizerOptions(shortlist=0)


def test_the_calibration_of_the_catalogue_sets_the_threshold(
    released_model: Model, references: list[Reference], eye: Eye
) -> None:
    strict = Calibration(offset=-50, spread=1, match_probability=0.9, references=14)
    catalogue = MemoryCatalogue(released_model, references, calibration=strict)
    assert Recognizer(catalogue, eye=eye).identify(photo(package(5))).decision.kind == "unknown"


def test_a_pair_record_makes_a_close_answer_ambiguous(
    released_model: Model, references: list[Reference], eye: Eye
) -> None:
    plain = Recognizer(MemoryCatalogue(released_model, references), eye=eye).identify(photo(package(6)))
    assert plain.decision.kind == "match"
    low, high = sorted((plain.candidates[0].sku, plain.candidates[1].sku))
    pair = Pair(sku_a=low, sku_b=high, minimum_margin=1.0)
    wary = Recognizer(MemoryCatalogue(released_model, references, pairs=[pair]), eye=eye).identify(photo(package(6)))
    assert wary.decision.kind == "ambiguous"
    assert set(wary.decision.skus) == {low, high}


class DamagedCatalogue(MemoryCatalogue):
    """Its first reference fails its checksum."""

    def reference(self, row: int) -> Reference:
        if row == 0:
            raise StoreError("a record has its checksum", "another one")
        return super().reference(row)


@pytest.mark.guarantee("G11")
def test_a_damaged_reference_is_left_out_named_and_costs_no_answer(
    released_model: Model, references: list[Reference], eye: Eye
) -> None:
    recognition = Recognizer(DamagedCatalogue(released_model, references), eye=eye).identify(photo(package(0)))
    assert recognition.damaged == (SKUS[0],)
    assert recognition.candidates
    assert SKUS[0] not in [candidate.sku for candidate in recognition.candidates]


def deciding(model: Model, **changes: float) -> Model:
    """The model with other thresholds of its decision."""
    artifact = ModelArtifact()
    artifact.CopyFrom(model.artifact)
    for name, value in changes.items():
        setattr(artifact.decision, name, value)
    return replace(model, artifact=artifact)


def test_a_scan_whose_embedding_is_certain_extracts_no_keypoints(
    released_model: Model, references: list[Reference], eye: Eye
) -> None:
    certain = deciding(released_model, skip_verification_logit=1e-9, intercept=100, closer_look_probability=2)
    recognition = Recognizer(MemoryCatalogue(certain, references), eye=eye).identify(photo(package(3)))
    assert list(recognition.timings) == ["decode", "embed", "search", "decide"]
    assert not any(candidate.evidence.verified for candidate in recognition.candidates)


def with_another_in_the_middle(scan: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A scan before which another package stands, far away: there the closer look finds it."""
    small, both = cv2.resize(other, None, fx=0.35, fy=0.35), scan.copy()
    top, left = ((side - part) // 2 for side, part in zip(scan.shape[:2], small.shape[:2], strict=True))
    both[top : top + small.shape[0], left : left + small.shape[1]] = small
    return both


@pytest.mark.parametrize("small", [True, False])
def test_an_unsure_scan_takes_a_closer_look_which_counts_where_the_part_is_small(
    released_model: Model, references: list[Reference], eye: Eye, *, small: bool
) -> None:
    options = RecognizerOptions(shortlist=2)
    always, never = (
        Recognizer(MemoryCatalogue(deciding(released_model, closer_look_probability=p), references), options, eye)
        for p in (2, 0)
    )
    # What a closer look adds hangs on the last bits of a processor's sums; that it adds to one of many does not.
    scans = [with_another_in_the_middle(photo(package(3)), package(other)) for other in range(4, 14)]
    border = 300 if small else 0
    scans = [cv2.copyMakeBorder(s, *(border,) * 4, cv2.BORDER_REPLICATE) for s in scans]
    parts = [eye.embedder.embed_scan(scan).part for scan in scans]
    scans = [s for s, part in zip(scans, parts, strict=True) if is_small(part, *s.shape[:2]) == small]
    scan = max(scans, key=lambda scan: len(always.measure(scan).last))
    looks = always.measure(scan)
    first = [(m.sku, m.similarity) for m in looks.first]
    assert first == [(m.sku, m.similarity) for m in never.measure(scan).last]
    closer = {m.sku: m for m in looks.last}
    assert len(looks.first) == options.shortlist
    assert small or len(closer) > options.shortlist
    assert list(closer)[: options.shortlist] == [m.sku for m in looks.first]
    assert all(m.geometry is not None for m in closer.values())
    every = Recognizer(MemoryCatalogue(deciding(released_model, closer_look_probability=0), references), eye=eye)
    left, top, right, bottom = eye.embedder.embed_scan(scan).part
    whole, part = ({m.sku: m.similarity for m in every.measure(s).last} for s in (scan, scan[top:bottom, left:right]))
    expected = {sku: max(whole[sku], part[sku]) if small else whole[sku] for sku in closer}
    assert {sku: m.similarity for sku, m in closer.items()} == expected
    assert any(part[sku] > whole[sku] for sku in closer)
    assert {c.sku for c in always.identify(scan).candidates} == set(closer)


def test_a_small_package_stands_out_in_a_closer_look(
    released_model: Model, references: list[Reference], eye: Eye
) -> None:
    """A thirtieth of the frame's area, blurred: one of them may go either way, fourteen together do not."""
    model = deciding(released_model, closer_look_probability=2)
    recognizer = Recognizer(MemoryCatalogue(model, references), RecognizerOptions(shortlist=len(SKUS)), eye)
    leads: dict[str, list[float]] = {"first": [], "closer": []}
    for number, sku in enumerate(SKUS):
        scan = np.full((720, 720, 3), 150, np.uint8)
        small = cv2.resize(package(number), (120, 150), interpolation=cv2.INTER_AREA)
        scan[90 : 90 + 150, 480 : 480 + 120] = cv2.GaussianBlur(small, (0, 0), 3)
        looks = recognizer.measure(scan)
        for name, measured in (("first", looks.first), ("closer", looks.last)):
            similarity = {m.sku: m.similarity for m in measured}
            leads[name].append(similarity.pop(sku) - max(similarity.values()))
    assert np.mean(leads["closer"]) > np.mean(leads["first"]) + 0.01


def test_a_sure_scan_takes_no_closer_look(released_model: Model, references: list[Reference], eye: Eye) -> None:
    known, unknown = ([photo(package(number)) for number in numbers] for numbers in (range(14), range(990, 1000)))
    options = RecognizerOptions(shortlist=4)
    never = Recognizer(MemoryCatalogue(deciding(released_model, closer_look_probability=0), references), options, eye)
    sure, unsure = ([never.identify(s).candidates[0].probability for s in scans] for scans in (known, unknown))
    assert min(unsure) < min(sure)
    model = deciding(released_model, closer_look_probability=(min(sure) + min(unsure)) / 2)
    recognizer = Recognizer(MemoryCatalogue(model, references), options, eye)
    assert all(recognizer.measure(scan).closer is None for scan in known)
    assert any(recognizer.measure(scan).closer is not None for scan in unknown)


def test_hidden_products_are_measured_by_no_look(released_model: Model, references: list[Reference], eye: Eye) -> None:
    model = deciding(released_model, closer_look_probability=2)
    recognizer = Recognizer(MemoryCatalogue(model, references), RecognizerOptions(shortlist=4), eye)
    hidden = (SKUS[3], SKUS[5])
    measured = {m.sku for m in recognizer.measure(photo(package(3)), hidden).last}
    assert len(measured) >= 4
    assert not measured & set(hidden)


@pytest.mark.guarantee("G25")
def test_a_model_and_a_catalogue_of_two_feature_spaces_are_refused(catalogue: MemoryCatalogue, eye: Eye) -> None:
    with pytest.raises(FeatureSpaceError):
        Recognizer(catalogue, eye=replace(eye, feature_space=bytes(32)))


@pytest.mark.guarantee("G23")
def test_the_same_picture_gives_the_same_answer_bit_for_bit_in_any_thread(recognizer: Recognizer) -> None:
    pictures = [photo(package(number), number) for number in range(3)]
    expected = [_essence(recognizer.identify(picture)) for picture in pictures]
    wrong: list[int] = []

    def work() -> None:
        for number, picture in enumerate(pictures):
            if _essence(recognizer.identify(picture)) != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _essence(recognition: object) -> object:
    return (
        recognition.decision,  # type: ignore[attr-defined]
        [
            (c.sku, c.probability, c.evidence, None if c.outline is None else c.outline.tobytes())
            for c in recognition.candidates  # type: ignore[attr-defined]
        ],
    )


class SwitchingStore(Store):
    """A store in memory, whose live generation a test sets."""

    def __init__(self, live: MemoryCatalogue) -> None:
        self.live = live
        self.opened = 0

    def is_current(self, generation: object) -> bool:
        return generation is self.live

    def open_generation(self, number: int | None = None) -> MemoryCatalogue:  # type: ignore[override]
        self.opened += 1
        return self.live


@pytest.mark.guarantee("G2")
def test_after_an_activation_the_next_scan_is_answered_by_the_new_generation(
    released_model: Model, references: list[Reference]
) -> None:
    first, second = MemoryCatalogue(released_model, references[:7]), MemoryCatalogue(released_model, references[7:])
    first.number, second.number = 1, 2
    store = SwitchingStore(first)
    with Recognizer.open(store) as recognizer:
        eye = recognizer.eye
        before = recognizer.identify(photo(package(2)))
        store.live = second
        after = recognizer.identify(photo(package(2)))
        recognizer.identify(photo(package(2)))
    assert (before.generation, before.candidates[0].sku) == (1, SKUS[2])
    assert after.generation == 2
    assert {candidate.sku for candidate in after.candidates} == set(SKUS[7:])
    assert store.opened == 2  # once for each generation, not for each scan
    assert recognizer.eye is eye  # one model, opened once


@pytest.mark.guarantee("G11")
def test_after_a_repair_the_generation_is_opened_again_though_its_number_stays(
    released_model: Model, references: list[Reference]
) -> None:
    store = SwitchingStore(DamagedCatalogue(released_model, references[:3]))
    with Recognizer.open(store) as recognizer:
        before = recognizer.identify(photo(package(0)))
        store.live = MemoryCatalogue(released_model, references[:3])
        after = recognizer.identify(photo(package(0)))
    assert before.generation == after.generation
    assert before.damaged == (SKUS[0],)
    assert after.damaged == ()
    assert after.candidates[0].sku == SKUS[0]
