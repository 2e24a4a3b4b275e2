"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table, those that others refer to first."""
    _create_catalogue()
    _create_assortments()
    _create_publications()
    _create_access()


def downgrade() -> None:
    """Downgrade."""
    with op.batch_alter_table("reference", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_reference_picture_sha256"))

    op.drop_table("reference")
    op.drop_table("publication")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_membership_sku"))

    op.drop_table("membership")
    with op.batch_alter_table("live_record", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_live_record_record_id"))

    op.drop_table("live_record")
    op.drop_table("enrolment_token")
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_assortment"))

    op.drop_table("device")
    op.drop_table("record")
    op.drop_table("product")
    op.drop_table("picture")
    op.drop_table("feature")
    op.drop_table("display")
    op.drop_table("catalogue_version")
    op.drop_table("builder_lock")
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_entry_at")

    op.drop_table("audit_entry")
    op.drop_table("assortment")
    op.drop_table("api_key")


def _create_catalogue() -> None:
    """Products, their pictures, and what is computed from a picture."""
    op.create_table(
        "catalogue_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_version")),
    )
    op.create_table(
        "product",
        sa.Column("sku", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("group", sa.String(length=128), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("sku", name=op.f("pk_product")),
    )
    op.create_table(
        "picture",
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_picture")),
    )
    op.create_table(
        "feature",
        sa.Column("picture_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("feature_space", sa.LargeBinary(length=32), nullable=False),
        sa.Column("embedding", sa.LargeBinary(length=512), nullable=False),
        sa.Column("keypoints", sa.LargeBinary(), nullable=False),
        sa.Column("appearance", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("picture_sha256", "feature_space", name=op.f("pk_feature")),
    )
    op.create_table(
        "display",
        sa.Column("picture_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("side", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("picture_sha256", "side", name=op.f("pk_display")),
    )
    op.create_table(
        "reference",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sku", sa.String(length=128), nullable=False),
        sa.Column("picture_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source_name", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["picture_sha256"], ["picture.sha256"], name=op.f("fk_reference_picture_sha256")),
        sa.ForeignKeyConstraint(["sku"], ["product.sku"], name=op.f("fk_reference_sku"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reference")),
        sa.UniqueConstraint("sku", "picture_sha256", name=op.f("uq_reference_sku")),
    )
    with op.batch_alter_table("reference", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reference_picture_sha256"), ["picture_sha256"], unique=False)


def _create_assortments() -> None:
    """Assortments, what is in them, and who builds them."""
    op.create_table(
        "assortment",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("rollout_percent", sa.Integer(), nullable=False),
        sa.Column("publish_requested", sa.String(length=10), nullable=False),
        sa.Column("last_error", sa.String(length=600), nullable=False),
        sa.Column("built_version", sa.Integer(), nullable=False),
        sa.Column("built_at", sa.Double(), nullable=False),
        sa.Column("signed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_assortment")),
    )
    op.create_table(
        "membership",
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("sku", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["assortment"], ["assortment.name"], name=op.f("fk_membership_assortment"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["sku"], ["product.sku"], name=op.f("fk_membership_sku"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("assortment", "sku", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_membership_sku"), ["sku"], unique=False)
    op.create_table(
        "builder_lock",
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("assortment", name=op.f("pk_builder_lock")),
    )


def _create_publications() -> None:
    """Records, and which of them are published."""
    op.create_table(
        "record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=257), nullable=False),
        sa.Column("source", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record")),
        sa.UniqueConstraint("kind", "key", "source", name=op.f("uq_record_kind")),
    )
    op.create_table(
        "live_record",
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=257), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assortment"], ["assortment.name"], name=op.f("fk_live_record_assortment"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["record_id"], ["record.id"], name=op.f("fk_live_record_record_id")),
        sa.PrimaryKeyConstraint("assortment", "kind", "key", name=op.f("pk_live_record")),
    )
    with op.batch_alter_table("live_record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_live_record_record_id"), ["record_id"], unique=False)
    op.create_table(
        "publication",
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("uncalibrated", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assortment"], ["assortment.name"], name=op.f("fk_publication_assortment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("assortment", "generation", name=op.f("pk_publication")),
    )


def _create_access() -> None:
    """Operators, what they did, and devices."""
    op.create_table(
        "api_key",
        sa.Column("key_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_sha256", name=op.f("pk_api_key")),
        sa.UniqueConstraint("name", name=op.f("uq_api_key_name")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_entry")),
    )
    with op.batch_alter_table("audit_entry", schema=None) as batch_op:
        batch_op.create_index("ix_audit_entry_at", ["at"], unique=False)
    op.create_table(
        "enrolment_token",
        sa.Column("secret_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("used_at", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assortment"], ["assortment.name"], name=op.f("fk_enrolment_token_assortment"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("secret_sha256", name=op.f("pk_enrolment_token")),
    )
    op.create_table(
        "device",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("assortment", sa.String(length=64), nullable=False),
        sa.Column("token_sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("enrolled_at", sa.Double(), nullable=False),
        sa.Column("revoked_at", sa.Double(), nullable=True),
        sa.Column("seen_at", sa.Double(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("runtime", sa.String(length=200), nullable=False),
        sa.Column("rejected_generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assortment"], ["assortment.name"], name=op.f("fk_device_assortment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_device_token_sha256")),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_assortment"), ["assortment"], unique=False)
