"""A whole sync, against a real repository, a real server and a real store."""

import json
import logging
from dataclasses import replace

import pytest

from skuscan.errors import ModelError, NetworkError, StoreError, TrustError
from skuscan.layered_index import LayeredIndex
from skuscan.store import Store
from skuscan.sync import sync_once
from skuscan.sync.plan import takes_part

SKUS = tuple(f"sku-{number:03}" for number in range(20))


@pytest.fixture
def synced(site, server, store, options, pass_probes) -> Store:
    """A device that has the first generation."""
    site.publish_base(*SKUS)
    assert sync_once(store, options, pass_probes).state == "activated"
    server.requests.clear()
    server.sent = 0
    return store


def live_skus(store: Store) -> set[str]:
    return {product.sku for product in store.open_generation().products()}


def reports(server) -> list[dict]:
    return [json.loads(request.body) for request in server.requests if request.method == "POST"]


def test_a_new_device_reaches_what_was_published(site, server, store, options, pass_probes):
    site.publish_base(*SKUS, displays=True)
    result = sync_once(store, options, pass_probes)
    assert (result.state, result.generation) == ("activated", 1)
    assert live_skus(store) == set(SKUS)
    assert result.bytes_metadata > 0
    assert result.bytes_records > len(SKUS) * 4_000
    assert result.bytes_display == sum(len(f"picture of {sku}") for sku in SKUS)


def test_no_news_is_two_small_requests(synced, server, options, pass_probes):
    result = sync_once(synced, options, pass_probes)
    assert (result.state, result.generation, result.bytes_records, result.bytes_display) == ("unchanged", 1, 0, 0)
    assert len(server.requests) == 2
    assert result.bytes_metadata < 1_000


def test_a_price_change_moves_a_few_kilobytes(synced, site, options, pass_probes):
    site.publish_delta(SKUS[0], price=99)
    result = sync_once(synced, options, pass_probes)
    assert synced.open_generation().product(SKUS[0]).attributes["price"].money.minor_units == 99
    assert result.bytes_records < 300
    assert result.bytes_metadata < 6_000


@pytest.mark.guarantee("G7")
def test_deltas_and_a_full_sync_come_to_the_same_state(synced, site, tmp_path, identity, options, pass_probes, server):
    for step in range(3):
        site.publish_delta(f"new-{step}", SKUS[step], price=step, withdrawn=(SKUS[10 + step],))
        sync_once(synced, options, pass_probes)
    fresh = Store.create(tmp_path / "fresh", identity)
    sync_once(fresh, options, pass_probes)
    assert fresh.open_generation().state_digest() == synced.open_generation().state_digest()
    assert live_skus(fresh) == live_skus(synced) == set(site_skus(site))


def site_skus(site) -> set[str]:
    return {key for _, key in site.state if "\x1f" not in key}


def test_a_device_that_missed_generations_takes_the_last(synced, site, options, pass_probes):
    for number in range(3):
        site.publish_delta(f"new-{number}")
    assert sync_once(synced, options, pass_probes).generation == 4


def test_after_a_compaction_the_old_files_are_removed(synced, site, options, pass_probes):
    for _ in range(2):
        site.publish_delta("new")
        site.publish_base()
        sync_once(synced, options, pass_probes)
    blobs = {path.name for path in synced.blobs.files()}
    needed = {ref.sha256.hex() for n in (3, 5) for ref in synced.open_generation(n).files()}
    assert blobs == needed


@pytest.mark.guarantee("G10")
def test_with_the_server_gone_the_catalogue_stays_and_its_age_is_said(synced, server, options, pass_probes):
    server.misbehave(".", lambda handler, data: None)
    with pytest.raises(NetworkError):
        sync_once(synced, options, pass_probes)
    assert live_skus(synced) == set(SKUS)
    assert synced.status().age_s >= 0
    assert synced.status().created_unix_ms > 0


@pytest.mark.guarantee("G3")
def test_an_older_publication_is_not_activated_even_when_metadata_was_lost(
    synced, site, server, clock, options, pass_probes
):
    old = (site.repository.metadata / "timestamp.json").read_bytes()
    clock.forward(minutes=1)
    site.publish_delta("new")
    sync_once(synced, options, pass_probes)
    for path in (synced.path / "tuf").glob("*"):
        if path.is_file():
            path.unlink()
    server.overlay["/tuf/default/metadata/timestamp.json"] = old
    with pytest.raises(TrustError, match="an update is of generation 2 or later"):
        sync_once(synced, options, pass_probes)
    assert synced.current() == 2


@pytest.mark.guarantee("G4")
def test_a_manifest_that_is_not_the_signed_one_is_never_opened(synced, site, server, options, pass_probes):
    site.publish_delta("new")
    for path in site.repository.targets.glob("*.manifest"):
        server.overlay[f"/tuf/default/targets/{path.name}"] = bytes(path.stat().st_size)
    with pytest.raises(TrustError, match="SHA-256 that was signed"):
        sync_once(synced, options, pass_probes)
    assert synced.current() == 1


def test_a_manifest_of_another_generation_than_signed_beside_it_is_refused(
    synced, site, options, pass_probes, monkeypatch
):
    site.generation = 1
    monkeypatch.setattr(site.repository, "_checked_generation", lambda manifest: 9)
    site.publish_delta("new")
    with pytest.raises(TrustError, match="the generation that is signed beside it"):
        sync_once(synced, options, pass_probes)


@pytest.mark.guarantee("G5")
def test_a_state_that_is_not_the_signed_one_is_rejected_and_not_tried_again(synced, site, server, options, pass_probes):
    site.publish_delta("new")
    site.publish(state_digest=bytes(32))
    result = sync_once(synced, options, pass_probes)
    assert (result.state, result.generation) == ("rejected", 1)
    assert reports(server)[-1] == {
        **reports(server)[-1],
        "state": "rejected",
        "generation": "1",
        "rejected_generation": "3",
    }
    server.requests.clear()
    again = sync_once(synced, options, pass_probes)
    assert (again.state, again.generation) == ("unchanged", 1)
    assert "generation 3 was rejected before" in again.reason
    assert len(server.requests) == 2


@pytest.mark.guarantee("G6")
def test_a_generation_that_fails_its_probes_is_left_and_the_next_one_taken(synced, site, server, options, pass_probes):
    def fail(generation) -> None:
        raise ModelError("a probe finds its own SKU", "another")

    site.publish_delta("new")
    result = sync_once(synced, options, fail)
    assert (result.state, result.generation) == ("rejected", 1)
    assert "a probe finds its own SKU" in result.reason
    assert reports(server)[-1]["state"] == "rejected"
    assert "a probe finds its own SKU" in reports(server)[-1]["reason"]
    site.publish_delta("newer")
    assert sync_once(synced, options, pass_probes).generation == 3


@pytest.mark.guarantee("G11")
def test_a_damaged_blob_is_fetched_again_when_it_is_needed(synced, site, options, pass_probes):
    old_base = max(synced.blobs.files(), key=lambda path: path.stat().st_size)
    old_base.write_bytes(bytes(old_base.stat().st_size))
    site.publish_delta("new")
    (synced.path / "generations" / "1" / "base" / "reference.table").unlink()  # nothing to link from
    assert sync_once(synced, options, pass_probes).state == "activated"
    assert live_skus(synced) == {*SKUS, "new"}


@pytest.mark.guarantee("G8")
def test_a_sync_that_was_cut_goes_on_where_it_was(site, server, store, options, pass_probes, faults):
    site.publish_base(*SKUS)
    server.misbehave("/blobs/", faults.cut_after(9_000), times=4)
    server.misbehave("/blobs/", faults.status(404))
    with pytest.raises(NetworkError):
        sync_once(store, options, pass_probes)
    first = server.sent
    server.faults.clear()
    sync_once(store, options, pass_probes)
    everything = sum(path.stat().st_size for path in store.blobs.files())
    assert server.sent - first < everything
    assert live_skus(store) == set(SKUS)


def test_display_pictures_that_did_not_come_are_fetched_at_the_next_sync(
    site, server, store, options, pass_probes, faults
):
    site.publish_base(*SKUS, displays=True)
    picture = store.blobs.path(site.blobs.put(f"picture of {SKUS[3]}".encode())).name
    server.misbehave(picture, faults.status(404))
    assert sync_once(store, options, pass_probes).state == "activated"
    assert store.open_generation().display_file(SKUS[3]) is None
    server.faults.clear()
    result = sync_once(store, options, pass_probes)
    assert result.state == "unchanged"
    assert result.bytes_display > 0
    assert store.open_generation().display_file(SKUS[3]).read_bytes() == f"picture of {SKUS[3]}".encode()


def test_a_rollout_reaches_a_device_when_its_share_is_wide_enough(synced, site, options, pass_probes):
    site.rollout_percent = 0
    site.publish_delta("new")
    waiting = sync_once(synced, options, pass_probes)
    assert (waiting.state, waiting.generation) == ("unchanged", 1)
    assert "waits for its share" in waiting.reason
    site.rollout_percent = next(share for share in range(101) if takes_part("kiosk-1", 3, share))
    site.publish()
    assert sync_once(synced, options, pass_probes).generation == 3


def test_a_device_with_nothing_takes_part_in_any_rollout(site, server, store, options, pass_probes):
    site.rollout_percent = 0
    site.publish_base(*SKUS)
    assert sync_once(store, options, pass_probes).state == "activated"


@pytest.mark.parametrize(("policy", "files"), [("build", 0), ("download", 1), ("auto", 0)])
def test_the_index_is_built_or_fetched_as_the_policy_says(site, server, store, options, pass_probes, policy, files):
    site.annoy = True
    manifest = site.publish_base(*SKUS)
    result = sync_once(store, replace(options, index_policy=policy), pass_probes)
    assert result.state == "activated"
    name = manifest.annoy.file.sha256.hex()
    assert sum(name in path for path in server.paths()) == files
    generation = store.open_generation()
    assert LayeredIndex.open(generation).name == "annoy"
    assert generation.annoy_file.read_bytes() == site.blobs.read(manifest.annoy.file)


def test_without_annoy_no_index_moves(site, server, store, options, pass_probes, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    site.annoy = True
    site.publish_base(*SKUS)
    assert sync_once(store, options, pass_probes).state == "activated"
    assert store.open_generation().annoy_file is None


def test_an_index_that_cannot_be_built_costs_no_generation(
    synced, site, server, options, pass_probes, monkeypatch, tmp_path
):
    monkeypatch.setattr("skuscan.sync.index_build._CHILD", "raise SystemExit('no memory')")
    site.annoy = True
    site.publish_base(*SKUS, "new")
    with pytest.raises(StoreError, match="the index can be built here; received no memory"):
        sync_once(synced, options, pass_probes)
    assert synced.current() == 1
    assert synced.rejected() == {}


def test_a_server_that_cannot_be_told_is_no_failure(synced, site, server, options, pass_probes, caplog):
    server.api = lambda path, body: (500, b"")
    site.publish_delta("new")
    with caplog.at_level(logging.WARNING):
        assert sync_once(synced, options, pass_probes).state == "activated"
    assert "the server was not told" in caplog.text


def test_the_server_is_told_what_is_live(synced, site, server, options, pass_probes):
    site.publish_delta("new")
    sync_once(synced, options, pass_probes)
    (post,) = [request for request in server.requests if request.method == "POST"]
    assert post.path == "/api/v1/devices/me/report"
    assert post.headers["Authorization"] == "Bearer secret"
    report = json.loads(post.body)
    assert (report["generation"], report["state"]) == ("2", "live")
    assert report["version"]
    assert report["runtime"].startswith(("ai-edge-litert ", "tflite-runtime "))


def test_two_syncs_at_once_are_one(synced, options, pass_probes, monkeypatch):
    monkeypatch.setattr("skuscan.store.store.LOCK_PATIENCE", 0.0)
    with synced.lock, pytest.raises(StoreError, match="one process writes"):
        sync_once(Store.open(synced.path), options, pass_probes)


def test_progress_is_told(site, server, store, options, pass_probes):
    site.publish_base(*SKUS)
    said: list[tuple[int, int]] = []
    sync_once(store, options, pass_probes, lambda done, total: said.append((done, total)))
    assert any(done == total > 80_000 for done, total in said)


def test_what_a_killed_sync_left_is_removed(synced, options, pass_probes):
    left = synced.path / "tmp" / "tuf-killed"
    left.mkdir()
    (left / "root.json").write_text("{}")
    sync_once(synced, options, pass_probes)
    assert not left.exists()
