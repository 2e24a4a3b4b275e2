"""A server with a catalogue of any size within seconds: what a picture's features are is drawn, not computed.

Every product has one reference of the wire's usual size: a random embedding, 150 random keypoints and a random
appearance, none of which compress. Random embeddings are far from each other, so there are no pairs; there are no
pictures either, so there are no probes, and the decision is not fitted. All products share one display picture.
Everything else is the server's own: its tables, records, segments, Annoy file and signatures.
"""

import hashlib
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import delete, insert, select

from skuscan import appearance, keypoints
from skuscan.catalogue import Catalogue
from skuscan.embedding import quantize
from skuscan.proto.bundle_pb2 import Calibration
from skuscan.quality import ReferenceQuality
from skuscan_server.builder.publish import Published
from skuscan_server.catalogue.assortments import DEFAULT
from skuscan_server.catalogue.products import count_changes
from skuscan_server.config import ServerConfig
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Display, Feature, Picture, Product, Reference
from skuscan_server.services import Services
from tools.random_features import KEYPOINTS, random_appearance, random_keypoints

FRAME = (640, 640)  # px

PICTURE_BYTES = 40_000  # bytes that a picture is said to have; nobody reads it
QUALITY = asdict(
    ReferenceQuality(
        width=640,
        height=640,
        package_width=500,
        package_height=600,
        keypoints=KEYPOINTS,
        surviving=100,
        spread=1.0,
        blur=0.4,
    )
)


class BigCatalogue:
    """A server that was set up in a folder, and its catalogue.

    Attributes:
        services: The server's parts, with the installed model.
    """

    def __init__(self, folder: Path, **fields: Any) -> None:
        """Set the server up; `fields` are of `ServerConfig`."""
        self.services = Services(ServerConfig(data_folder=folder, probes=0, **fields))
        self.services.set_up()
        picture = io.BytesIO()
        Image.new("RGB", (180, 240), "teal").save(picture, "WEBP")
        self._display = self.services.published.put(picture.getvalue())

    def put(self, numbers: Iterable[int], look: int = 0) -> None:
        """Create products, or give them another price and another picture: another look.

        Args:
            numbers: Which products; number 17 is `sku-00000017`.
            look: Which of its looks.
        """
        for batch in batched(list(numbers)):
            skus = [sku_of(number) for number in batch]
            with self.services.database.write() as session:
                session.execute(delete(Product).where(Product.sku.in_(skus)))
                session.execute(insert(Product), [_product(number, look) for number in batch])
                known = set(session.scalars(select(Picture.sha256).where(Picture.sha256.in_(_pictures(batch, look)))))
                new = [sha256 for sha256 in _pictures(batch, look) if sha256 not in known]
                if new:
                    session.execute(insert(Picture), [{"sha256": sha256, "length": PICTURE_BYTES} for sha256 in new])
                session.execute(
                    insert(Reference),
                    [
                        {"sku": sku, "picture_sha256": sha256, "source_name": f"{sku}.jpg"}
                        for sku, sha256 in zip(skus, _pictures(batch, look), strict=True)
                    ],
                )
                count_changes(session, len(batch))
        self.finish_features()

    def set_price(self, numbers: Iterable[int], cents: int) -> None:
        """Change nothing but the price of some products."""
        for batch in batched(list(numbers)):
            with self.services.database.write() as session:
                for product in session.scalars(select(Product).where(Product.sku.in_(map(sku_of, batch)))):
                    product.attributes = {"price": {"currency": "EUR", "minor_units": cents}}
                count_changes(session, len(batch))

    def withdraw(self, numbers: Iterable[int]) -> None:
        """Take some products out."""
        for batch in batched(list(numbers)):
            with self.services.database.write() as session:
                session.execute(delete(Product).where(Product.sku.in_(map(sku_of, batch))))
                count_changes(session, len(batch))

    def finish_features(self) -> None:
        """Draw the features of every picture that has none in the feature space of the model in use."""
        database, space = self.services.database, self.services.model.feature_space
        with database.read() as session:
            pictures = list(session.scalars(select(Picture.sha256).order_by(Picture.sha256)))
        missing = sorted(self.services.work.missing(pictures))
        side, display = self.services.config.display_side, self._display
        for batch in batched(missing):
            with database.write() as session:
                session.execute(insert(Feature), [_feature(sha256, space) for sha256 in batch])
                shown = set(session.scalars(select(Display.picture_sha256).where(Display.picture_sha256.in_(batch))))
                rows = [
                    {"picture_sha256": sha256, "side": side, "sha256": display.sha256, "length": display.length}
                    for sha256 in batch
                    if sha256 not in shown
                ]
                if rows:
                    session.execute(insert(Display), rows)

    def publish(self, force: str = "") -> Published | None:
        """Publish the default assortment as the server does, but with the model's own decision. See `Publisher`."""
        services = self.services
        publisher = services.publisher(services.models.in_use(), _model_s_own)
        with services.pool() as pool:
            return publisher.publish(DEFAULT, services.repository(DEFAULT), pool, force=force)


def sku_of(number: int) -> str:
    """The SKU of a product by its number."""
    return f"sku-{number:08}"


def _product(number: int, look: int) -> dict[str, Any]:
    return {
        "sku": sku_of(number),
        "name": f"A product with a usual name, {number}",
        "gtin": "",
        "group": "",
        "attributes": {"price": {"currency": "EUR", "minor_units": 100 + look}},
        "updated_at": time.time(),
    }


def _pictures(numbers: Iterable[int], look: int) -> list[bytes]:
    """The SHA-256 of products' pictures, of which there are no bytes."""
    return [hashlib.sha256(b"%d %d" % (number, look)).digest() for number in numbers]


def _feature(picture_sha256: bytes, feature_space: bytes) -> dict[str, Any]:
    """Drawn from the picture and the feature space, so another model has other features."""
    rng = np.random.default_rng([*picture_sha256[:8], *feature_space[:8]])
    vectors = rng.normal(size=(2, 256)).astype(np.float32)
    return {
        "picture_sha256": picture_sha256,
        "feature_space": feature_space,
        "embedding": quantize(vectors).tobytes(),
        "keypoints": keypoints.pack(random_keypoints(rng, KEYPOINTS, *FRAME)),
        "appearance": appearance.pack(random_appearance(rng, (0, 0, *FRAME))),
        "quality": QUALITY,
    }


def _model_s_own(
    catalogue: Catalogue,
    read_picture: Callable[[int], bytes],
    false_accept_rate: float,
    progress: Callable[[int, int], None],
) -> Calibration:
    """What stands for a fit: the model's own decision."""
    return Calibration(spread=1.0, match_probability=0.9, false_accept_rate=false_accept_rate)
