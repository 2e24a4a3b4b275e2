"""Other keys and other times: what devices make of it. They are real ones: the code of `skuscan.sync`."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from tuf.api.metadata import Metadata

from skuscan.errors import ConfigError, TrustError
from skuscan.proto.bundle_pb2 import Manifest, ModelArtifact
from skuscan.store.durable import DISK
from skuscan.sync.options import SyncOptions
from skuscan.sync.transport import Transport
from skuscan.sync.trust import TrustedMetadata
from skuscan_server import repository as repository_module
from skuscan_server.ceremony import Ceremony
from skuscan_server.errors import PublishError
from skuscan_server.key_office import ROLES, KeyOffice
from skuscan_server.keys import ONLINE_ROLES, KeyFolder, init_keys
from skuscan_server.repository import TufRepository
from tools.fault_bench.disks import Killed, KilledDisk

MODEL = ModelArtifact(format=1, name="a").SerializeToString()
OTHER_MODEL = ModelArtifact(format=1, name="b").SerializeToString()
NAMES = ("default", "store-17")


class Clock:
    """The server's time: seconds apart, so that versions differ."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=1)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Retailer:
    """Two assortments under the same root keys, published once, with a device for each."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url, self.clock = folder, url, Clock()
        self.keys = init_keys(folder / "keys")
        self.generation = 0
        first = self.repository("default")
        first.create()
        self.repository("store-17").create(like=first)
        self.publish()

    @property
    def published(self) -> Path:
        return self.folder / "published"

    @property
    def office(self) -> KeyOffice:
        return KeyOffice(self.keys, {name: self.repository(name) for name in NAMES})

    def repository(self, name: str) -> Ceremony:
        return Ceremony(self.published, name, self.keys, self.clock)

    def publish(self, model: bytes = MODEL) -> int:
        """As the running server does: without the offline keys."""
        self.generation += 1
        for name in NAMES:
            manifest = Manifest(format=1, assortment=name, generation=self.generation).SerializeToString()
            online = KeyFolder(self.keys.path, offline=self.folder / "away")
            TufRepository(self.published, name, online, self.clock).publish(manifest, model)
        return self.generation

    def device(self, name: str = "default", folder: str = "device") -> TrustedMetadata:
        path = self.folder / folder / name
        return TrustedMetadata(
            path / "tuf",
            path / "scratch",
            name,
            bytes.fromhex(self.repository(name).root_sha256()),
            f"{self.url}/tuf/{name}/metadata",
            Transport(SyncOptions()),
        )


@pytest.fixture
def retailer(tmp_path: Path, serve: Callable[..., Any]) -> Retailer:
    (tmp_path / "published").mkdir()
    return Retailer(tmp_path, serve(tmp_path / "published").url)


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("role", ROLES)
def test_a_device_follows_every_rotation_and_a_new_one_the_whole_chain(retailer: Retailer, role: str) -> None:
    known = {name: retailer.device(name) for name in NAMES}
    for device in known.values():
        assert device.refresh().generation == 1
    before = retailer.repository("default").keys_of(role)
    done = retailer.office.rotate(role)
    after = retailer.repository("default").keys_of(role)
    assert len(after) == len(before)
    assert {key.keyid for key in before}.isdisjoint(key.keyid for key in after)
    assert all(device.refresh(1).generation == 1 for device in known.values())
    if role == "root":
        for path in done.to_destroy:
            path.unlink()
    generation = retailer.publish(OTHER_MODEL)
    for name, device in known.items():
        assert device.refresh(1).generation == generation
        assert retailer.device(name, "new").refresh().generation == generation
    retailer.office.expiry("root", 400)  # the new root keys sign the next root


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("role", ROLES)
def test_an_added_key_signs_and_a_revoked_one_counts_no_more(retailer: Retailer, role: str) -> None:
    (first, *_), device = retailer.repository("default").keys_of(role), retailer.device()
    assert device.refresh().generation == 1
    retailer.office.add(role)
    device.refresh(1)
    retailer.office.revoke(first.keyid[:12])
    assert first.keyid not in {key.keyid for key in retailer.repository("default").keys_of(role)}
    assert device.refresh(1).generation == 1
    generation = retailer.publish(OTHER_MODEL)
    assert device.refresh(1).generation == generation


@pytest.mark.guarantee("G4")
@pytest.mark.parametrize("role", ONLINE_ROLES)
def test_a_signature_of_a_stolen_key_is_refused_after_its_rotation(retailer: Retailer, role: str) -> None:
    (stolen,) = retailer.keys.signers(role, "default")
    device, repository = retailer.device(), retailer.repository("default")
    device.refresh()
    retailer.office.rotate(role, "default")
    device.refresh(1)
    live = repository.live_version()
    assert live is not None
    name = "timestamp.json" if role == "timestamp" else f"{getattr(live, role)}.{role}.json"
    forged = Metadata.from_file(str(repository.metadata / name))
    forged.signed.expires += timedelta(days=1)
    if role == "timestamp":
        forged.signed.version += 1
    forged.sign(stolen)  # its signature alone
    (repository.metadata / name).write_bytes(forged.to_bytes())
    with pytest.raises(TrustError):
        retailer.device(folder="new").refresh()
    if role == "timestamp":
        with pytest.raises(TrustError, match="signed by the keys of its role"):
            device.refresh(1)


@pytest.mark.guarantee("G4")
def test_a_model_signed_by_a_replaced_key_is_refused_though_all_online_keys_agree(
    retailer: Retailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, device = retailer.repository("default"), retailer.device()
    (file,) = retailer.keys.files("models").values()
    stolen, old = file.read_bytes(), repository._delegations()
    retailer.office.rotate("models")
    device.refresh()
    file.write_bytes(stolen)
    monkeypatch.setattr(repository, "_delegations", lambda: old)
    repository._sign_again(targets=True, models=True)
    for victim in (device, retailer.device(folder="new")):
        with pytest.raises(TrustError, match=r"targets\.json delegates as the root says"):
            victim.refresh()


@pytest.mark.guarantee("G18")
@pytest.mark.parametrize("role", ROLES)
def test_a_rotation_killed_anywhere_leaves_what_devices_accept(
    retailer: Retailer, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    device, calls, survived = retailer.device(), 0, False
    while not survived:
        monkeypatch.setattr(repository_module, "DISK", KilledDisk(calls))
        try:
            retailer.office.rotate(role)
            survived = True
        except Killed:
            pass
        monkeypatch.setattr(repository_module, "DISK", DISK)
        assert device.refresh(1).generation == retailer.generation, f"killed before call {calls}"
        if calls % 7 == 0:  # and the server goes on, whatever was left
            generation = retailer.publish(OTHER_MODEL if calls % 2 else MODEL)
            assert device.refresh(1).generation == generation, f"killed before call {calls}"
        calls += 3
    assert calls > 6


@pytest.mark.parametrize("role", ROLES)
def test_an_expiry_holds_at_once_and_from_then_on(retailer: Retailer, role: str) -> None:
    retailer.office.expiry(role, 21)
    device, repository = retailer.device(), retailer.repository("default")
    assert abs(repository.expiries()[role] - retailer.clock.now - timedelta(days=21)) < timedelta(minutes=1)
    device.refresh()
    if role != "root":
        retailer.publish(OTHER_MODEL)
        assert repository.expiries()[role] > retailer.clock.now + timedelta(days=20)
        device.refresh()


@pytest.mark.parametrize("role", [*ONLINE_ROLES, "models"])
def test_a_lost_key_is_replaced_all_the_same(retailer: Retailer, role: str) -> None:
    device = retailer.device()
    device.refresh()
    (file,) = retailer.keys.files(role, "default").values()
    file.unlink()
    retailer.office.rotate(role)
    assert device.refresh(1).generation == 1


def test_a_root_key_that_is_elsewhere_keeps_its_name_to_itself(retailer: Retailer, tmp_path: Path) -> None:
    third = retailer.keys.path / "offline" / "root-3.pem"
    third.rename(tmp_path / "root-3.pem")
    (made,) = retailer.office.add("root").made
    assert made.name != third.name
    assert {key.file is None for key in retailer.office.survey() if key.role == "root"} == {True, False}


def test_a_rotation_without_the_offline_keys_changes_nothing(retailer: Retailer, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    away = KeyFolder(retailer.keys.path, offline=tmp_path / "no medium")
    office = KeyOffice(away, {"default": Ceremony(retailer.published, "default", away, retailer.clock)})
    for work in (office.rotate, office.add):
        with pytest.raises(ConfigError, match=r"0 in .*no medium; move the offline keys back"):
            work("timestamp")
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}


def test_root_keys_of_somebody_else_sign_nothing(retailer: Retailer, tmp_path: Path) -> None:
    other = KeyFolder(retailer.keys.path, offline=init_keys(tmp_path / "other").path / "offline")
    office = KeyOffice(other, {"default": Ceremony(retailer.published, "default", other, retailer.clock)})
    with pytest.raises(PublishError, match="root is signed by the key that the root names"):
        office.rotate("timestamp")
    assert retailer.device().refresh().generation == 1


def test_the_last_key_of_a_role_is_not_revoked(retailer: Retailer) -> None:
    (key,) = retailer.repository("default").keys_of("targets")
    with pytest.raises(ConfigError, match="keys rotate targets"):
        retailer.office.revoke(key.keyid)
    with pytest.raises(ConfigError, match="fits 0"):
        retailer.office.revoke("beef" * 8)


def test_a_key_that_counts_no_more_is_removed_or_named(retailer: Retailer) -> None:
    removed = retailer.office.rotate("snapshot", "store-17").removed
    assert [path.name for path in removed] == ["snapshot.pem"]
    assert not removed[0].exists()
    done = retailer.office.rotate("root")
    assert [path.name for path in done.to_destroy] == ["root-1.pem", "root-2.pem", "root-3.pem"]
    assert all(path.exists() for path in done.to_destroy)
    assert {status.file.name for status in retailer.office.survey() if status.file and not status.assortments} == {
        path.name for path in done.to_destroy
    }
