"""Assortments: which products a group of devices gets."""

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from skuscan.bundle.manifest import check_assortment
from skuscan_server.catalogue.products import catalogue_version, count_changes
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Assortment, Membership, Product
from skuscan_server.errors import CatalogueError, ConflictError, NotFoundError

DEFAULT = "default"  # holds every product


def find_assortment(session: Session, name: str) -> Assortment:
    """The assortment. Raises NotFoundError."""
    row = session.get(Assortment, name)
    if row is None:
        raise NotFoundError("the assortment is there", name)
    return row


def create_assortment(session: Session, name: str, *, everything: bool) -> Assortment:
    """A new, empty assortment, or one of all products. Raises BundleError, ConflictError."""
    check_assortment(name)
    if session.get(Assortment, name) is not None:
        raise ConflictError("an assortment is created once", name)
    version, _ = catalogue_version(session)
    row = Assortment(name=name, everything=everything, built_version=version)
    session.add(row)
    session.flush()
    return row


def set_members(session: Session, name: str, skus: Iterable[str]) -> int:
    """Make these SKUs the assortment; how many there are. Raises CatalogueError naming SKUs that are not there."""
    if find_assortment(session, name).everything:
        raise CatalogueError("an assortment of everything has no list of members", name)
    wanted = set(skus)
    known: set[str] = set()
    for batch in batched(sorted(wanted)):
        known |= set(session.scalars(select(Product.sku).where(Product.sku.in_(batch))))
    if unknown := sorted(wanted - known):
        raise CatalogueError("members are SKUs of the catalogue", ", ".join(unknown[:10]))
    before = set(session.scalars(select(Membership.sku).where(Membership.assortment == name)))
    for batch in batched(sorted(before - wanted)):
        session.execute(delete(Membership).where(Membership.assortment == name, Membership.sku.in_(batch)))
    session.add_all(Membership(assortment=name, sku=sku) for sku in sorted(wanted - before))
    session.flush()
    if before != wanted:
        count_changes(session, len(before ^ wanted))
    return len(wanted)
