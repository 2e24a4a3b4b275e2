"""What may go live, and which search index goes with it."""

import subprocess
import sys

import numpy as np
import pytest

from skuscan.bundle.manifest import serialize_manifest
from skuscan.errors import BundleError, FeatureSpaceError, PictureError, StoreError
from skuscan.model import file_ref
from skuscan.store import Store


def wrong_answer(generation):
    raise PictureError("a probe answers its SKU", "another one")


@pytest.mark.guarantee("G6")
def test_a_generation_that_fails_its_probes_is_rejected_and_not_tried_again(two, pass_probes):
    store, second = two
    with pytest.raises(StoreError, match="answers its probes"):
        store.activate(second.deliver(store), wrong_answer)
    assert store.current() == 1
    assert "another one" in store.rejected()[2]
    assert not store.folder(2).exists()
    with pytest.raises(StoreError, match="not tried again"):
        second.deliver(store)
    assert [event["event"] for event in store.status().journal] == ["live", "rejected"]


@pytest.mark.guarantee("G6")
def test_a_later_generation_is_tried_after_a_rejected_one(two, publisher, pass_probes):
    store, second = two
    with pytest.raises(StoreError):
        store.activate(second.deliver(store), wrong_answer)
    store.activate(publisher.publish().deliver(store), pass_probes)
    assert store.current() == 3
    assert store.rejected() == {}


@pytest.mark.guarantee("G6")
def test_two_crashes_on_trial_reject_a_generation(two, pass_probes):
    store, second = two
    number = second.deliver(store)
    script = (
        "import os, sys; from skuscan.store import Store; s = Store.open(sys.argv[1]); "
        f"s.activate({number}, lambda g: os.abort())"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, str(store.path)], stderr=subprocess.DEVNULL, check=False)
        assert store.current() == 1
    with pytest.raises(StoreError, match="not tried again"):
        store.activate(number, pass_probes)
    assert store.open_generation().number == 1


def test_one_crash_on_trial_is_forgiven(two, pass_probes):
    store, second = two
    (store.path / "trial" / "2.1234.aa").touch()
    store.activate(second.deliver(store), pass_probes)
    assert store.current() == 2
    assert not list((store.path / "trial").iterdir())


def test_damage_found_on_trial_does_not_reject_the_generation(two, pass_probes):
    store, second = two

    def meets_a_bad_sector(generation):
        raise StoreError("the disk works", "a bad sector")

    with pytest.raises(StoreError, match="bad sector"):
        store.activate(second.deliver(store), meets_a_bad_sector)
    assert store.rejected() == {}
    store.activate(second.deliver(store), pass_probes)
    assert store.current() == 2


@pytest.mark.guarantee("G3")
def test_a_generation_below_the_floor_is_refused(two, pass_probes):
    store, second = two
    first = store.open_generation()
    manifest, model = store.blobs.read(first.contents.name.manifest), store.blobs.read(first.contents.name.model)
    store.activate(second.deliver(store), pass_probes)
    with pytest.raises(StoreError, match="never goes back"):
        store.prepare(manifest, model)
    with pytest.raises(StoreError, match="never goes back"):
        store.activate(1, pass_probes)
    assert store.current() == 2


@pytest.mark.guarantee("G5")
def test_another_state_than_the_signed_one_does_not_go_live(two):
    store, second = two
    second.manifest.state_digest = bytes(32)
    with pytest.raises(BundleError, match="equals what was published"):
        second.deliver(store)
    assert store.current() == 1
    assert 2 in store.rejected()


@pytest.mark.guarantee("G5")
def test_other_counts_than_the_signed_ones_do_not_go_live(two):
    store, second = two
    second.manifest.products -= 1
    with pytest.raises(BundleError, match="products"):
        second.deliver(store)


@pytest.mark.guarantee("G25")
def test_references_of_another_feature_space_are_refused_by_name(two):
    store, second = two
    second.manifest.feature_space = bytes(32)
    with pytest.raises(FeatureSpaceError, match="one feature space"):
        second.deliver(store)
    assert store.current() == 1


@pytest.mark.guarantee("G4")
def test_another_assortment_is_refused(two):
    store, second = two
    second.manifest.assortment = "other"
    with pytest.raises(BundleError, match="follows default"):
        second.deliver(store)
    assert store.rejected() == {}


@pytest.mark.guarantee("G4")
def test_another_model_than_the_signed_one_is_refused(two):
    store, second = two
    for blob in second.blobs:
        store.blobs.put(blob)
    with pytest.raises(BundleError, match="model"):
        store.prepare(serialize_manifest(second.manifest), second.model + b"\x00")


def test_a_missing_blob_is_said_and_does_not_reject(two):
    store, second = two
    store.blobs.remove(second.manifest.base_segments[0].file)
    second.blobs = [blob for blob in second.blobs if file_ref(blob) != second.manifest.base_segments[0].file]
    with pytest.raises(StoreError, match="1 are missing"):
        second.deliver(store)
    assert store.rejected() == {}


def test_preparing_twice_builds_once(two, pass_probes):
    store, second = two
    second.deliver(store)
    made = (store.folder(2) / "contents.json").stat().st_ino
    second.deliver(store)
    assert (store.folder(2) / "contents.json").stat().st_ino == made


def test_one_process_writes_at_a_time(two, monkeypatch):
    store, second = two
    monkeypatch.setattr("skuscan.store.store.LOCK_PATIENCE", 0.0)
    with store.lock, pytest.raises(StoreError, match="one process writes"):
        second.deliver(Store.open(store.path))
    assert second.deliver(store) == 2


def test_the_published_index_is_used_where_it_was_fetched(two):
    store, _ = two
    generation = store.open_generation()
    assert generation.annoy_file.read_bytes() == b"an index"
    assert generation.index_origin == "published"


def test_an_index_built_here_is_used_and_kept_while_the_base_stays(two, pass_probes, publisher):
    store, second = two

    def build(rows, path, most_bytes):
        path.write_bytes(np.load(rows).tobytes())

    for blob in second.blobs:
        store.blobs.put(blob)
    store.activate(store.prepare(serialize_manifest(second.manifest), second.model, build), pass_probes)
    generation = store.open_generation()
    assert generation.annoy_file.read_bytes() == generation.base_embeddings.tobytes()
    assert generation.index_origin == "local"
    third = publisher.publish()
    third.deliver(store)

    def build_again(rows, path, most_bytes):
        raise AssertionError("the base did not change")

    store.disk.remove_folder(store.folder(3))
    store.activate(store.prepare(serialize_manifest(third.manifest), third.model, build_again), pass_probes)
    assert store.folder(3).joinpath("base/index.annoy").samefile(store.folder(2) / "base/index.annoy")


def test_a_damaged_index_is_not_used_and_is_named(two, flip):
    pytest.importorskip("annoy")
    store, _ = two
    flip(store.open_generation().annoy_file)
    generation = store.open_generation()
    assert generation.annoy_file is None
    assert "searching exactly" in generation.degraded
