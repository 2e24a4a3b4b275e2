"""The tables.

    product ─< reference >─ picture ─< feature, display      the catalogue as the operator sees it
    reference ─< neighbour >─ reference                       which pictures look alike
    assortment ─< membership >─ product                       who gets what
    assortment ─< publication, live_record >─ record          what was published, byte for byte
    assortment ─< device, enrolment_token                     who asks
    api_key, audit_entry, builder_lock, catalogue_version     who may, who did, who builds, what is new

Digests are raw 32-byte values; times are UTC seconds since 1970. Records are kept as the bytes that were first
published, and shared by all assortments that publish the same one.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from skuscan.bundle.limits import LIMITS

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
DIGEST = LargeBinary(32)
RECORD_KEY_LENGTH = 2 * LIMITS.sku_length + 1  # characters: a pair's key


class Base(DeclarativeBase):
    """The base of all tables; constraints have predictable names so that migrations can refer to them."""

    metadata = MetaData(naming_convention=NAMING)


class Product(Base):
    """One thing for sale. `attributes` maps a name to one typed value, see `catalogue/values.py`."""

    __tablename__ = "product"

    sku: Mapped[str] = mapped_column(String(LIMITS.sku_length), primary_key=True)
    name: Mapped[str] = mapped_column(String(LIMITS.name_length))
    gtin: Mapped[str] = mapped_column(String(14), default="")
    group: Mapped[str] = mapped_column(String(LIMITS.sku_length), default="")
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    updated_at: Mapped[float]
    references: Mapped[list["Reference"]] = relationship(
        back_populates="product", cascade="all, delete-orphan", passive_deletes=True, order_by="Reference.id"
    )


class Picture(Base):
    """A reference picture that the server holds, by the SHA-256 of its bytes."""

    __tablename__ = "picture"

    sha256: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    length: Mapped[int]  # bytes


class Reference(Base):
    """One catalogue picture of a product. The lowest id is the product's display picture."""

    __tablename__ = "reference"
    __table_args__ = (UniqueConstraint("sku", "picture_sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("product.sku", ondelete="CASCADE"))
    picture_sha256: Mapped[bytes] = mapped_column(ForeignKey("picture.sha256"), index=True)
    source_name: Mapped[str] = mapped_column(String(500))  # the file's name, for people
    product: Mapped[Product] = relationship(back_populates="references")


class Feature(Base):
    """Finished work: what a feature space's extractor made of a picture."""

    __tablename__ = "feature"

    picture_sha256: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    feature_space: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary(512))  # 2 x 256 int8
    keypoints: Mapped[bytes]
    appearance: Mapped[bytes]
    quality: Mapped[dict[str, Any]] = mapped_column(JSON)  # `skuscan.quality.ReferenceQuality`


class Neighbour(Base):
    """Finished work: another product's reference that looks like this one; see `quality/neighbours.py`."""

    __tablename__ = "neighbour"

    reference_id: Mapped[int] = mapped_column(ForeignKey("reference.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("reference.id", ondelete="CASCADE"), primary_key=True, index=True)
    feature_space: Mapped[bytes] = mapped_column(DIGEST)
    similarity: Mapped[float] = mapped_column(index=True)  # cosine


class Display(Base):
    """Finished work: the small WebP of a picture, a published blob."""

    __tablename__ = "display"

    picture_sha256: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    side: Mapped[int] = mapped_column(primary_key=True)  # px
    sha256: Mapped[bytes] = mapped_column(DIGEST)
    length: Mapped[int]  # bytes


class Assortment(Base):
    """The set of SKUs that a group of devices needs."""

    __tablename__ = "assortment"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    everything: Mapped[bool]  # all products, whatever the memberships say
    rollout_percent: Mapped[int] = mapped_column(default=100)
    publish_requested: Mapped[str] = mapped_column(String(10), default="")  # "", "changes", "delta" or "base"
    last_error: Mapped[str] = mapped_column(String(600), default="")  # of the last publication; empty: it went well
    built_version: Mapped[int] = mapped_column(default=0)  # the catalogue's version at the last publication or check
    built_at: Mapped[float] = mapped_column(default=0.0)
    signed_at: Mapped[float] = mapped_column(default=0.0)  # 0: never published


class Membership(Base):
    """A product is in an assortment."""

    __tablename__ = "membership"

    assortment: Mapped[str] = mapped_column(ForeignKey("assortment.name", ondelete="CASCADE"), primary_key=True)
    sku: Mapped[str] = mapped_column(ForeignKey("product.sku", ondelete="CASCADE"), primary_key=True, index=True)


class Record(Base):
    """A record as it was first serialised. `source` is the digest of what it was made from."""

    __tablename__ = "record"
    __table_args__ = (UniqueConstraint("kind", "key", "source"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[int]
    key: Mapped[str] = mapped_column(String(RECORD_KEY_LENGTH))
    source: Mapped[bytes] = mapped_column(DIGEST)
    sha256: Mapped[bytes] = mapped_column(DIGEST)
    data: Mapped[bytes]


class LiveRecord(Base):
    """A record that the last publication of an assortment holds."""

    __tablename__ = "live_record"

    assortment: Mapped[str] = mapped_column(ForeignKey("assortment.name", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(RECORD_KEY_LENGTH), primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey("record.id"), index=True)


class Publication(Base):
    """One published generation of an assortment."""

    __tablename__ = "publication"

    assortment: Mapped[str] = mapped_column(ForeignKey("assortment.name", ondelete="CASCADE"), primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    created_at: Mapped[float]
    kind: Mapped[str] = mapped_column(String(10))  # "base" or "delta"
    manifest: Mapped[bytes]  # the serialised message, as signed
    uncalibrated: Mapped[int]  # references added or withdrawn since the calibration was fitted


class Device(Base):
    """An enrolled device, and what it last reported."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    assortment: Mapped[str] = mapped_column(ForeignKey("assortment.name"), index=True)
    token_sha256: Mapped[bytes] = mapped_column(DIGEST, unique=True)
    enrolled_at: Mapped[float]
    revoked_at: Mapped[float | None]
    seen_at: Mapped[float | None]
    generation: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(String(16), default="")
    reason: Mapped[str] = mapped_column(String(500), default="")
    version: Mapped[str] = mapped_column(String(64), default="")
    runtime: Mapped[str] = mapped_column(String(200), default="")
    rejected_generation: Mapped[int] = mapped_column(BigInteger, default=0)
    clock_skew_s: Mapped[int] = mapped_column(BigInteger, default=0)


class EnrolmentToken(Base):
    """A single-use invitation; only its digest is kept."""

    __tablename__ = "enrolment_token"

    secret_sha256: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    assortment: Mapped[str] = mapped_column(ForeignKey("assortment.name", ondelete="CASCADE"))
    created_at: Mapped[float]
    expires_at: Mapped[float]
    used_at: Mapped[float | None]


class ApiKey(Base):
    """An operator's key; only its digest is kept."""

    __tablename__ = "api_key"

    key_sha256: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[float]


class AuditEntry(Base):
    """Who did what."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index("ix_audit_entry_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(200))


class CatalogueVersion(Base):
    """One row: how often the catalogue changed, and when last."""

    __tablename__ = "catalogue_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    changed_at: Mapped[float]


class BuilderLock(Base):
    """One row for each assortment that was ever built; `holder` is empty when nobody builds."""

    __tablename__ = "builder_lock"

    assortment: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[float]
