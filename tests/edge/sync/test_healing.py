"""The disk budget and damage, in a whole sync: what is refused, what is fetched again, and who is told."""

import json
from dataclasses import replace

import pytest

from skuscan.doctor import examine
from skuscan.errors import SkuscanError
from skuscan.runtime import RuntimeOptions
from skuscan.store import Store
from skuscan.store.budget import DEFAULT_BYTES, RESERVE_BYTES
from skuscan.store.generation import CONTENTS_FILE
from skuscan.store.room import used_bytes
from skuscan.sync import sync_once
from skuscan.sync.agent import heal

SKUS = tuple(f"sku-{number:03}" for number in range(20))


@pytest.fixture
def synced(site, server, store, options, pass_probes) -> Store:
    """A device that has the first generation, display pictures and all."""
    site.publish_base(*SKUS, displays=True)
    assert sync_once(store, options, pass_probes).state == "activated"
    server.requests.clear()
    return store


def largest_blob(store: Store):
    return max(store.blobs.files(), key=lambda path: path.stat().st_size)


def told(server) -> list[dict]:
    return [json.loads(request.body) for request in server.requests if request.method == "POST"]


@pytest.mark.guarantee("G9")
def test_an_update_over_the_budget_is_refused_before_it_is_fetched_and_told_once(
    synced, site, server, options, pass_probes
):
    site.publish_base(*(f"new-{number}" for number in range(50)))
    tight = replace(options, disk_budget=RESERVE_BYTES + used_bytes(synced) + 100_000)
    result = sync_once(synced, tight, pass_probes)
    assert (result.state, result.generation, result.bytes_records) == ("rejected", 1, 0)
    assert "disk budget" in result.reason
    assert [event["event"] for event in synced.journal.last(1)] == ["refused"]
    assert used_bytes(synced) <= tight.disk_budget
    (report,) = told(server)
    assert (report["state"], report["rejected_generation"], report["reason"]) == ("rejected", "2", result.reason)

    again = sync_once(synced, options, pass_probes)
    assert (again.state, again.reason) == ("unchanged", result.reason)
    assert len(told(server)) == 1
    assert sync_once(synced, replace(options, disk_budget=DEFAULT_BYTES), pass_probes).state == "activated"


@pytest.mark.guarantee("G9")
def test_display_pictures_are_fetched_as_far_as_the_budget_goes(site, server, store, options, pass_probes):
    site.publish_base(*SKUS)
    sync_once(store, options, pass_probes)
    site.publish_base(*SKUS, displays=True)
    folder = sum(ref.length for ref in store.open_generation().contents.files.values())
    room = RESERVE_BYTES + used_bytes(store) + 5 * folder
    result = sync_once(store, replace(options, disk_budget=room), pass_probes)
    assert result.state == "activated"
    assert used_bytes(store) <= room


@pytest.mark.guarantee("G11")
def test_what_a_sweep_took_out_comes_back_with_the_next_sync_though_nothing_is_new(synced, options, pass_probes):
    blob = largest_blob(synced)
    good = blob.read_bytes()
    blob.write_bytes(bytes(len(good)))
    assert len(synced.sweep().lost) == 1
    assert not blob.exists()
    result = sync_once(synced, options, pass_probes)
    assert (result.state, result.bytes_records) == ("unchanged", len(good))
    assert blob.read_bytes() == good


@pytest.mark.guarantee("G11")
def test_a_lost_file_of_both_generations_is_fetched_once(synced, site, server, options, pass_probes):
    site.publish_delta("new")
    assert sync_once(synced, options, pass_probes).state == "activated"
    blob = largest_blob(synced)  # of the base
    good = blob.read_bytes()
    blob.unlink()
    assert [ref.length for ref in synced.lost()] == [len(good)]
    result = sync_once(synced, options, pass_probes)
    assert (result.state, result.bytes_records) == ("unchanged", len(good))


@pytest.mark.guarantee("G11")
def test_a_display_picture_that_a_sweep_took_out_comes_back_with_the_next_sync(synced, options, pass_probes):
    picture = synced.open_generation().display_file(SKUS[0])
    spoil(picture)
    assert len(synced.sweep().lost) == 1
    assert not picture.exists()
    assert sync_once(synced, options, pass_probes).bytes_display == picture.stat().st_size
    assert synced.open_generation().display_file(SKUS[0]) == picture


@pytest.mark.guarantee("G11")
def test_blobs_and_what_was_made_of_them_are_healed_together(synced, options):
    blob, table = largest_blob(synced), synced.folder(1) / "base/reference.table"
    blob.write_bytes(b"damaged")
    table.write_bytes(b"damaged")
    assert heal(synced, options).lost == []
    assert synced.open_generation().state_digest() == synced.open_generation().manifest.state_digest
    assert not synced.open_generation().degraded


def spoil(path) -> None:
    """Bytes that are damaged and as many as before: no look at a length finds it."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x40
    path.write_bytes(data)


@pytest.mark.guarantee("G11", "G15")
@pytest.mark.parametrize("generations", [1, 2])
def test_a_sync_without_news_repairs_what_keeps_everything_from_opening(
    generations, synced, site, options, pass_probes
):
    if generations == 2:
        site.publish_delta(SKUS[0], price=7)
        sync_once(synced, options, pass_probes)
    live = synced.open_generation()
    spoil(synced.blobs.path(live.model.artifact.head))  # the generation before has the same
    spoil(live.folder / CONTENTS_FILE)
    with pytest.raises(SkuscanError):
        synced.open_generation()
    assert sync_once(synced, options, pass_probes).state == "unchanged"
    again = Store.open(synced.path).open_generation()
    assert (again.number, again.degraded) == (generations, "")


@pytest.mark.guarantee("G11", "G15")
def test_a_sync_without_news_makes_live_again_what_is_damaged_beyond_repair_here(synced, site, options, pass_probes):
    site.publish_delta(SKUS[0], price=7)
    sync_once(synced, options, pass_probes)
    live = synced.open_generation()
    spoil(synced.blobs.path(live.manifest.delta_segments[0].file))
    spoil(live.folder / CONTENTS_FILE)
    result = sync_once(synced, options, pass_probes)
    assert (result.state, result.generation) == ("activated", 2)
    assert not synced.open_generation().degraded


@pytest.mark.guarantee("G11")
def test_what_is_live_is_repaired_while_an_update_waits(synced, site, options, pass_probes):
    site.rollout_percent = 0
    site.publish_delta(SKUS[0], price=7)
    synced.blobs.remove(synced.open_generation().model.artifact.head)
    result = sync_once(synced, options, pass_probes)
    assert "waits" in result.reason
    assert synced.lost() == []


@pytest.fixture
def with_index(site, store, options, pass_probes):
    """A device with a search index from where a policy says, and the options of that policy."""

    def sync(policy: str):
        site.annoy = True
        site.publish_base(*SKUS)
        chosen = replace(options, index_policy=policy)
        sync_once(store, chosen, pass_probes)
        return store, chosen

    return sync


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize("policy", ["build", "download"])
@pytest.mark.parametrize("harm", [spoil, lambda path: path.unlink()], ids=["damaged", "lost"])
@pytest.mark.parametrize("way", ["sync", "swept", "healed"])
def test_a_search_index_comes_back_and_meanwhile_the_exact_search_says_so(policy, harm, way, with_index, pass_probes):
    store, options = with_index(policy)
    index = store.open_generation().annoy_file
    good = index.read_bytes()
    harm(index)
    reader = Store.open(store.path)
    without = reader.open_generation()
    assert without.annoy_file is None
    assert "searching exactly" in reader.status().degraded
    if way == "swept":
        assert store.sweep().lost == []
    if way == "healed":
        assert "is back" in " ".join(heal(store, options).done)
    else:
        assert sync_once(store, options, pass_probes).state == "unchanged"
    assert not reader.is_current(without), "readers of other processes take it"
    healed = reader.open_generation()
    assert healed.annoy_file.read_bytes() == good
    assert healed.index_origin == {"build": "local", "download": "published"}[policy]
    assert not healed.degraded


def test_an_index_that_does_not_come_back_fails_no_sync(with_index, server, pass_probes):
    store, options = with_index("download")
    store.open_generation().annoy_file.unlink()
    server.misbehave("/blobs/", lambda handler, data: handler.answer(404, b""))
    assert sync_once(store, options, pass_probes).state == "unchanged"
    index = next(finding for finding in examine(store.path, RuntimeOptions(), options) if finding.check == "index")
    assert (index.state, index.text) == ("warning", "exact search: the index is damaged or lost")


@pytest.mark.guarantee("G11")
def test_the_doctor_repairs_from_the_server_and_says_so(synced, options):
    largest_blob(synced).write_bytes(b"damaged")
    files = next(finding for finding in examine(synced.path, RuntimeOptions(), options) if finding.check == "files")
    assert files.state == "warning"
    assert "damage was repaired" in files.text
    assert synced.lost() == []
    files = next(finding for finding in examine(synced.path, RuntimeOptions(), options) if finding.check == "files")
    assert files.state == "ok"


@pytest.mark.guarantee("G10", "G11")
def test_without_a_server_the_doctor_names_what_is_missing(synced, server, options):
    server.misbehave("/blobs/", lambda handler, data: handler.answer(404, b""))
    largest_blob(synced).write_bytes(b"damaged")
    files = next(finding for finding in examine(synced.path, RuntimeOptions(), options) if finding.check == "files")
    assert (files.state, files.text) == ("failure", "1 damaged files are missing")
    assert synced.open_generation().number == 1
