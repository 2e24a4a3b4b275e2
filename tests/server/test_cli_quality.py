"""What the command line says of reference pictures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image, ImageFilter

from skuscan_server import cli
from skuscan_server.services import Services


@pytest.fixture
def run(services: Services, executor: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command on the test's server; features are computed in the test's threads."""
    monkeypatch.setattr("skuscan_server.cli.common.Services", lambda config: Services(config, executor))
    return lambda *arguments: CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), *arguments])


@pytest.fixture
def catalogue(write_catalogue: Callable[..., Path], tmp_path: Path) -> Path:
    """Two packages, the first of them again as another product, and the second out of focus as a third."""
    rows = [
        {"sku": "A", "name": "Apple", "image": "1.jpg"},
        {"sku": "B", "name": "Apple again", "image": "copy.jpg"},
        {"sku": "C", "name": "Cocoa", "image": "2.jpg"},
        {"sku": "D", "name": "Blurred", "image": "blurred.png"},
    ]
    path = write_catalogue(rows)
    (tmp_path / "copy.jpg").write_bytes((tmp_path / "1.jpg").read_bytes())
    with Image.open(tmp_path / "2.jpg") as sharp:
        sharp.filter(ImageFilter.GaussianBlur(9)).save(tmp_path / "blurred.png")
    return path


def test_an_import_takes_every_picture_and_names_the_poor_ones(run: Callable[..., Any], catalogue: Path) -> None:
    said = run("catalogue", "import", str(catalogue))
    assert said.exit_code == 0
    assert "4 new" in said.output
    assert "blurred.png\t" in said.output
    assert "take a sharper picture" in said.output
    assert "look-alikes: skuscan-server catalogue look-alikes" in said.output


def test_an_import_says_the_same_to_machines(run: Callable[..., Any], catalogue: Path) -> None:
    said = json.loads(run("catalogue", "import", str(catalogue), "--json").stdout)
    assert (said["created"], said["quality"]["unmeasured"]) == (4, 0)
    assert said["quality"]["poor"] >= 3  # the blurred one, and two that are one picture
    assert said["look_alikes"] >= 1


def test_quality_as_lines_json_and_a_page(run: Callable[..., Any], catalogue: Path, tmp_path: Path) -> None:
    run("catalogue", "import", str(catalogue))
    page = tmp_path / "new" / "quality.html"
    said = run("catalogue", "quality", "--limit", "4", "--html", str(page), "--json")
    report = json.loads(said.stdout)
    blurred = next(item for item in report["worst"] if item["sku"] == "D")
    assert min(blurred["aspects"], key=blurred["aspects"].__getitem__) in ("blur", "texture", "spread")
    assert blurred["grade"] == "poor"
    assert page.read_text().count("data:image/webp") == len(report["worst"])
    assert "D\tblurred.png" in run("catalogue", "quality").stdout


def test_look_alikes_as_lines_json_and_a_page(run: Callable[..., Any], catalogue: Path, tmp_path: Path) -> None:
    assert run("catalogue", "look-alikes").stdout == "No two products look alike.\n"
    run("catalogue", "import", str(catalogue))
    page = tmp_path / "pairs.html"
    pairs = json.loads(run("catalogue", "look-alikes", "--html", str(page), "--json").stdout)
    assert (pairs[0]["sku_a"], pairs[0]["sku_b"], pairs[0]["similarity"]) == ("A", "B", 1.0)
    assert page.read_text().count("data:image/webp") == 2 * len(pairs)
    assert run("catalogue", "look-alikes", "--limit", "1").stdout.startswith("1.000\tA\tB\tboth have the same picture")
