"""Backups and restores of a real server, and devices that were ahead of the backup."""

import json
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from benchmarks.big_catalogue import BigCatalogue, sku_of
from skuscan.errors import ConfigError, StoreError, TrustError
from skuscan.store import Store
from skuscan.store.durable import DISK
from skuscan_server import cli
from skuscan_server.backup import database, numbers, restore, save
from skuscan_server.backup.archive import Member, write_archive
from skuscan_server.backup.restore import Restore
from skuscan_server.backup.save import back_up
from skuscan_server.builder import publish
from skuscan_server.db.lock import MAINTENANCE, Lease, builder_lock
from skuscan_server.db.models import AuditEntry, Device
from skuscan_server.errors import BackupError, BusyError
from skuscan_server.services import RESTORING_FILE, Services
from tools.fault_bench.disks import Killed, KilledDisk
from tools.fault_bench.waiting import wait_for

HOUR = 3_600  # s


def run(services: Services, *arguments: str) -> Any:
    result = CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), *arguments, "--json"])
    assert result.exception is None, result.output
    return json.loads(result.output)


def content(folder: Path) -> dict[str, bytes]:
    """The files of a server but its database, its locks and what signing changes."""
    names = (path for path in folder.rglob("*") if path.is_file() and "replaced-" not in str(path))
    kept = {str(path.relative_to(folder)): path.read_bytes() for path in names}
    return {name: data for name, data in kept.items() if "/tuf/" not in name and "skuscan.db" not in name}


def lose(services: Services) -> None:
    """The machine burnt down: no file and no table is left."""
    services.database.close()
    if services.database.engine.dialect.name == "postgresql":
        with services.database.engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
    for path in services.config.data_folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.guarantee("G18")
def test_a_device_that_was_ahead_of_the_backup_takes_the_restored_server(
    shop: BigCatalogue, services: Services, enrol: Callable[[str], Store], sync: Any, tmp_path: Path
) -> None:
    store = enrol("till")
    sync(store)
    archive = tmp_path / "day-old.tar"
    assert run(services, "backup", str(archive))["damaged"] == []
    for cents in (201, 202):
        shop.set_price(range(3), cents)
        shop.publish()
    ahead = sync(store)
    done = run(services, "restore", str(archive), "--replace")
    (assortment,) = done["assortments"]
    assert assortment["generation"] > ahead.generation
    result = sync(store)
    assert (result.state, result.generation) == ("activated", assortment["generation"])
    prices = {p.sku: p.attributes["price"].money.minor_units for p in store.open_generation().products()}
    assert prices[sku_of(0)] == 100  # as in the backup
    shop.set_price([0], 333)
    published = shop.publish()
    assert published is not None
    assert sync(store).generation == published.generation > result.generation
    with services.database.read() as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-1] == "restore"


@pytest.mark.guarantee("G18")
def test_where_nothing_shows_how_far_devices_are_the_operator_says_it(
    shop: BigCatalogue,
    services: Services,
    archive: Path,
    enrol: Callable[[str], Store],
    sync: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(services, "restore", str(archive), "--replace")
    store = enrol("till")
    # a clock that was an hour ahead when the last generation was published
    with monkeypatch.context() as patch:
        patch.setattr(publish, "time", SimpleNamespace(time=lambda: time.time() + HOUR))
        shop.set_price([0], 201)
        shop.publish()
    ahead = sync(store).generation
    timestamp = services.config.published / "tuf" / "default" / "metadata" / "timestamp.json"
    version = json.loads(timestamp.read_text())["signed"]["version"]
    with services.database.read() as session:
        token = session.scalars(select(Device.token_sha256)).one()
    lose(services)
    wait_for(lambda: int(time.time()) > version)  # versions are seconds: the restored server signs in a later one
    run(services, "restore", str(archive))
    _remember(services, store, token)
    with pytest.raises(TrustError, match="rollback"):
        sync(store)
    (done,) = run(services, "restore", str(archive), "--replace", "--min-version", str(ahead + 1))["assortments"]
    _remember(services, store, token)
    assert done["generation"] == sync(store).generation == ahead + 1


def _remember(services: Services, store: Store, token: bytes) -> None:
    """A device that was enrolled after the backup is enrolled again: only its row is needed."""
    with services.database.write() as session:
        session.add(
            Device(id=store.identity.device_id, name="till", assortment="default", token_sha256=token, enrolled_at=0.0)
        )


@pytest.mark.guarantee("G18")
def test_a_report_counts_unless_it_is_beyond_the_clock(
    services: Services, enrol: Callable[[str], Store], tmp_path: Path
) -> None:
    honest, liar = enrol("honest").identity.device_id, enrol("liar").identity.device_id
    reported = int(time.time()) + HOUR
    with services.database.write() as session:
        session.execute(update(Device).where(Device.id == honest).values(generation=reported))
        session.execute(update(Device).where(Device.id == liar).values(rejected_generation=2**60))
    back_up(services, tmp_path / "backup.tar")
    lose(services)
    (done,) = Restore(services.config, "test").run(tmp_path / "backup.tar").assortments
    assert done.generation == reported + 1
    assert done.unbelieved == {liar: 2**60}


def test_what_is_restored_is_what_was_backed_up(services: Services, archive: Path) -> None:
    before = content(services.config.data_folder)
    lose(services)
    done = Restore(services.config, "test").run(archive)
    after = content(services.config.data_folder)
    assert {name for name in before if name not in after} == {f"keys/offline/root-{n}.pem" for n in (1, 2, 3)}
    assert all(before[name] == data for name, data in after.items())
    assert done.replaced == ()
    Services(services.config).check()
    assert (services.config.keys / "models.pem").stat().st_mode & 0o777 == 0o600


@pytest.mark.guarantee("G20")
def test_a_backup_is_for_its_owner_and_holds_no_root_key(archive: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert "keys/online/default/targets.pem" in names
    assert not [name for name in names if "root-" in name]


@pytest.mark.guarantee("G18")
def test_a_publication_between_database_and_metadata_is_made_anew_after_a_restore(
    shop: BigCatalogue, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = database.copy_database

    def copy_then_publish(url: str, out: Path) -> None:
        copy(url, out)
        shop.set_price([0], 201)
        shop.publish()

    monkeypatch.setattr(save, "copy_database", copy_then_publish)
    back_up(services, tmp_path / "backup.tar")
    (done,) = Restore(services.config, "test").run(tmp_path / "backup.tar", replace=True).assortments
    published = shop.publish()
    assert published is not None
    assert published.generation > done.generation


def test_a_backup_and_a_pruning_do_not_meet(services: Services, tmp_path: Path) -> None:
    with builder_lock(services.database, MAINTENANCE, 5.0), pytest.raises(BusyError):
        back_up(services, tmp_path / "backup.tar")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_builder_at_work_does_not_stop_a_backup_and_its_lock_is_not_restored(
    services: Services, tmp_path: Path
) -> None:
    Lease(services.database, "default", HOUR).take()
    back_up(services, tmp_path / "backup.tar")
    Restore(services.config, "test").run(tmp_path / "backup.tar", replace=True)
    Lease(services.database, "default", HOUR).take()


def test_damage_on_the_server_is_said_by_its_backup(services: Services, tmp_path: Path) -> None:
    blob = next(services.published.files())
    blob.write_bytes(bytes(len(blob.read_bytes())))
    assert back_up(services, tmp_path / "backup.tar").damaged == (
        f"published/blobs/sha256/{blob.name[:2]}/{blob.name}",
    )


@pytest.mark.parametrize("damage", ["flipped", "cut", "cut at a file", "another tar", "empty", "no tar"])
def test_a_backup_that_is_not_whole_is_refused_and_changes_nothing(
    services: Services, archive: Path, damage: str
) -> None:
    data = bytearray(archive.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    elif damage == "cut":
        del data[len(data) // 2 + 100 :]
    elif damage == "cut at a file":
        with tarfile.open(archive) as tar:
            del data[tar.getmember("SHA256SUMS").offset :]
    elif damage == "another tar":
        data[:] = b"".join(write_archive([Member("../escape", b"x"), Member("etc/passwd", b"x")], {}))
    elif damage == "empty":
        data.clear()
    else:
        data[:] = b"no tar" * 1_000
    archive.write_bytes(data)
    folder = services.config.data_folder
    before = content(folder)
    with pytest.raises((BackupError, StoreError)):
        Restore(services.config, "test").run(archive, replace=True)
    assert content(folder) == before
    assert not [path.name for path in folder.iterdir() if path.name.startswith(restore.STAGED)]
    assert not (folder.parent / "escape").exists()


def test_a_server_is_not_overwritten_by_accident(services: Services, archive: Path, database_url: str) -> None:
    with pytest.raises(BackupError, match="--replace"):
        Restore(services.config, "test").run(archive)
    with pytest.raises(BackupError, match="there already"):
        back_up(services, archive)
    replaced = Restore(services.config, "test").run(archive, replace=True).replaced
    names = {path.name.split(".replaced-")[0] for path in replaced}
    assert names - {"skuscan.db"} == {"published", "pictures", "online", "models.pem"}
    assert ("skuscan.db" in names) != bool(database_url)  # PostgreSQL's tables are replaced
    assert all(path.exists() for path in replaced)


@pytest.mark.guarantee("G18")
def test_killed_anywhere_a_restore_leaves_the_old_server_or_one_that_says_so(
    services: Services, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, steps, unfinished = services.config.data_folder, 0, 0
    while True:
        monkeypatch.setattr(restore, "DISK", KilledDisk(steps, "rename"))
        try:
            Restore(services.config, "test").run(archive, replace=True)
            break
        except Killed:
            monkeypatch.setattr(restore, "DISK", DISK)
            if (folder / RESTORING_FILE).exists():
                unfinished += 1
                with pytest.raises(ConfigError, match="a restore runs to its end"):
                    Services(services.config).check()
            else:
                Services(services.config).check()
                assert numbers_are_one(services)
            steps += 1
            assert steps < 100
    assert unfinished >= 6  # what was there, and what takes its place
    assert not (folder / RESTORING_FILE).exists()
    Services(services.config).check()
    assert services.repository("default").live_version() is not None
    assert numbers_are_one(services)


def numbers_are_one(services: Services) -> bool:
    """The database and the repository agree on what is live."""
    live = services.repository("default").live_version()
    return live is not None and numbers.numbers_in(services.database)["default"].highest == live.generation
