import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skuscan.bundle.limits import LIMITS
from skuscan_server.config import ServerConfig
from skuscan_server.features import Computed, FeaturePool, Recipe, Refused, compute

PATIENCE = 60.0  # s


@pytest.fixture
def recipe(config: ServerConfig) -> Recipe:
    return Recipe(str(config.model_folder), display_side=120)


def test_a_picture_becomes_features_and_a_small_display_picture(recipe: Recipe, make_picture: Any) -> None:
    result = compute(make_picture(1), recipe)
    assert isinstance(result, Computed)
    assert len(result.embedding) == 512
    with Image.open(io.BytesIO(result.display)) as display:
        assert (display.format, max(display.size)) == ("WEBP", 120)


def test_noise_fits_the_device_s_limit(recipe: Recipe) -> None:
    out = io.BytesIO()
    Image.frombytes("RGB", (512, 512), os.urandom(3 * 512 * 512)).save(out, "PNG")
    result = compute(out.getvalue(), Recipe(recipe.model_folder, display_side=512))
    assert isinstance(result, Computed)
    assert len(result.display) <= LIMITS.display_bytes


def test_a_refusal_is_a_result(recipe: Recipe) -> None:
    result = compute(b"no picture", recipe)
    assert isinstance(result, Refused)
    assert result.rule.startswith("a picture is")


def test_processes_answer_in_order(recipe: Recipe, make_picture: Any) -> None:
    pictures = [(0, make_picture(0)), (1, b"no picture"), (2, make_picture(2))]
    with FeaturePool(recipe, workers=1) as pool:
        done = list(pool.map(pictures))
    assert [(key, type(result)) for key, result in done] == [(0, Computed), (1, Refused), (2, Computed)]


def test_workers_end_when_their_owner_is_killed(recipe: Recipe, tmp_path: Path) -> None:
    """A pipe that owner and workers hold open ends when the last of them does."""
    owner = f"""
import os, signal
from skuscan_server.features import FeaturePool, Recipe
if __name__ == "__main__":
    pool = FeaturePool(Recipe({recipe.model_folder!r}, 120), workers=1)
    assert len(list(pool.map([(0, b"no picture")]))) == 1
    os.kill(os.getpid(), signal.SIGKILL)
"""
    (tmp_path / "owner.py").write_text(owner)
    done = subprocess.run([sys.executable, str(tmp_path / "owner.py")], stdout=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == -signal.SIGKILL


def test_no_picture_starts_no_process(recipe: Recipe) -> None:
    with FeaturePool(recipe, workers=1) as pool:
        assert list(pool.map([])) == []
        assert pool._executor is None
