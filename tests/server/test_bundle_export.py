"""What a bundle holds, for how long it is good, and that devices go on after it. Devices are real stores."""

import errno
import hashlib
import json
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skuscan.cli import cli as device_cli
from skuscan.cli import main as device_main
from skuscan.errors import ConfigError, StoreError, TrustError
from skuscan.store import DeviceIdentity, Store
from skuscan.sync import SyncOptions, SyncResult, import_bundle
from skuscan_server import cli
from skuscan_server.bundle_export import BundleRepository, Exported, export_bundle
from skuscan_server.errors import NotFoundError, PublishError
from skuscan_server.services import Services
from tools.fault_bench.disks import FailingDisk
from tools.fault_bench.site import Clock

DAYS_ONLINE = 2  # what a timestamp is signed for


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(services: Services, import_rows: Any, five_products: Any) -> Services:
    """A server with one published generation."""
    import_rows(five_products)
    services.publish("default")
    return services


@pytest.fixture
def repository(shop: Services, clock: Clock) -> BundleRepository:
    return BundleRepository(shop.config.published, "default", shop.keys, clock)


@pytest.fixture
def export(shop: Services, repository: BundleRepository, tmp_path: Path) -> Callable[..., Exported]:
    def run(name: str, valid: timedelta | None = None, **options: Any) -> Exported:
        return export_bundle(repository, "default", shop.published, tmp_path / name, valid, **options)

    return run


@pytest.fixture
def store(shop: Services, tmp_path: Path) -> Store:
    return Store.create(
        tmp_path / "store",
        DeviceIdentity(
            server_url="https://server.invalid",
            device_id="kiosk-1",
            device_token="secret",
            assortment="default",
            root_sha256=shop.repository("default").root_sha256(),
            metadata_url="/tuf/default/metadata",
            targets_url="/tuf/default/targets",
            blobs_url="/blobs/sha256",
        ),
    )


@pytest.fixture
def take(store: Store) -> Callable[[Exported], SyncResult]:
    return lambda bundle: import_bundle(store, bundle.path, SyncOptions(), lambda generation: None)


def online(shop: Services, path: Path) -> Exported:
    """What a device finds at its server now, in the form of a bundle."""
    return Exported(shop.config.published, "default", 0, 0, 0, datetime.now(timezone.utc))


def expiry(bundle: Path, role: str) -> datetime:
    (path,) = (bundle / "tuf/default/metadata").glob(f"*{role}.json")
    return datetime.fromisoformat(json.loads(path.read_text())["signed"]["expires"])


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_bundle_makes_a_device_of_the_same_state(export: Any, take: Any, store: Store, name: str) -> None:
    done = export(name)
    assert take(done).state == "activated"
    generation = store.open_generation()
    assert generation.number == done.generation
    assert generation.state_digest() == generation.manifest.state_digest
    displays = [product.display for product in generation.products() if product.HasField("display")]
    assert len(displays) == 5
    assert all(store.blobs.is_intact(display) for display in displays)
    assert all(store.blobs.is_intact(probe.picture) for probe in generation.manifest.probes)


def test_a_folder_holds_what_is_published_and_nothing_else(export: Any, shop: Services) -> None:
    done = export("bundle")
    files = {str(path.relative_to(done.path)): path for path in done.path.rglob("*") if path.is_file()}
    assert done.files == len(files)
    assert done.bytes == sum(path.stat().st_size for path in files.values())
    for name, path in files.items():
        assert path.read_bytes() == (shop.config.published / name).read_bytes()
    assert all("secret" not in name and not name.endswith(".pem") for name in files)


def test_the_same_publication_gives_the_same_tar(export: Any) -> None:
    first, second = export("one.tar"), export("two.tar")
    digests = [hashlib.sha256(done.path.read_bytes()).digest() for done in (first, second)]
    assert digests[0] == digests[1]
    with tarfile.open(first.path) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    assert all(member.isreg() and member.mtime == 0 and member.uid == 0 for member in members)


def test_a_bundle_after_changes_holds_what_is_live_only(
    shop: Services, export: Any, take: Any, store: Store, tmp_path: Path
) -> None:
    take(export("one"))
    CliRunner().invoke(cli.cli, ["--data", str(shop.config.data_folder), "catalogue", "withdraw", "SKU-2"])
    shop.publish("default")
    assert take(export("two")).state == "activated"
    assert {product.sku for product in store.open_generation().products()} == {"SKU-1", "SKU-3", "SKU-4", "SKU-5"}


def test_a_plain_bundle_changes_nothing_online_and_is_good_as_long(
    export: Any, repository: BundleRepository, clock: Clock
) -> None:
    before = {path: path.read_bytes() for path in repository.metadata.iterdir()}
    done = export("bundle")
    assert {path: path.read_bytes() for path in repository.metadata.iterdir()} == before
    assert done.expires == expiry(done.path, "timestamp") <= clock.now + timedelta(days=DAYS_ONLINE, seconds=1)


def test_a_bundle_can_be_signed_for_longer(export: Any, clock: Clock, repository: BundleRepository) -> None:
    done = export("bundle", timedelta(days=30))
    assert done.expires == clock.now + timedelta(days=30)
    assert expiry(done.path, "timestamp") == expiry(done.path, "snapshot") == done.expires
    assert expiry(done.path, "targets") > done.expires  # as published: 90 days
    live = json.loads((repository.metadata / "timestamp.json").read_text())["signed"]
    assert datetime.fromisoformat(live["expires"]) == clock.now + timedelta(days=DAYS_ONLINE)
    version = live["meta"]["snapshot.json"]["version"]
    snapshot = json.loads((repository.metadata / f"{version}.snapshot.json").read_text())["signed"]
    assert datetime.fromisoformat(snapshot["expires"]) == clock.now + timedelta(days=7)


@pytest.mark.guarantee("G3")
@pytest.mark.parametrize("days", [3, 30, 200])
def test_a_device_goes_on_with_its_server_after_a_bundle_signed_for_longer(
    shop: Services, export: Any, take: Any, tmp_path: Path, days: int
) -> None:
    """200 days are more than targets are signed for: they are signed for the bundle, too."""
    assert take(export("bundle", timedelta(days=days))).state == "activated"
    assert take(online(shop, tmp_path)).state == "unchanged"
    assert take(export("again", timedelta(days=days))).state == "unchanged"
    assert take(online(shop, tmp_path)).state == "unchanged"
    shop.publish("default", force="delta")
    assert take(online(shop, tmp_path)).state == "activated"


@pytest.mark.guarantee("G3")
def test_a_longer_signature_does_not_make_an_older_generation_pass(
    shop: Services, export: Any, take: Any, store: Store
) -> None:
    old = export("old", timedelta(days=30))
    take(export("one"))
    shop.publish("default", force="delta")
    take(export("two"))
    with pytest.raises(TrustError, match=r"timestamp\.json"):
        take(old)
    assert store.current() == store.floor() > old.generation


def test_a_bundle_is_not_good_for_longer_than_its_root(export: Any, tmp_path: Path) -> None:
    with pytest.raises(PublishError, match=r"as long as its root is signed; .* choose fewer days"):
        export("bundle", timedelta(days=400))
    assert not (tmp_path / "bundle").exists()


def test_before_the_first_publication_there_is_nothing_to_export(services: Services, tmp_path: Path) -> None:
    repository = BundleRepository(services.config.published, "default", services.keys)
    with pytest.raises(PublishError, match="holds what was published"):
        export_bundle(repository, "default", services.published, tmp_path / "bundle")


@pytest.mark.parametrize("name", ["bundle", "bundle.tar", "nowhere/bundle"])
def test_nothing_is_written_over(export: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle.tar").write_bytes(b"something else")
    with pytest.raises(ConfigError, match="a new name in a folder that is there"):
        export(name)
    assert (tmp_path / "bundle.tar").read_bytes() == b"something else"


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_published_file_is_named_and_nothing_is_left(
    export: Any, shop: Services, tmp_path: Path, name: str, damage: str
) -> None:
    probe = next(iter(sorted((shop.config.published / "blobs/sha256").rglob("*/*"), key=lambda path: path.name)))
    data = probe.read_bytes()
    probe.unlink()
    if damage != "gone":
        probe.write_bytes(data[:-1] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    before = set(tmp_path.iterdir())
    with pytest.raises((PublishError, StoreError), match=probe.name):
        export(name)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_full_stick_leaves_nothing(export: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(tmp_path.iterdir())
    monkeypatch.setattr("skuscan_server.bundle_export.DISK", FailingDisk(6, errno.ENOSPC, for_good=True, kind="write"))
    with pytest.raises(StoreError, match="the disk has room"):
        export(name)
    assert set(tmp_path.iterdir()) == before


def test_progress_reaches_its_end(export: Any) -> None:
    seen: list[tuple[int, int]] = []
    done = export("bundle.tar", progress=lambda *step: seen.append(step))
    assert seen[0] == (0, done.files)
    assert seen[-1] == (done.files, done.files)


@pytest.fixture
def run(shop: Services) -> Callable[..., Any]:
    return lambda *arguments: CliRunner().invoke(cli.cli, ["--data", str(shop.config.data_folder), *arguments])


def test_the_command_says_what_is_in_it_and_until_when(run: Any, tmp_path: Path) -> None:
    said = run("bundle", "export", "--out", str(tmp_path / "a.tar")).output
    assert "of default: " in said
    assert "Devices take it until" in said
    longer = run("bundle", "export", "--out", str(tmp_path / "b"), "--valid", "30d").output
    assert "signed for 30 days instead of as published" in longer
    told = json.loads(run("bundle", "export", "--out", str(tmp_path / "c"), "--valid", "5d", "--json").output)
    assert {"path", "assortment", "generation", "files", "bytes", "expires"} == set(told)


def test_the_devices_command_takes_it_in_with_its_probes(run: Any, tmp_path: Path, store: Store) -> None:
    run("bundle", "export", "--out", str(tmp_path / "a.tar"))
    place = ["--store", str(store.path)]
    result = CliRunner().invoke(device_cli, ["bundle", "import", str(tmp_path / "a.tar"), *place, "--json"])
    told = json.loads(result.stdout)
    assert told["state"] == "activated"
    assert told["generation"] == store.current()
    again = CliRunner().invoke(device_cli, ["bundle", "import", str(tmp_path / "a.tar"), *place])
    assert again.stdout.startswith(f"unchanged: generation {store.current()}; ")


def test_the_devices_command_says_what_is_wrong_in_one_line(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tar").write_bytes(b"no tar")
    monkeypatch.setattr(
        "sys.argv", ["skuscan", "bundle", "import", str(tmp_path / "a.tar"), "--store", str(store.path)]
    )
    with pytest.raises(SystemExit) as end:
        device_main()
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: a bundle is a folder or a tar")
    assert said.count("\n") == 1
    assert store.journal.last(1)[0]["event"] == "refused"


def test_the_devices_command_has_help_with_an_example() -> None:
    assert (
        "Example:\n    skuscan bundle import" in CliRunner().invoke(device_cli, ["bundle", "import", "--help"]).output
    )


@pytest.mark.parametrize("days", ["0d", "30", "1000d", "366d", "-1d", "d", "30 d"])
def test_a_wrong_number_of_days_is_refused(run: Any, tmp_path: Path, days: str) -> None:
    result = run("bundle", "export", "--out", str(tmp_path / "a"), f"--valid={days}")
    assert result.exit_code == 2 or "is not a number of days" in str(result.exception)
    assert not (tmp_path / "a").exists()


def test_an_assortment_that_is_none_is_refused(run: Any, tmp_path: Path) -> None:
    result = run("bundle", "export", "--assortment", "none", "--out", str(tmp_path / "a"))
    assert isinstance(result.exception, NotFoundError)
