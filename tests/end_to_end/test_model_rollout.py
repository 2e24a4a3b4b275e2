"""Another model reaches the devices as a new generation: real server, real store, two real artefacts."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skuscan.errors import FeatureSpaceError
from skuscan.model import Model
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.recognition import Recognition
from skuscan.recognizer import Recognizer
from skuscan.store import Store
from skuscan.sync import SyncOptions, enrol, sync_once
from skuscan_models.synthetic.demo import write_catalogue
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.device import serving
from skuscan_server.models import published_bytes
from skuscan_server.services import Services

PRODUCTS = 6
PATIENCE = 120.0  # s, on a busy machine
SCANS_AFTER = 3  # by each till after the sync, before it is told to stop


@dataclass
class Shop:
    """A server that answers, and a device that is in step with it."""

    services: Services
    device: Path
    packshots: list[Path]

    def publish(self, force: str = "") -> int:
        done = self.services.publish("default", force=force)
        assert done is not None
        return done.generation


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Threads: a pool of processes takes seconds to start."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, executor: Executor) -> tuple[Path, list[Path]]:
    """The data folder of a server with a published catalogue, which tests copy, and its pictures."""
    folder = tmp_path_factory.mktemp("published")
    config = config_of(folder / "server")
    services = Services(config, executor)
    services.set_up()
    plan = read_csv(write_catalogue(folder / "drawn", PRODUCTS), config.max_csv_bytes, config.max_csv_rows)
    with services.pool() as pool:
        services.importer(pool).run(plan, "test")
    services.publish("default")
    return config.data_folder, [source.path for source in plan.sources]


@pytest.fixture
def shop(published: tuple[Path, list[Path]], executor: Executor, tmp_path: Path) -> Iterator[Shop]:
    folder, packshots = published
    config = config_of(tmp_path / "server")
    shutil.copytree(folder, config.data_folder)
    services = Services(config, executor)
    with services.database.write() as session:
        root = services.repository("default").root_sha256()
        token = str(create_enrolment_token(session, "default", root, 1.0))
    with serving(config) as url:
        enrol(url, token, tmp_path / "device", "till", SyncOptions())
        sync_once(Store.open(tmp_path / "device"), SyncOptions())
        yield Shop(services, tmp_path / "device", packshots)


def config_of(folder: Path) -> ServerConfig:
    return ServerConfig(data_folder=folder, workers=2, annoy_from=1, annoy_trees=5, probes=2)


@contextlib.contextmanager
def scanning(shop: Shop) -> Iterator[list[Recognition]]:
    """Scan all the time, in a thread of its own; an error there is an error here."""
    answers: list[Recognition] = []
    failures: list[BaseException] = []
    stop, enough = threading.Event(), threading.Event()

    def scan(recognizer: Recognizer) -> None:
        try:
            last = SCANS_AFTER
            while last:
                answers.append(recognizer.identify(shop.packshots[len(answers) % len(shop.packshots)]))
                enough.set()
                last -= stop.is_set()
        except BaseException as error:
            failures.append(error)
            enough.set()

    with Recognizer.open(shop.device) as recognizer:
        till = threading.Thread(target=scan, args=(recognizer,))
        till.start()
        assert enough.wait(PATIENCE)
        yield answers
        stop.set()
        till.join(PATIENCE)
    assert not failures
    assert not till.is_alive()


def skus(shop: Shop) -> list[str]:
    with Recognizer.open(shop.device) as recognizer:
        return [recognizer.identify(path).candidates[0].sku for path in shop.packshots]


@pytest.mark.guarantee("G25")
def test_a_device_answers_with_the_model_before_until_it_answers_with_the_new_one(
    shop: Shop, other_model: Path
) -> None:
    store = Store.open(shop.device)
    installed, new = shop.services.model, Model.open_folder(other_model)
    first, answers_before = store.current(), skus(shop)
    shop.services.set_model(other_model, "test")
    second = shop.publish()
    with scanning(shop) as answers:
        result = sync_once(Store.open(shop.device), SyncOptions())
    assert (result.state, result.generation) == ("activated", second)
    generations = [answer.generation for answer in answers]
    assert generations == sorted(generations)
    assert (generations[0], generations[-1]) == (first, second)  # each of one generation, and of no other

    live = store.open_generation()
    assert live.model.feature_space == live.manifest.feature_space == new.feature_space
    assert store.blobs.read(store.read_current().live.model) == published_bytes(new)  # type: ignore[union-attr]
    before = store.open_generation(first)  # kept whole with its own model, for a fallback
    assert before.model.feature_space == before.manifest.feature_space == installed.feature_space
    assert skus(shop) == answers_before
    mixed = Manifest.FromString(live.manifest.SerializeToString())
    mixed.generation, mixed.model_sha256 = second + 1, before.manifest.model_sha256
    with pytest.raises(FeatureSpaceError, match="one feature space"):
        store.prepare(mixed.SerializeToString(), published_bytes(installed))


def test_a_model_that_fails_its_trial_leaves_the_model_before(shop: Shop, other_model: Path) -> None:
    store = Store.open(shop.device)
    first, before = store.current(), store.open_generation().model.feature_space
    answers = skus(shop)
    shop.services.set_model(other_model, "test")
    shop.publish()

    def disagree(generation: Any) -> None:
        assert generation.model.feature_space != before
        raise ValueError("another product")

    assert sync_once(store, SyncOptions(), probe=disagree).state == "rejected"
    assert (store.current(), store.open_generation().model.feature_space) == (first, before)
    assert skus(shop) == answers
    again = shop.publish("delta")
    assert sync_once(store, SyncOptions()).state == "activated"  # with the probes that were published
    assert store.current() == again
    assert store.open_generation().model.feature_space == Model.open_folder(other_model).feature_space


def test_setting_a_model_goes_on_where_it_was_killed(shop: Shop, other_model: Path) -> None:
    services = shop.services
    new, before = Model.open_folder(other_model).feature_space, services.model.feature_space
    command = [sys.executable, "-m", "skuscan_server.cli", "--data", str(services.config.data_folder), "model"]
    environment = os.environ | {"SKUSCAN_SERVER_FEATURE_BATCH": "1", "SKUSCAN_SERVER_WORKERS": "1"}
    setting = subprocess.Popen([*command, "set", str(other_model)], env=environment, start_new_session=True)
    wait_for_a_feature(services.config.data_folder / "skuscan.db", new, setting)
    os.killpg(setting.pid, signal.SIGKILL)
    setting.wait(PATIENCE)

    def said(*arguments: str) -> Any:
        done = subprocess.run(
            [*command, *arguments, "--json"], capture_output=True, check=True, timeout=PATIENCE, env=environment
        )
        return json.loads(done.stdout)

    assert services.model.feature_space == before
    resumed = said("set", str(other_model))
    assert resumed["feature_space"] == new.hex()
    assert 0 < resumed["computed"] < PRODUCTS
    shown = said("show")
    assert (shown["name"], shown["assortments"]["default"]["is_current"]) == ("turned", False)
    assert shown["feature_space"] == new.hex() == services.model.feature_space.hex()


def wait_for_a_feature(database: Path, feature_space: bytes, process: "subprocess.Popen[bytes]") -> None:
    """Until the first feature is committed; the process must not be done before."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM feature WHERE feature_space = ?"
        while not connection.execute(query, (feature_space,)).fetchone()[0]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it ended with {process.wait(0.01)}")
            assert time.monotonic() < deadline
