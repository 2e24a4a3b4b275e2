"""A catalogue whose pictures are directions in a plane: how alike two are is the cosine of the angle between them."""

from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256

import numpy as np
import pytest

from skuscan.embedding import quantize
from skuscan.quality import ReferenceQuality
from skuscan_server.catalogue.products import put_product, remember_picture, set_references
from skuscan_server.catalogue.values import ProductData
from skuscan_server.db.models import Feature
from skuscan_server.quality.nearest import NearOptions
from skuscan_server.quality.neighbours import Neighbours
from skuscan_server.services import Services

AddProduct = Callable[..., None]

FAULTLESS = ReferenceQuality(640, 640, 600, 600, 150, 150, 0.9, 0.3)


@pytest.fixture
def faultless() -> ReferenceQuality:
    """A picture with nothing to be said against it."""
    return FAULTLESS


@pytest.fixture
def add_product(services: Services) -> AddProduct:
    """Put a product with measured pictures into the catalogue, one for each angle (degrees)."""

    def add(sku: str, *angles: float, group: str = "", quality: ReferenceQuality | None = FAULTLESS) -> None:
        pictures = [(sha256(f"{sku} {angle}".encode()).digest(), f"{sku}-{angle}.jpg") for angle in angles]
        with services.database.write() as session:
            put_product(session, ProductData(sku, f"Product {sku}", "", group, {}))
            for (picture, _), angle in zip(pictures, angles, strict=True):
                remember_picture(session, picture, 1)
                vector = np.zeros(256, np.float32)
                vector[:2] = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
                if quality is not None:
                    feature = Feature(
                        picture_sha256=picture,
                        feature_space=services.model.feature_space,
                        embedding=quantize(vector).tobytes() * 2,
                        keypoints=b"",
                        appearance=b"",
                        quality=asdict(quality),
                    )
                    session.merge(feature)
            set_references(session, sku, pictures)

    return add


@pytest.fixture
def neighbours(services: Services) -> Neighbours:
    """Two products look alike from 26 degrees on, and a picture has at most three neighbours."""
    return Neighbours(services.database, services.model.feature_space, NearOptions(0.9, 3), lease=5.0)
