"""Which references look alike; other measurements of every picture."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, and let features be computed again: what is measured of a picture has changed."""
    op.create_table(
        "neighbour",
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("feature_space", sa.LargeBinary(length=32), nullable=False),
        sa.Column("similarity", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["reference.id"], name=op.f("fk_neighbour_reference_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["other_id"], ["reference.id"], name=op.f("fk_neighbour_other_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("reference_id", "other_id", name=op.f("pk_neighbour")),
    )
    with op.batch_alter_table("neighbour", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_neighbour_other_id"), ["other_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_neighbour_similarity"), ["similarity"], unique=False)
    op.execute("DELETE FROM feature")


def downgrade() -> None:
    """Downgrade."""
    op.drop_table("neighbour")
    op.execute("DELETE FROM feature")
