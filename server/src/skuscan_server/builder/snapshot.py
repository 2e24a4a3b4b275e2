"""What an assortment holds at one moment, read in one transaction."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from skuscan.bundle.records import KEY_SEPARATOR, REFERENCE_ID_DIGITS
from skuscan_server.catalogue.products import catalogue_version
from skuscan_server.catalogue.values import ProductData
from skuscan_server.db.models import Assortment, Membership, Picture, Product, Reference
from skuscan_server.errors import NotFoundError


@dataclass(frozen=True)
class SnapshotReference:
    """A reference: its product and its picture."""

    sku: str
    picture_sha256: bytes
    picture_length: int  # bytes

    @property
    def key(self) -> str:
        """The key of its record."""
        return f"{self.sku}{KEY_SEPARATOR}{self.reference_id}"

    @property
    def reference_id(self) -> str:
        """The picture's SHA-256, cut."""
        return self.picture_sha256.hex()[:REFERENCE_ID_DIGITS]


@dataclass(frozen=True)
class Snapshot:
    """An assortment's content.

    Attributes:
        assortment: Its name.
        rollout_percent: Share of devices that take the next publication.
        version: The catalogue's version that it was read at.
        products: By SKU.
        references: Sorted by key.
        displays: SKU -> SHA-256 of the picture that is its display picture.
    """

    assortment: str
    rollout_percent: int
    version: int
    products: dict[str, ProductData]
    references: list[SnapshotReference]
    displays: dict[str, bytes]


def load_snapshot(session: Session, assortment: str) -> Snapshot:
    """Read an assortment. Raises NotFoundError."""
    row = session.get(Assortment, assortment)
    if row is None:
        raise NotFoundError("the assortment is there", assortment, "create it first")
    version, _ = catalogue_version(session)
    is_member = _is_member(row)
    columns = select(Product.sku, Product.name, Product.gtin, Product.group, Product.attributes)
    products = {row.sku: ProductData(*row) for row in session.execute(columns.where(is_member))}
    query = (
        select(Product.sku, Reference.picture_sha256, Picture.length)
        .join(Reference.product)
        .join(Picture, Picture.sha256 == Reference.picture_sha256)
        .where(is_member)
        .order_by(Reference.id)
    )
    displays: dict[str, bytes] = {}
    references: list[SnapshotReference] = []
    for sku, sha256, length in session.execute(query):
        displays.setdefault(sku, sha256)
        references.append(SnapshotReference(sku, sha256, length))
    references.sort(key=lambda reference: reference.key)
    return Snapshot(assortment, row.rollout_percent, version, products, references, displays)


def _is_member(assortment: Assortment) -> ColumnElement[bool]:
    if assortment.everything:
        return true()
    return Product.sku.in_(select(Membership.sku).where(Membership.assortment == assortment.name))
