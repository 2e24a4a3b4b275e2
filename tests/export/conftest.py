"""`skuscan_export` is not part of `make env`; what of it needs no TensorFlow is tested from the checkout."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "export" / "src"))
