"""A server with a published catalogue whose features are drawn, and devices that sync with it over loopback."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from benchmarks.big_catalogue import BigCatalogue
from skuscan.store import Store
from skuscan.sync import agent, enrolment
from skuscan.sync.options import SyncOptions
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.backup.save import back_up
from skuscan_server.services import Services

OPTIONS = SyncOptions(index_policy="download")
PRODUCTS = 12

MakeDatabase = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def stocked_database(database_server: str, make_database: MakeDatabase) -> Iterator[str]:
    """The URL of the stocked server's database on PostgreSQL; empty on SQLite."""
    if not database_server:
        yield ""
        return
    with make_database() as url:
        yield url


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory, stocked_database: str) -> Path:
    """A data folder. Tests take a copy."""
    folder = tmp_path_factory.mktemp("stocked") / "data"
    shop = BigCatalogue(folder, workers=1, database_url=stocked_database)
    shop.put(range(PRODUCTS))
    shop.services.pictures.put(b"a reference picture, as uploaded")
    shop.publish()
    shop.services.database.close()
    return folder


@pytest.fixture(scope="session")
def fresh_database(stocked: Path, stocked_database: str) -> str:
    """What tests copy on PostgreSQL: here the stocked server's."""
    return str(make_url(stocked_database).database) if stocked_database else ""


@pytest.fixture
def shop(stocked: Path, database_url: str, tmp_path: Path) -> BigCatalogue:
    shutil.copytree(stocked, tmp_path / "data")
    return BigCatalogue(tmp_path / "data", workers=1)


@pytest.fixture
def services(shop: BigCatalogue) -> Services:
    return shop.services


@pytest.fixture
def archive(services: Services, tmp_path: Path) -> Path:
    """A backup of the server as it is now."""
    back_up(services, tmp_path / "backup.tar")
    return tmp_path / "backup.tar"


@pytest.fixture
def enrol(services: Services, url: str, tmp_path: Path) -> Callable[[str], Store]:
    """Enrol a device: its empty store."""

    def run(name: str) -> Store:
        with services.database.write() as session:
            token = create_enrolment_token(session, "default", services.repository("default").root_sha256(), 1)
        enrolment.enrol(url, str(token), tmp_path / name, name, OPTIONS)
        return Store.open(tmp_path / name)

    return run


@pytest.fixture
def sync() -> Callable[[Store], agent.SyncResult]:
    def run(store: Store) -> agent.SyncResult:
        return agent.sync_once(store, OPTIONS, probe=lambda generation: None)

    return run
