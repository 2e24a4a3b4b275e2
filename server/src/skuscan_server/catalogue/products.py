"""Changing the catalogue: every change goes through here, inside the caller's transaction, and is counted.

Publishing compares whole states, so a withdrawn product is simply deleted: its tombstone follows from what was
published before.
"""

import time
from collections.abc import Iterable

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from skuscan_server.catalogue.values import Attribute, ProductData
from skuscan_server.db.models import AuditEntry, CatalogueVersion, Neighbour, Picture, Product, Reference
from skuscan_server.errors import CatalogueError, NotFoundError

SOURCE_NAME_LENGTH = 500  # characters
REFERENCES_PER_PRODUCT = 100
_ONLY_ROW = 1


def find_product(session: Session, sku: str) -> Product:
    """The product. Raises NotFoundError."""
    product = session.get(Product, sku)
    if product is None:
        raise NotFoundError("the SKU is in the catalogue", sku)
    return product


def put_product(session: Session, data: ProductData) -> bool:
    """Create or replace a product's own fields, not its pictures. True when something changed."""
    product = session.get(Product, data.sku)
    if product is None:
        product = Product(sku=data.sku)
        session.add(product)
    elif _fields(product) == _fields(data):
        return False
    elif product.group != data.group:
        forget_neighbours(session, data.sku)  # products of one group do not count as look-alikes
    product.name, product.gtin, product.group = data.name, data.gtin, data.group
    product.attributes = dict(data.attributes)
    product.updated_at = time.time()
    session.flush()
    return True


def set_references(session: Session, sku: str, pictures: Iterable[tuple[bytes, str]]) -> bool:
    """Make (SHA-256, source name) pairs the pictures of a product, the first its display. True when it changed."""
    wanted = dict(pictures)
    if len(wanted) > REFERENCES_PER_PRODUCT:
        raise CatalogueError(f"a product has at most {REFERENCES_PER_PRODUCT} pictures", f"{sku}: {len(wanted)}")
    current = list(session.scalars(select(Reference.picture_sha256).where(Reference.sku == sku).order_by(Reference.id)))
    if current == list(wanted):
        return False
    session.execute(delete(Reference).where(Reference.sku == sku))
    for sha256, name in wanted.items():
        session.add(Reference(sku=sku, picture_sha256=sha256, source_name=name[:SOURCE_NAME_LENGTH]))
    session.flush()
    return True


def add_reference(session: Session, sku: str, picture_sha256: bytes, source_name: str) -> Reference:
    """Add one picture to a product; the same picture twice is one reference. Raises NotFoundError, CatalogueError."""
    product = find_product(session, sku)
    for reference in product.references:
        if reference.picture_sha256 == picture_sha256:
            return reference
    if len(product.references) >= REFERENCES_PER_PRODUCT:
        raise CatalogueError(f"a product has at most {REFERENCES_PER_PRODUCT} pictures", f"{sku}: one more")
    reference = Reference(sku=sku, picture_sha256=picture_sha256, source_name=source_name[:SOURCE_NAME_LENGTH])
    product.references.append(reference)
    session.flush()
    count_changes(session, 1)
    return reference


def forget_neighbours(session: Session, sku: str) -> None:
    """Let a product's pictures be compared with all others anew."""
    references = select(Reference.id).where(Reference.sku == sku)
    session.execute(
        delete(Neighbour).where(or_(Neighbour.reference_id.in_(references), Neighbour.other_id.in_(references)))
    )


def withdraw(session: Session, sku: str) -> None:
    """Take a product and its references out of the catalogue. Raises NotFoundError."""
    session.delete(find_product(session, sku))
    session.flush()
    count_changes(session, 1)


def set_attribute(session: Session, sku: str, name: str, value: Attribute) -> None:
    """Set one attribute, such as the price. Raises NotFoundError, CatalogueError."""
    product = find_product(session, sku)
    data = ProductData(sku, product.name, product.gtin, product.group, {**product.attributes, name: value})
    if put_product(session, data):
        count_changes(session, 1)


def remember_picture(session: Session, sha256: bytes, length: int) -> None:
    """Note that the picture is in the folder of pictures."""
    if session.get(Picture, sha256) is None:
        session.add(Picture(sha256=sha256, length=length))
        session.flush()


def count_changes(session: Session, changes: int) -> None:
    """Count so many changes; the scheduler looks at the count."""
    row = session.get(CatalogueVersion, _ONLY_ROW, with_for_update=True)
    if row is None:
        row = CatalogueVersion(id=_ONLY_ROW, version=0, changed_at=0.0)
        session.add(row)
    row.version += changes
    row.changed_at = time.time()
    session.flush()


def catalogue_version(session: Session) -> tuple[int, float]:
    """How often the catalogue changed, and when last (UTC s); (0, 0.0) before the first change."""
    row = session.get(CatalogueVersion, _ONLY_ROW)
    return (row.version, row.changed_at) if row else (0, 0.0)


def audit(session: Session, actor: str, action: str, subject: str) -> None:
    """Write down who did what."""
    session.add(AuditEntry(at=time.time(), actor=actor[:120], action=action[:60], subject=subject[:200]))


def _fields(product: Product | ProductData) -> tuple[str, str, str, dict[str, Attribute]]:
    return product.name, product.gtin, product.group, dict(product.attributes)
