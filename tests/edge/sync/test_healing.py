"""The disk budget and damage, in a whole sync: what is refused, what is fetched again, and who is told."""

import json
from dataclasses import replace

import pytest

from skuscan.doctor import examine
from skuscan.runtime import RuntimeOptions
from skuscan.store import Store
from skuscan.store.budget import DEFAULT_BYTES, RESERVE_BYTES
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
    assert sync_once(synced, options, pass_probes).state == "unchanged"
    assert blob.read_bytes() == good


@pytest.mark.guarantee("G11")
def test_blobs_and_what_was_made_of_them_are_healed_together(synced, options):
    blob, table = largest_blob(synced), synced.folder(1) / "base/reference.table"
    blob.write_bytes(b"damaged")
    table.write_bytes(b"damaged")
    assert heal(synced, options).lost == []
    assert synced.open_generation().state_digest() == synced.open_generation().manifest.state_digest
    assert not synced.open_generation().degraded


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
