"""The server's TUF side: what is written, when, and with which keys."""

import hashlib
import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from skuscan.errors import ConfigError, StoreError
from skuscan.proto.bundle_pb2 import Manifest, ModelArtifact
from skuscan.store.durable import DISK
from skuscan_server import repository as repository_module
from skuscan_server.ceremony import Ceremony
from skuscan_server.errors import PublishError
from skuscan_server.keys import KeyFolder, init_keys
from skuscan_server.published_metadata import PublishedVersion
from skuscan_server.repository import TufRepository
from tools.fault_bench.disks import Killed, KilledDisk
from tools.fault_bench.site import Clock

MODEL = ModelArtifact(format=1, name="model-a").SerializeToString()
OTHER_MODEL = ModelArtifact(format=1, name="model-b").SerializeToString()
FEW_KB = 4_096  # bytes


def manifest(generation: int, assortment: str = "default") -> bytes:
    return Manifest(format=1, assortment=assortment, generation=generation).SerializeToString()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return init_keys(tmp_path / "keys")


@pytest.fixture
def repository(tmp_path: Path, keys: KeyFolder, clock: Clock) -> Ceremony:
    repository = Ceremony(tmp_path / "published", "default", keys, clock)
    repository.create()
    return repository


def files(repository: TufRepository) -> dict[str, bytes]:
    folders = (repository.metadata, repository.targets)
    return {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}


def test_a_publication_names_manifest_and_model_by_content(repository):
    version = repository.publish(manifest(1), MODEL)
    names = {path.name for path in repository.targets.iterdir()}
    assert names == {
        f"{hashlib.sha256(manifest(1)).hexdigest()}.manifest",
        f"{hashlib.sha256(MODEL).hexdigest()}.model",
    }
    assert version == repository.live_version()
    assert version.generation == 1


def test_the_tokens_digest_is_that_of_the_first_root(repository):
    first = (repository.metadata / "1.root.json").read_bytes()
    repository.set_days("root", 365)
    assert repository.root_sha256() == hashlib.sha256(first).hexdigest()


def test_a_change_writes_a_few_kilobytes_of_metadata_and_leaves_the_models_alone(repository, clock):
    repository.publish(manifest(1), MODEL)
    before = files(repository)
    clock.now += timedelta(minutes=5)
    repository.publish(manifest(2), MODEL)
    after = files(repository)
    new = {name: data for name, data in after.items() if name not in before}
    assert sum(len(data) for name, data in new.items() if name.endswith(".json")) < FEW_KB
    assert not any("models" in name for name in new)
    assert {name for name in before if after[name] != before[name]} == {"timestamp.json"}


def test_a_new_model_is_signed_by_the_models_key_anew(repository, clock):
    first = repository.publish(manifest(1), MODEL)
    clock.now += timedelta(minutes=5)
    assert repository.publish(manifest(2), OTHER_MODEL).models > first.models


def test_the_models_key_may_be_away_while_the_model_stays(repository, keys, clock):
    repository.publish(manifest(1), MODEL)
    (keys.path / "models.pem").unlink()
    clock.now += timedelta(days=1)
    assert repository.publish(manifest(2), MODEL).generation == 2
    with pytest.raises(ConfigError, match="move the offline key back"):
        repository.publish(manifest(3), OTHER_MODEL)
    assert repository.live_version().generation == 2


def test_root_keys_are_needed_for_roots_only(repository, keys):
    for path in (keys.path / "offline").iterdir():
        path.unlink()
    repository.publish(manifest(1), MODEL)
    with pytest.raises(ConfigError, match="offline keys"):
        repository.set_days("root", 365)


def test_another_key_in_a_keys_place_is_refused(repository, keys):
    path = keys.path / "online" / "default" / "targets.pem"
    path.write_bytes((keys.path / "models.pem").read_bytes())
    with pytest.raises(PublishError, match="the key that the root names"):
        repository.publish(manifest(1), MODEL)
    assert repository.live_version() is None


@pytest.mark.parametrize("generation", [1, 2])
def test_a_generation_that_does_not_grow_is_refused(repository, generation):
    repository.publish(manifest(2), MODEL)
    with pytest.raises(PublishError, match="higher than the one before"):
        repository.publish(manifest(generation), OTHER_MODEL)


def test_another_assortments_manifest_is_refused(repository):
    with pytest.raises(PublishError, match="its own assortment"):
        repository.publish(manifest(1, "other"), MODEL)


def test_publishing_the_live_pair_again_changes_nothing(repository, clock):
    version = repository.publish(manifest(1), MODEL)
    before = files(repository)
    clock.now += timedelta(days=1)
    assert repository.publish(manifest(1), MODEL) == version
    assert files(repository) == before


def test_a_repository_is_created_once(repository):
    with pytest.raises(PublishError, match="created once"):
        repository.create()


def test_a_repository_that_was_not_created_says_so(tmp_path, keys):
    with pytest.raises(PublishError, match="create it first"):
        TufRepository(tmp_path, "default", keys).publish(manifest(1), MODEL)


def test_signing_again_before_a_publication_says_so(repository):
    with pytest.raises(PublishError, match="only what was published"):
        repository.resign()


def test_signing_just_before_the_timestamp_expires_keeps_everything_in_date(repository, clock):
    published = repository.publish(manifest(1), MODEL)
    for _ in range(100):  # 200 days: past the half-life of every role
        clock.now += timedelta(days=2, hours=-1)
        version = repository.resign()
        assert all(expires > clock.now + timedelta(hours=47) for expires in expiries(repository, version).values())
    assert version.generation == published.generation
    assert version.timestamp > published.timestamp


def expiries(repository: TufRepository, version: PublishedVersion) -> dict[str, datetime]:
    names = {
        "timestamp": "timestamp.json",
        "snapshot": f"{version.snapshot}.snapshot.json",
        "targets": f"{version.targets}.targets.json",
        "models": f"{version.models}.models.json",
    }
    return {role: Metadata.from_file(str(repository.metadata / name)).signed.expires for role, name in names.items()}


def test_daily_signing_says_when_offline_keys_are_due(repository, keys, clock, caplog):
    repository.publish(manifest(1), MODEL)
    (keys.path / "models.pem").unlink()
    clock.now += timedelta(days=190)
    with caplog.at_level(logging.WARNING):
        repository.resign()
    assert [text for text in caplog.messages if "the root of default expires" in text]
    assert [text for text in caplog.messages if "bring the models key" in text]


@pytest.mark.guarantee("G18")
def test_versions_grow_across_a_restore_from_a_backup(repository, tmp_path, keys, clock):
    repository.publish(manifest(1), MODEL)
    backup = files(repository)
    seen = []
    for generation in (2, 3, 4):
        clock.now += timedelta(minutes=1)
        seen.append(repository.publish(manifest(generation), MODEL))
    for folder in (repository.metadata, repository.targets):
        for path in folder.iterdir():
            path.unlink() if path.name not in backup else path.write_bytes(backup[path.name])
    clock.now += timedelta(minutes=1)
    after = repository.publish(manifest(5), MODEL)
    assert after.timestamp > seen[-1].timestamp
    assert after.snapshot > seen[-1].snapshot
    assert after.targets > seen[-1].targets


@pytest.mark.guarantee("G18")
def test_versions_grow_when_the_clock_goes_back(repository, clock):
    first = repository.publish(manifest(1), MODEL)
    clock.now -= timedelta(days=1)
    second = repository.publish(manifest(2), MODEL)
    assert (second.timestamp, second.snapshot, second.targets) > (first.timestamp, first.snapshot, first.targets)
    assert second.timestamp > first.timestamp


@pytest.mark.guarantee("G18")
def test_a_publication_killed_anywhere_leaves_the_old_or_the_new_one(repository, clock, monkeypatch):
    old = repository.publish(manifest(1), MODEL)
    survived, calls, generation = False, 0, 2
    while not survived:
        clock.now += timedelta(minutes=1)
        before = files(repository)
        monkeypatch.setattr(repository_module, "DISK", KilledDisk(calls))
        try:
            repository.publish(manifest(generation), OTHER_MODEL if generation % 2 else MODEL)
            survived = True
        except Killed:
            pass
        monkeypatch.setattr(repository_module, "DISK", DISK)
        assert is_whole(repository, before), f"killed before call {calls}"
        assert repository.live_version().generation in (old.generation, generation)
        old, calls, generation = repository.live_version(), calls + 1, generation + 1
    assert calls > 20


def is_whole(repository: TufRepository, before: dict[str, bytes]) -> bool:
    """Every name that leads from timestamp.json is there, and no file that was there has changed."""
    after = files(repository)
    live = Metadata.from_file(str(repository.metadata / "timestamp.json")).signed
    snapshot = Metadata.from_file(str(repository.metadata / f"{live.snapshot_meta.version}.snapshot.json")).signed
    for name, meta in snapshot.meta.items():
        role = Metadata.from_file(str(repository.metadata / f"{meta.version}.{name}")).signed
        for target, info in role.targets.items():
            info.verify_length_and_hashes(after[f"{info.hashes['sha256']}.{target}"])
    return all(after[name] == data for name, data in before.items() if name != "timestamp.json")


def test_a_publication_during_another_one_is_refused(repository):
    with DISK.lock(repository.metadata.parent / ".lock"), pytest.raises(StoreError, match="one process writes"):
        repository.publish(manifest(1), MODEL)


def test_damaged_metadata_is_a_clear_error(repository):
    repository.publish(manifest(1), MODEL)
    (repository.metadata / "timestamp.json").write_text("{}")
    with pytest.raises(PublishError, match="restore it"):
        repository.publish(manifest(2), MODEL)


def test_the_next_root_is_signed_by_two_and_keeps_its_pins(repository, keys):
    (keys.path / "offline" / "root-1.pem").unlink()
    repository.set_days("root", 365)
    assert repository.root_version() == 2
    first, second = (json.loads((repository.metadata / f"{n}.root.json").read_text()) for n in (1, 2))
    assert len(second["signatures"]) == 2
    pins = [root["signed"]["x-skuscan"] for root in (first, second)]
    assert pins[0] | {"days": {"root": 365}} == pins[1]
    assert second["signed"]["keys"] == first["signed"]["keys"]
