"""How far the clocks of devices are from the server's, as they reported."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; devices that have not reported since are taken to be right."""
    op.add_column("device", sa.Column("clock_skew_s", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Downgrade."""
    op.drop_column("device", "clock_skew_s")
