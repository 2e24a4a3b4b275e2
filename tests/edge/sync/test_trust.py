"""Attacks on the metadata, as tests. The repository is made by the server's own code; the attacker is the network or a
mirror."""

import shutil
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.sync.repository_format import SIGNED_AT_FIELD
from skuscan.sync.trust import TrustedMetadata
from tools.fault_bench.disks import Killed, KilledDisk

SKUS = ("a", "b", "c")


def snapshot_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_back(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_a_refresh_gives_manifest_model_and_generation(site, server, trust):
    manifest = site.publish_base(*SKUS)
    trusted = trust.refresh()
    assert trusted.generation == 1
    assert trusted.model.sha256 == manifest.model_sha256
    assert (site.repository.targets / f"{trusted.manifest.sha256.hex()}.manifest").stat().st_size == (
        trusted.manifest.length
    )


def test_no_news_costs_two_requests_and_writes_nothing(published, server, trust, tmp_path, transport):
    written = {path: path.stat().st_ino for path in (tmp_path / "tuf").rglob("*")}
    server.requests.clear()
    received = transport.received
    trust.refresh()
    assert len(server.requests) == 2
    assert transport.received - received < 1_000  # bytes
    assert {path: path.stat().st_ino for path in (tmp_path / "tuf").rglob("*")} == written


def test_a_new_publication_costs_a_few_kilobytes(published, trust, transport):
    published.publish_delta("d")
    received = transport.received
    assert trust.refresh().generation == 2
    assert transport.received - received < 4_096  # bytes


def test_before_the_first_publication_the_device_is_told_so(site, server, trust):
    with pytest.raises(NetworkError, match="nothing is published yet"):
        trust.refresh()


@pytest.mark.guarantee("G4")
def test_another_root_than_the_tokens_is_refused(other_site, site, server, trust):
    site.publish_base(*SKUS)
    first = (other_site.repository.metadata / "1.root.json").read_bytes()
    server.overlay[f"/tuf/{site.assortment}/metadata/1.root.json"] = first
    with pytest.raises(TrustError, match="SHA-256 of the enrolment token"):
        trust.refresh()


@pytest.mark.guarantee("G4")
def test_another_assortments_root_as_the_next_version_is_refused(published, other_site, server, trust, tmp_path):
    """Both roots are signed by the retailer's root keys: plain TUF accepts it, and all that follows."""
    other_site.publish_base("x")
    other_site.repository.set_days("root", 365)
    server.root = other_site.folder
    for path in other_site.repository.metadata.iterdir():
        server.overlay[f"/tuf/default/metadata/{path.name}"] = path.read_bytes()
    before = snapshot_of(tmp_path / "tuf")
    with pytest.raises(TrustError, match="the root is that of the assortment default; received other"):
        trust.refresh()
    assert snapshot_of(tmp_path / "tuf") == before


@pytest.mark.guarantee("G4")
def test_metadata_of_another_assortment_is_refused(published, other_site, server, trust):
    other_site.publish_base("x")
    for name in ("timestamp.json",):
        data = (other_site.repository.metadata / name).read_bytes()
        server.overlay[f"/tuf/default/metadata/{name}"] = data
    with pytest.raises(TrustError, match="signed by the keys of its role"):
        trust.refresh()


@pytest.mark.guarantee("G3")
def test_an_older_timestamp_is_refused(published, server, trust):
    old = (published.repository.metadata / "timestamp.json").read_bytes()
    published.publish_delta("d")
    assert trust.refresh().generation == 2
    server.overlay["/tuf/default/metadata/timestamp.json"] = old
    with pytest.raises(TrustError, match="never rolled back"):
        trust.refresh()


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("lost", [["timestamp.json", "snapshot.json"], ["timestamp.json"], ["*.json", "time_floor"]])
def test_an_older_generation_is_refused_even_when_local_metadata_was_lost(published, server, trust, tmp_path, lost):
    old = (published.repository.metadata / "timestamp.json").read_bytes()
    published.publish_delta("d")
    trust.refresh()
    for pattern in lost:
        for path in (tmp_path / "tuf").glob(pattern):
            path.unlink()
    server.overlay["/tuf/default/metadata/timestamp.json"] = old
    with pytest.raises(TrustError, match=r"of generation 2 or later; received generation 1|rolled back"):
        trust.refresh(floor=2)


@pytest.mark.guarantee("G3")
def test_a_refused_rollback_leaves_nothing_behind(published, server, trust, tmp_path):
    old = (published.repository.metadata / "timestamp.json").read_bytes()
    published.publish_delta("d")
    trust.refresh()
    (tmp_path / "tuf" / "timestamp.json").unlink()
    (tmp_path / "tuf" / "snapshot.json").unlink()
    before = snapshot_of(tmp_path / "tuf")
    server.overlay["/tuf/default/metadata/timestamp.json"] = old
    with pytest.raises(TrustError):
        trust.refresh(floor=2)
    assert snapshot_of(tmp_path / "tuf") == before
    server.overlay.clear()
    assert trust.refresh(floor=2).generation == 2


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("role", ["targets", "models", "snapshot"])
def test_mixing_metadata_of_two_versions_is_refused(published, server, trust, clock, role):
    old = published.repository.live_version()
    published.backbone = b"another network"
    published.publish_delta("d")
    new = published.repository.live_version()
    data = (published.repository.metadata / f"{getattr(old, role)}.{role}.json").read_bytes()
    server.overlay[f"/tuf/default/metadata/{getattr(new, role)}.{role}.json"] = data
    with pytest.raises(TrustError):
        trust.refresh()


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("days", [2, 7, 90, 365])
def test_a_frozen_mirror_is_noticed_when_a_signature_expires(site, server, trust, clock, days):
    """The repository's clock is set back, so that what it signs has expired today."""
    clock.forward(days=-days, hours=-1)
    site.publish_base(*SKUS)
    with pytest.raises(TrustError, match=r"signatures are in date.*updates stop until.*scans go on"):
        trust.refresh()


@pytest.mark.guarantee("G13")
def test_a_clock_set_back_does_not_revive_expired_metadata(published, server, trust, clock, tmp_path):
    """The device's clock is right here; what it has seen signed is from three days ahead, as if the clock were late."""
    old = (published.repository.metadata / "timestamp.json").read_bytes()
    clock.forward(days=3)
    published.publish_delta("d")
    trust.refresh()
    for name in ("timestamp.json", "snapshot.json"):
        (tmp_path / "tuf" / name).unlink()
    server.overlay["/tuf/default/metadata/timestamp.json"] = old
    with pytest.raises(TrustError, match="before a time that was seen signed"):
        trust.refresh()


@pytest.mark.guarantee("G11")
@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: b"9" * 10, lambda data: data.replace(b": 1", b": 9")]
)
def test_a_damaged_time_floor_costs_no_update(published, trust, tmp_path, damage):
    path = tmp_path / "tuf" / "time_floor"
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert path.read_bytes() != good
    assert trust.refresh().generation == 1


def test_damaged_local_metadata_is_fetched_again(published, trust, tmp_path):
    paths = [path for path in (tmp_path / "tuf").rglob("*") if path.is_file()]
    assert len(paths) == 6
    for path in paths:
        good = path.read_bytes()
        for bad in (b"", b"{}", good[: len(good) // 2], bytes([good[0] ^ 1]) + good[1:]):
            path.write_bytes(bad)
            assert trust.refresh(floor=1).generation == 1, path.name


def test_a_root_that_was_renewed_is_followed(published, trust):
    published.repository.set_days("root", 365)
    published.repository.set_days("root", 365)
    published.publish_delta("d")
    assert trust.refresh().generation == 2
    assert trust.refresh().generation == 2


@pytest.mark.guarantee("G3")
def test_a_refresh_killed_anywhere_is_recovered_from(published, server, transport, tmp_path):
    before = snapshot_of(tmp_path / "tuf")
    published.repository.set_days("root", 365)
    published.publish_delta("new")
    digest = bytes.fromhex(published.repository.root_sha256())
    url = f"{server.url}/tuf/default/metadata"
    calls, whole = 0, False
    while not whole:
        put_back(tmp_path / "tuf", before)
        disk = KilledDisk(calls)
        killed = TrustedMetadata(tmp_path / "tuf", tmp_path / "scratch", "default", digest, url, transport, disk)
        try:
            killed.refresh(floor=1)
            whole = True
        except Killed:
            calls += 1
        alive = TrustedMetadata(tmp_path / "tuf", tmp_path / "scratch", "default", digest, url, transport)
        assert alive.refresh(floor=1).generation == 2
    assert calls > 20


@pytest.mark.guarantee("G9")
@pytest.mark.parametrize("role", ["timestamp", "1.root", "snapshot", "targets", "models"])
def test_endless_metadata_is_cut_off(site, server, trust, faults, role):
    site.publish_base(*SKUS)
    server.misbehave(rf"{role}\.json", faults.endless)
    with pytest.raises((NetworkError, TrustError)):
        trust.refresh()
    assert server.sent < 10_000_000  # bytes: what socket buffers hold


@pytest.mark.parametrize("fault", ["stall", "trickle_body", "trickle_head"])
def test_a_server_that_stalls_or_trickles_is_left(published, server, trust, faults, fault):
    server.misbehave("timestamp", getattr(faults, fault))
    started = time.monotonic()
    with pytest.raises(NetworkError):
        trust.refresh()
    assert time.monotonic() - started < 5


def test_a_web_page_instead_of_metadata_is_refused(published, server, trust, faults):
    """A captive portal."""
    server.misbehave("/tuf/", lambda handler, data: handler.answer(200, b"<html>Please log in</html>"))
    with pytest.raises(TrustError):
        trust.refresh()


def test_overload_is_waited_out(published, server, trust, faults):
    server.misbehave("timestamp", faults.status(503, {"Retry-After": "0"}), times=2)
    assert trust.refresh().generation == 1


def test_a_server_that_is_down_is_a_network_error(tmp_path, site, transport):
    digest = bytes.fromhex(site.repository.root_sha256())
    trust = TrustedMetadata(
        tmp_path / "tuf", tmp_path / "scratch", "default", digest, "http://127.0.0.1:9/tuf/default/metadata", transport
    )
    with pytest.raises(NetworkError, match=r"Connection refused at http://127\.0\.0\.1:9"):
        trust.refresh()


def test_working_copies_do_not_pile_up(published, trust, tmp_path, server, faults):
    server.misbehave("timestamp", faults.status(404))
    with pytest.raises(NetworkError):
        trust.refresh()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_store_that_cannot_be_written_is_a_store_error(published, trust, tmp_path):
    (tmp_path / "scratch").rmdir()
    (tmp_path / "scratch").write_bytes(b"in the way")
    with pytest.raises(StoreError):
        trust.refresh()


def test_the_timestamp_says_when_it_was_signed(published, signed_json):
    signed = signed_json(published.repository.metadata / "timestamp.json")
    age = datetime.now(timezone.utc) - datetime.fromtimestamp(signed[SIGNED_AT_FIELD], timezone.utc)
    assert age < timedelta(minutes=1)
