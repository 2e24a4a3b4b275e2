"""A device with a real catalogue of drawn products: made once, by a real server, over loopback."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from skuscan.store import Store
from skuscan_models.synthetic.demo import write_catalogue
from skuscan_server.catalogue.csv_import import read_csv
from skuscan_server.config import ServerConfig
from skuscan_server.evaluation.device import provision

PRODUCTS = 12  # all of one family: near-duplicates
PHOTOS = 6


@dataclass(frozen=True)
class Shop:
    """A server's data folder, its device's store, and photos of products for sale."""

    catalogue: Path
    photos: list[Path]
    photos_csv: Path
    config: ServerConfig
    store: Path


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Import, publish, enrol, sync; the server is down afterwards."""
    folder = tmp_path_factory.mktemp("shop")
    catalogue = write_catalogue(folder / "drawn", PRODUCTS, photos=PHOTOS)
    config = ServerConfig(data_folder=folder / "server", workers=1, annoy_from=1)
    plan = read_csv(catalogue, config.max_csv_bytes, config.max_csv_rows)
    device = provision(plan, config, folder / "device", lambda *_: None)
    assert isinstance(device, Store)
    photos = sorted((folder / "drawn" / "photos").glob("*.jpg"))
    return Shop(catalogue, photos, folder / "drawn" / "photos.csv", config, folder / "device")
