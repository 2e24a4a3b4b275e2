"""A server in a temporary folder, with a real model and drawn pictures. Features are computed in threads: starting
processes takes seconds, and has a test of its own."""

import csv
import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool
from werkzeug.serving import make_server

from skuscan.bundle.manifest import parse_manifest
from skuscan.bundle.segment import read_segment
from skuscan.bundle.state import state_digest
from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT
from skuscan_server.app import create_app
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.catalogue.importer import ImportResult
from skuscan_server.config import ServerConfig
from skuscan_server.db import schema
from skuscan_server.db.session import Database
from skuscan_server.services import Services
from tools.fault_bench.serving import serving

PictureMaker = Callable[..., bytes]


@pytest.fixture(scope="session")
def make_picture() -> PictureMaker:
    """Draw a package of its own for each number, as JPEG."""

    def make(number: int, side: int = 320) -> bytes:
        random = np.random.default_rng(number)
        image = Image.new("RGB", (side, side), tuple(int(c) for c in random.integers(0, 255, 3)))
        draw = ImageDraw.Draw(image)
        for _ in range(40):
            x, y, width, height = random.integers(0, side, 4)
            colour = tuple(int(c) for c in random.integers(0, 255, 3))
            draw.rectangle((int(x), int(y), int(x + width // 4), int(y + height // 4)), fill=colour)
        draw.text((20, 20), f"PRODUCT {number}", fill="white")
        out = io.BytesIO()
        image.save(out, "JPEG", quality=90)
        return out.getvalue()

    return make


class RememberingExecutor(ThreadPoolExecutor):
    """Computes the features of a drawn picture once for all tests."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self._known: dict[Any, Future[Any]] = {}

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        assert not kwargs
        if (function, args) not in self._known:
            self._known[function, args] = super().submit(function, *args)
        return self._known[function, args]


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with RememberingExecutor(2) as threads:
        yield threads


@pytest.fixture(scope="session")
def database_server() -> str:
    """The URL of a PostgreSQL that the tests may make databases on; empty: they run on SQLite."""
    return os.environ.get("SKUSCAN_TEST_DATABASE", "")


@pytest.fixture(autouse=True)
def database_url(
    request: pytest.FixtureRequest, database_server: str, make_database: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The database of every server of a test: on PostgreSQL a new one, that of a server that was just set up."""
    if not database_server:
        yield ""
        return
    with make_database(request.getfixturevalue("fresh_database")) as url:
        monkeypatch.setenv("SKUSCAN_SERVER_DATABASE_URL", url)
        yield url


@pytest.fixture(scope="session")
def make_database(database_server: str) -> Callable[..., AbstractContextManager[str]]:
    """Make a PostgreSQL database for a block, perhaps as a copy of another: its URL."""

    @contextmanager
    def make(template: str = "template0") -> Iterator[str]:
        name = f"test_{uuid.uuid4().hex}"
        engine = create_engine(database_server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield make_url(database_server).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

    return make


@pytest.fixture
def config(tmp_path: Path) -> ServerConfig:
    return ServerConfig(
        data_folder=tmp_path / "data",
        workers=2,
        feature_batch=2,
        probes=2,
        annoy_from=1,
        annoy_trees=5,
        lease=5.0,
        device_burst=1_000,
    )


@pytest.fixture(scope="session")
def fresh_database(database_server: str, make_database: Any) -> Iterator[str]:
    """The name of a PostgreSQL database for `fresh_server`; empty on SQLite."""
    if not database_server:
        yield ""
        return
    with make_database() as url:
        database = Database(url)
        schema.upgrade(database)
        database.close()
        yield str(make_url(url).database)


@pytest.fixture(scope="session")
def fresh_server(tmp_path_factory: pytest.TempPathFactory, database_server: str, fresh_database: str) -> Path:
    """The data folder of a server that was just set up. Tests take a copy."""
    folder = tmp_path_factory.mktemp("fresh") / "data"
    url = make_url(database_server).set(database=fresh_database).render_as_string(False) if database_server else ""
    services = Services(ServerConfig(data_folder=folder, database_url=url))
    services.set_up()
    services.database.close()
    return folder


@pytest.fixture
def services(config: ServerConfig, executor: Executor, fresh_server: Path) -> Services:
    """A server that was set up, with an empty catalogue."""
    shutil.copytree(fresh_server, config.data_folder)
    return Services(config, executor)


@dataclass(frozen=True)
class PublishedState:
    """What devices get: the live manifest, and every record that its segments come to."""

    manifest: Manifest
    records: dict[tuple[int, str], bytes]

    @property
    def skus(self) -> set[str]:
        return {key for kind, key in self.records if kind == RECORD_KIND_PRODUCT}


@pytest.fixture
def published(services: Services) -> Callable[[], PublishedState]:
    """Read what is published as a device would, and check its digest."""

    def read() -> PublishedState:
        metadata = services.repository("default").metadata
        timestamp = json.loads((metadata / "timestamp.json").read_text())["signed"]
        snapshot = json.loads((metadata / f"{timestamp['meta']['snapshot.json']['version']}.snapshot.json").read_text())
        version = snapshot["signed"]["meta"]["targets.json"]["version"]
        targets = json.loads((metadata / f"{version}.targets.json").read_text())["signed"]["targets"]
        digest = targets["manifest"]["hashes"]["sha256"]
        manifest = parse_manifest((metadata.parent / "targets" / f"{digest}.manifest").read_bytes())
        records: dict[tuple[int, str], bytes] = {}
        for segment in (*manifest.base_segments, *manifest.delta_segments):
            content = read_segment(services.published.read(segment.file), segment)
            records.update({(content.kind, key): data for key, data in content.records})
            for key in content.tombstones:
                del records[content.kind, key]
        entries = [(*identity, hashlib.sha256(records[identity]).digest()) for identity in sorted(records)]
        assert state_digest(entries) == manifest.state_digest
        return PublishedState(manifest, records)

    return read


@pytest.fixture
def write_catalogue(tmp_path: Path, make_picture: PictureMaker) -> Callable[..., Path]:
    """Write a CSV of some rows, and pictures for them that are not there yet: `NUMBER.jpg` shows package NUMBER."""

    def write(rows: list[dict[str, Any]], name: str = "catalogue.csv") -> Path:
        columns = list(dict.fromkeys(column for row in rows for column in row))
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        for row in rows:
            picture = tmp_path / row.get("image", "0.jpg")
            if picture.stem.isdigit() and not picture.exists():
                picture.write_bytes(make_picture(int(picture.stem)))
        return path

    return write


@pytest.fixture
def import_rows(services: Services, write_catalogue: Callable[..., Path]) -> Callable[..., ImportResult]:
    """Bring rows of a CSV into the catalogue."""

    def run(rows: list[dict[str, Any]]) -> ImportResult:
        plan = read_csv(write_catalogue(rows), 1_000_000, 1_000)
        with services.pool() as pool:
            return services.importer(pool).run(plan, "test")

    return run


@pytest.fixture
def five_products() -> list[dict[str, Any]]:
    return [{"sku": f"SKU-{n}", "name": f"Product {n}", "image": f"{n}.jpg"} for n in range(1, 6)]


@pytest.fixture
def client(services: Services) -> Any:
    """A client of the web application without a key."""
    return create_app(services.config).test_client()


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    """The server, on loopback."""
    server = make_server("127.0.0.1", 0, create_app(services.config), threaded=True)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
