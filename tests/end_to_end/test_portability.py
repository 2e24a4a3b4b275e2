"""What is compiled on this machine must run on another one."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skuscan.model import Model

EMULATOR = "qemu-x86_64-static"
OLD_PROCESSOR = "Nehalem"  # 2008, the first with the instructions of x86-64-v2
TIMEOUT = 120  # s

SCAN = """
import sys
import annoy
import numpy as np
from pathlib import Path
from skuscan.embedding import Embedder
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions

index = annoy.AnnoyIndex(256, "angular")
index.set_seed(1)
rows = np.random.default_rng(1).standard_normal((300, 256))
for i, row in enumerate(rows):
    index.add_item(i, row)
index.build(10, n_jobs=1)
picture = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
vector = Embedder.open(Model.open_folder(Path(sys.argv[1])), RuntimeOptions()).embed(picture)
print(index.get_nns_by_vector(rows[7], 1)[0], abs(float(vector @ vector) - 1) < 1e-3)
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="emulates an older x86-64 on an x86-64")
@pytest.mark.skipif(shutil.which(EMULATOR) is None, reason=f"needs {EMULATOR} (apt install qemu-user-static)")
def test_annoy_and_the_network_run_on_a_processor_of_2008(released_model: Model):
    python = Path(sys.executable).resolve()  # the emulator follows no link
    run = subprocess.run(
        [EMULATOR, "-cpu", OLD_PROCESSOR, str(python), "-c", SCAN, str(released_model.backbone.parent)],
        env=os.environ | {"PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["7", "True"]
