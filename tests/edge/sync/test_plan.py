"""Which files to fetch: rules without any IO."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.proto.bundle_pb2 import AnnoyRef, Manifest, ModelArtifact, Probe, SegmentRef
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.sync.plan import IndexRules, plan_displays, plan_sync, takes_part

RULES = IndexRules("auto", annoy_installed=True, build_items=1_000)


def ref(number: int) -> FileRef:
    return FileRef(sha256=number.to_bytes(32, "big"), length=10 + number)


def manifest(base: list[int], deltas: list[int], items: int = 100) -> Manifest:
    return Manifest(
        base_segments=[SegmentRef(file=ref(n)) for n in base],
        delta_segments=[SegmentRef(file=ref(n)) for n in deltas],
        annoy=AnnoyRef(file=ref(900), references=items),
        probes=[Probe(picture=ref(800))],
    )


MODEL = ModelArtifact(backbone=ref(700), head=ref(701))
ALWAYS = [800, 700, 701]  # probe, network, head


def fetched(plan) -> list[int]:
    return sorted(int.from_bytes(file.sha256, "big") for file in plan.files)


def present(*numbers: int):
    held = {ref(n).sha256 for n in numbers}
    return lambda file: file.sha256 in held


def test_a_new_device_fetches_everything_but_the_index():
    plan = plan_sync(manifest([1, 2], [3]), MODEL, present(), RULES)
    assert fetched(plan) == sorted([1, 2, 3, *ALWAYS])
    assert plan.index == "build"
    assert plan.total_bytes == sum(ref(n).length for n in [1, 2, 3, *ALWAYS])


@pytest.mark.guarantee("G7")
def test_a_device_that_followed_fetches_the_new_delta_alone():
    assert fetched(plan_sync(manifest([1, 2], [3, 4]), MODEL, present(1, 2, 3, *ALWAYS), RULES)) == [4]


def test_after_a_compaction_only_changed_ranges_are_fetched():
    assert fetched(plan_sync(manifest([1, 5], []), MODEL, present(1, 2, 3, 4, *ALWAYS), RULES)) == [5]


def test_a_delta_that_is_named_twice_is_fetched_once():
    assert fetched(plan_sync(manifest([1], [3, 4, 3]), MODEL, present(*ALWAYS), RULES)) == [1, 3, 4]


def test_a_device_that_has_all_fetches_nothing():
    plan = plan_sync(manifest([1], [2]), MODEL, present(1, 2, *ALWAYS), RULES)
    assert (plan.files, plan.total_bytes) == ((), 0)


@pytest.mark.parametrize(
    ("policy", "installed", "items", "held", "source"),
    [
        ("auto", True, 1_000, False, "build"),
        ("auto", True, 1_001, False, "download"),
        ("download", True, 10, False, "download"),
        ("build", True, 9_999, False, "build"),
        ("auto", True, 10, True, "held"),
        ("download", True, 10, True, "held"),
        ("download", False, 10, False, "none"),
        ("build", False, 10, False, "none"),
    ],
)
def test_where_the_index_comes_from(policy, installed, items, held, source):
    here = present(*ALWAYS, 1, *([900] if held else []))
    plan = plan_sync(manifest([1], [], items), MODEL, here, IndexRules(policy, installed, 1_000))
    assert plan.index == source
    assert fetched(plan) == ([900] if source == "download" else [])


def test_a_manifest_without_an_index_needs_none():
    target = manifest([1], [])
    target.ClearField("annoy")
    assert plan_sync(target, MODEL, present(), RULES).index == "none"


@given(st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)), st.sets(st.integers(1, 40)))
def test_what_is_here_and_what_is_fetched_is_what_was_named(base, deltas, held):
    target = manifest(sorted(base), sorted(deltas - base))
    got = fetched(plan_sync(target, MODEL, present(*held), RULES))
    assert set(got) == {*base, *deltas, *ALWAYS} - held
    assert len(got) == len(set(got))


def test_display_pictures_are_fetched_once_each():
    assert plan_displays([ref(1), ref(1), ref(2)], present(2)) == (ref(1),)


def test_a_rollout_reaches_its_share_and_the_same_devices_each_time():
    devices = [f"device-{number}" for number in range(2_000)]
    first = {device for device in devices if takes_part(device, 7, 10)}
    wider = {device for device in devices if takes_part(device, 7, 50)}
    assert 140 < len(first) < 260
    assert first < wider


@given(st.text(), st.integers(1, 2**40))
def test_nobody_takes_part_in_a_stopped_rollout_and_everybody_in_a_full_one(device, generation):
    assert not takes_part(device, generation, 0)
    assert takes_part(device, generation, 100)


def test_each_generation_draws_anew():
    drawn = next(n for n in count() if takes_part(f"device-{n}", 7, 10))
    assert any(not takes_part(f"device-{drawn}", generation, 10) for generation in range(8, 100))
