"""Pruning, on servers with a few publications; the clock is a file's time, which tests set back."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from skuscan.proto.catalogue_pb2 import FileRef
from skuscan_server import cli
from skuscan_server.config import DAY
from skuscan_server.db.lock import MAINTENANCE, Lease, builder_lock
from skuscan_server.db.models import BuilderLock, Publication, Record
from skuscan_server.errors import BusyError, PublishError
from skuscan_server.pruning.prune import ASLEEP, Pruned, Pruner
from skuscan_server.services import Services
from tools.fault_bench.disks import Killed, KilledDisk

MONTH = 30 * DAY  # s


@pytest.fixture
def age(services: Services) -> Callable[[float], None]:
    """Let all that is published be so many seconds older."""

    def set_back(seconds: float) -> None:
        for path in services.config.published.rglob("*"):
            stat = path.stat()
            os.utime(path, (stat.st_atime - seconds, stat.st_mtime - seconds))
        with services.database.write() as session:
            session.execute(update(Publication).values(created_at=Publication.created_at - seconds))

    return set_back


@pytest.fixture
def publish(services: Services, import_rows: Callable[..., Any], five_products: Any) -> Callable[..., int]:
    """Give every product another name, and publish a new base: its generation."""

    def run(name: str, force: str = "base") -> int:
        import_rows([row | {"name": name} for row in five_products])
        done = services.publish("default", force=force)
        assert done is not None
        return done.generation

    return run


@pytest.fixture
def files(services: Services) -> Callable[[], set[str]]:
    def read() -> set[str]:
        root = services.config.published
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != ".lock"}

    return read


def rows(services: Services, table: Any) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_what_was_superseded_long_ago_goes_and_what_is_live_stays_whole(
    services: Services, publish: Any, age: Any, files: Any, published: Callable[[], Any]
) -> None:
    publish("first")
    before = files()
    age(MONTH)
    publish("second")
    age(MONTH)
    live, records = published(), rows(services, Record)
    done = services.pruner().run()
    assert published() == live
    assert done.publications == rows(services, Publication) == 1
    assert done.records == 5 == records - rows(services, Record)  # the products' names before
    assert done.blobs == 1  # their segment; that of the references is as it was
    assert done.metadata == 2  # of targets and snapshot; the model's is the same
    assert done.targets == 1
    assert not done.leftovers
    assert done.bytes > 0
    assert len(before - files()) == done.blobs + done.metadata + done.targets
    assert services.pruner().run() == Pruned()
    publish("third", force="delta")
    assert len(published().records) == len(live.records)


def test_what_a_slow_device_may_be_fetching_is_kept(services: Services, publish: Any, age: Any, files: Any) -> None:
    publish("first")
    age(MONTH)
    publish("second")
    before = files()
    assert services.pruner().run() == Pruned(records=5)
    assert files() == before
    age(6 * DAY)
    services.pruner().run()
    assert files() == before
    age(2 * DAY)
    assert services.pruner().run().blobs == 1


def prune(services: Services, *arguments: str) -> Any:
    result = CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), "prune", *arguments, "--json"])
    assert result.exception is None, result.output
    return json.loads(result.output)


def test_a_dry_run_says_what_a_run_does_and_removes_nothing(
    services: Services, publish: Any, age: Any, files: Any
) -> None:
    publish("first")
    publish("second")
    age(MONTH)
    before, records = files(), rows(services, Record)
    said = prune(services, "--dry-run")
    assert (files(), rows(services, Record)) == (before, records)
    assert prune(services) == said
    assert said["blobs"] == 1
    assert len(before - files()) == said["blobs"] + said["metadata"] + said["targets"]


def test_what_a_killed_writer_left_goes_when_it_is_old(services: Services, publish: Any, age: Any) -> None:
    publish("first")
    left = [
        services.repository("default").metadata / ".tmp-1234",
        services.repository("default").metadata / "17.targets.json",
        services.repository("default").targets / f"{'ab' * 32}.manifest",
        services.published.path(services.published.put(b"of a publication that was killed")),
        services.config.published / "work" / "tmp1" / "index.annoy",
    ]
    left[-1].parent.mkdir(parents=True)
    for path in left:
        path.write_bytes(b"half")
    services.pruner().run()
    assert all(path.exists() for path in left)
    age(MONTH)
    services.pruner().run()
    assert not any(path.exists() for path in left)


@pytest.mark.guarantee("G18")
def test_killed_before_any_removal_what_is_live_is_whole_and_the_next_run_ends_it(
    services: Services, publish: Any, age: Any, files: Any, published: Callable[[], Any]
) -> None:
    for name in ("first", "second", "third"):
        publish(name)
    age(MONTH)
    live, before, kills = published(), files(), 0
    pruner = services.pruner()
    while True:
        dying = Pruner(services.database, services.config.published, pruner._keep, 5.0, KilledDisk(1, "unlink"))
        try:
            dying.run()
            break
        except Killed:
            kills += 1
            assert published() == live
    assert kills >= 6
    assert len(before - files()) == kills + 1
    assert services.pruner().run() == Pruned()


@pytest.mark.guarantee("G19")
def test_nothing_is_removed_while_somebody_builds_or_backs_up(
    services: Services, publish: Any, age: Any, files: Any
) -> None:
    publish("first")
    publish("second")
    age(MONTH)
    before = files()
    for held in ("default", MAINTENANCE):
        with builder_lock(services.database, held, 5.0), pytest.raises(BusyError):
            services.pruner().run()
    dead = Lease(services.database, "default", 0.001)
    dead.take()
    with pytest.raises(BusyError, match="is being built"):
        services.pruner().run()
    assert files() == before
    with services.database.write() as session:
        session.execute(update(BuilderLock).values(expires_at=time.time() - ASLEEP))
    assert services.pruner().run().blobs == 1


def test_a_blob_that_an_import_takes_again_as_it_is_pruned_is_there_in_the_end(
    services: Services, import_rows: Callable[..., Any], five_products: Any, age: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_rows(five_products)
    shown = {path.name: path for path in services.published.files()}
    with services.database.write() as session:  # as an import that was killed between the file and the row
        for table in ("display", "feature"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    age(MONTH)
    put, known, removed = services.published.put, set(), []

    def put_and_prune(data: bytes) -> FileRef:
        ref = put(data)
        if ref.sha256 not in known:  # between the file and the row
            known.add(ref.sha256)
            removed.append(services.pruner().run().blobs)
        return ref

    monkeypatch.setattr(services.published, "put", put_and_prune)
    import_rows(five_products)
    assert sum(removed) == len(shown)
    assert {path.name for path in services.published.files()} == set(shown)


def test_a_damaged_manifest_stops_pruning(services: Services, publish: Any, age: Any, files: Any) -> None:
    publish("first")
    publish("second")
    age(MONTH)
    before = files()
    newest = max(services.repository("default").metadata.glob("*.targets.json"))
    newest.write_text("{")
    with pytest.raises(PublishError, match="readable"):
        services.pruner().run()
    assert files() == before
