from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="curves need matplotlib (requirements-train.txt)")

from skuscan_models.training.curves import draw_curves


def test_a_log_becomes_a_picture(tmp_path: Path) -> None:
    rows = [f"{step},64,0.001,{3 / (step + 1)},{step / 20}" for step in range(20)]
    (tmp_path / "log.csv").write_text("\n".join(["step,size,rate,loss,accuracy", *rows]))
    draw_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 300
        colours = picture.convert("RGB").getcolors(1_000_000)
        assert colours
        assert len(colours) > 10  # lines, and not an empty sheet
