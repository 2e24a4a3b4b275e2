"""A generation on a stick: a real repository in a folder or a tar, a real store, and no server at all."""

import io
import os
import re
import shutil
import socket
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from skuscan.errors import ModelError, NetworkError, SyncError, TrustError
from skuscan.store import DeviceIdentity, Store
from skuscan.sync import SyncResult, import_bundle, sync_once

SKUS = tuple(f"sku-{number:03}" for number in range(12))
BLOCK = tarfile.BLOCKSIZE


@pytest.fixture
def identity(site) -> DeviceIdentity:
    """A device whose server is gone."""
    return DeviceIdentity(
        server_url="https://server.invalid",
        device_id="kiosk-1",
        device_token="secret",
        assortment=site.assortment,
        root_sha256=site.repository.root_sha256(),
        metadata_url="/somewhere/else/metadata",
        targets_url="/somewhere/else/targets",
        blobs_url="https://files.invalid/blobs",
    )


def as_folder(published: Path, target: Path) -> Path:
    return Path(shutil.copytree(published, target, ignore=shutil.ignore_patterns(".lock")))


def as_tar(published: Path, target: Path) -> Path:
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(published.rglob("*")):
            if path.is_file() and path.name != ".lock":
                tar.add(path, str(path.relative_to(published)))
    return target


@pytest.fixture(params=[as_folder, as_tar], ids=["folder", "tar"])
def export(request, site, tmp_path) -> Callable[[str], Path]:
    """What is published now, on a stick of that name."""
    return lambda name: request.param(site.folder, tmp_path / name)


@pytest.fixture
def take(store: Store, options, pass_probes) -> Callable[..., SyncResult]:
    """Imports a bundle, where every connection is a failure of the test."""

    def refuse(*arguments: object) -> None:
        raise AssertionError("an import made a connection")

    def run(bundle: Path, probe: Callable[[object], None] = pass_probes, into: Store = store) -> SyncResult:
        with pytest.MonkeyPatch.context() as network:
            network.setattr(socket.socket, "connect", refuse)
            return import_bundle(into, bundle, options, probe)

    return run


@pytest.fixture
def at_one(site, export, take, clock) -> Path:
    """The device holds generation 1, from this bundle."""
    site.publish_base(*SKUS, displays=True)
    bundle = export("one")
    assert take(bundle).state == "activated"
    clock.forward(minutes=1)
    return bundle


def journal(store: Store) -> list[tuple[str, int, str]]:
    return [(event["event"], event["generation"], event["reason"]) for event in store.journal.last(10)]


def left_over(store: Store) -> list[Path]:
    """Files with something in them; an empty one marks that display pictures are to come."""
    return [path for path in (store.path / "tmp").rglob("*") if path.is_file() and path.stat().st_size]


def skus(store: Store) -> set[str]:
    return {product.sku for product in store.open_generation().products()}


def test_a_new_device_gets_its_catalogue_from_a_bundle(site, at_one, store):
    generation = store.open_generation()
    assert skus(store) == set(SKUS)
    assert generation.state_digest() == generation.manifest.state_digest
    assert all(store.blobs.has(product.display) for product in generation.products())
    assert left_over(store) == []


def test_only_what_is_missing_is_read(site, at_one, export, take):
    site.publish_delta(SKUS[0], price=99)
    result = take(export("two"))
    assert (result.state, result.generation) == ("activated", 2)
    assert result.bytes_records < 300


def test_the_same_bundle_again_changes_nothing(at_one, take):
    assert take(at_one).state == "unchanged"


def test_a_device_goes_on_with_its_server_after_a_bundle(site, at_one, serve, store, options, pass_probes):
    server = serve(site.folder)
    store.identity = replace(
        store.identity,
        server_url=server.url,
        metadata_url=f"/tuf/{site.assortment}/metadata",
        blobs_url="/blobs/sha256",
        targets_url=f"/tuf/{site.assortment}/targets",
    )
    site.publish_delta("new")
    assert sync_once(store, options, pass_probes).generation == 2


@pytest.mark.guarantee("G3")
def test_an_older_bundle_is_refused(site, at_one, export, take, store):
    site.publish_delta("new")
    take(export("two"))
    with pytest.raises(TrustError, match=r"timestamp\.json"):
        take(at_one)
    assert store.current() == store.floor() == 2
    event, _, reason = journal(store)[-1]
    assert event == "refused"
    assert str(at_one) in reason


@pytest.mark.guarantee("G3")
def test_an_older_bundle_is_refused_even_when_local_metadata_was_lost(site, at_one, export, take, store):
    site.publish_delta("new")
    take(export("two"))
    shutil.rmtree(store.path / "tuf")
    with pytest.raises(TrustError, match="generation 2 or later; received generation 1"):
        take(at_one)
    assert store.current() == 2


@pytest.mark.guarantee("G3")
def test_an_expired_bundle_is_refused(site, clock, export, take, store):
    clock.forward(days=-3)
    site.publish_base(*SKUS)
    with pytest.raises(TrustError, match="signatures are in date"):
        take(export("old"))
    assert store.current() is None


@pytest.mark.guarantee("G3")
def test_a_bundle_of_two_publications_mixed_is_refused(site, at_one, tmp_path, take, store):
    old = next((site.repository.metadata).glob("*.snapshot.json")).read_bytes()
    site.publish_delta("new")
    bundle = as_folder(site.folder, tmp_path / "mixed")
    newest = max(
        (bundle / "tuf/default/metadata").glob("*.snapshot.json"), key=lambda path: int(path.name.split(".")[0])
    )
    newest.write_bytes(old)
    with pytest.raises(TrustError, match=r"snapshot\.json"):
        take(bundle)
    assert store.current() == 1


@pytest.mark.guarantee("G4")
def test_a_bundle_of_another_assortment_is_refused(site, other_site, at_one, tmp_path, take, store):
    other_site.publish_base("x")
    bundle = as_folder(other_site.folder, tmp_path / "other-stick")
    with pytest.raises(NetworkError, match=r"no tuf/default/metadata/.*for this device's assortment"):
        take(bundle)
    (bundle / "tuf" / "other").rename(bundle / "tuf" / "default")
    with pytest.raises(TrustError):
        take(bundle)
    assert store.current() == 1


@pytest.mark.guarantee("G4")
def test_every_tampered_file_is_refused_and_named(site, at_one, tmp_path, take, store):
    """Every file that the update reads, one at a time."""
    before = set(site.folder.rglob("*"))
    site.publish_delta("new")
    files = [path for path in site.folder.rglob("*") if path.is_file() and path not in before]
    files = [path.relative_to(site.folder) for path in [*files, site.repository.metadata / "timestamp.json"]]
    assert len(files) >= 6  # timestamp, snapshot, targets, manifest, two segments
    for number, name in enumerate(files):
        bundle = as_folder(site.folder, tmp_path / f"tampered-{number}")
        data = bytearray((bundle / name).read_bytes())
        data[len(data) // 2] ^= 1
        (bundle / name).write_bytes(data)
        device = Store.open(shutil.copytree(store.path, tmp_path / f"device-{number}"))
        with pytest.raises(TrustError, match=re.escape(name.name)) as refused:
            take(bundle, into=device)
        event, _, reason = journal(device)[-1]
        assert event == "refused"
        assert refused.value.rule in reason
        assert (device.current(), skus(device), left_over(device)) == (1, set(SKUS), [])
    assert take(as_folder(site.folder, tmp_path / "good")).generation == 2


@pytest.mark.guarantee("G4")
def test_every_missing_or_cut_file_is_named(site, at_one, tmp_path, take, store):
    site.publish_delta("new", *SKUS[:2], price=7)
    good = as_folder(site.folder, tmp_path / "good")
    segment = good / "blobs/sha256" / site.deltas[-1].file.sha256.hex()[:2] / site.deltas[-1].file.sha256.hex()
    data = segment.read_bytes()
    segment.write_bytes(data[:-1])
    with pytest.raises(SyncError, match=rf"{len(data) - 1} of {len(data)} bytes of file://.*{segment.name}"):
        take(good)
    segment.unlink()
    with pytest.raises(SyncError, match=f"no blobs/sha256/{segment.parent.name}/{segment.name} in {good}"):
        take(good)
    assert (store.current(), left_over(store)) == (1, [])


def test_a_tar_cut_anywhere_is_refused(site, at_one, tmp_path, take, store):
    site.publish_delta("new")
    whole = as_tar(site.folder, tmp_path / "whole.tar").read_bytes()
    end = len(whole.rstrip(b"\0")) // BLOCK * BLOCK
    for length in (1, BLOCK - 1, BLOCK, BLOCK + 1, end // 2, end):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(whole[:length])
        with pytest.raises(SyncError, match=str(cut)):
            take(cut)
        assert journal(store)[-1][0] == "refused"
    assert store.current() == 1


@pytest.mark.parametrize("data", [b"", b"no tar at all", bytes(4096), b"\x1f\x8b" + bytes(2000)], ids=len)
def test_what_is_no_bundle_is_said_to_be_none(tmp_path, take, data):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(SyncError, match=r"file is neither|no tuf/default/metadata"):
        take(tmp_path / "file")


def test_a_path_where_nothing_is_is_one_line(tmp_path, take, store):
    with pytest.raises(SyncError, match=r"a bundle is a folder or a tar .* No such file"):
        take(tmp_path / "nowhere")
    assert journal(store)[-1][:2] == ("refused", 0)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.XHDTYPE, tarfile.DIRTYPE])
def test_a_tar_with_other_things_than_files_is_refused(tmp_path, take, kind):
    member = tarfile.TarInfo("tuf/default/metadata/timestamp.json")
    member.type, member.linkname = kind, "/etc/passwd"
    (tmp_path / "odd.tar").write_bytes(member.tobuf(tarfile.USTAR_FORMAT) + bytes(2 * BLOCK))
    with pytest.raises(SyncError, match="plain files"):
        take(tmp_path / "odd.tar")


def test_a_header_that_claims_more_than_there_is_costs_no_memory(tmp_path, take):
    with tarfile.open(tmp_path / "huge.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a"), io.BytesIO())
    for size in (1 << 40, -(1 << 40)):
        member = tarfile.TarInfo("tuf/default/metadata/1.root.json")
        member.size = size
        (tmp_path / "huge.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(BLOCK))
        with pytest.raises(SyncError, match=r"ends within tuf/default/metadata/1\.root\.json"):
            take(tmp_path / "huge.tar")


def test_a_pipe_in_a_bundle_does_not_hold_the_device(site, at_one, tmp_path, take, store):
    site.publish_delta("new")
    bundle = as_folder(site.folder, tmp_path / "piped")
    path = bundle / "tuf/default/metadata/timestamp.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(SyncError, match=r"plain files; received another kind: .*timestamp\.json"):
        take(bundle)
    assert store.current() == 1


def test_a_generation_that_fails_its_probes_is_rejected_as_from_a_server(site, at_one, export, store, take):
    site.publish_delta("new")

    def fail(generation: object) -> None:
        raise ModelError("a probe is answered", "wrongly")

    assert take(export("two"), fail).state == "rejected"
    assert store.current() == 1
    assert 2 in store.rejected()


def test_a_rollout_does_not_hold_back_a_device_that_somebody_came_to(site, at_one, export, take):
    site.rollout_percent = 0
    site.publish_delta("new")
    assert take(export("two")).state == "activated"


def test_a_refusal_is_noted_once_in_a_row(site, at_one, export, take, store, tmp_path):
    site.publish_delta("new")
    take(export("two"))
    before = len(journal(store))
    for _ in range(3):
        with pytest.raises(TrustError):
            take(at_one)
    assert len(journal(store)) == before + 1
