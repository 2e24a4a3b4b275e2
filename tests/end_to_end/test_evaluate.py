"""`skuscan-server evaluate` on drawn pictures: the whole path, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

TIMEOUT = 300  # s


def evaluate(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    called = [sys.executable, "-m", "skuscan_server.cli", "evaluate", *map(str, arguments)]
    return subprocess.run(called, capture_output=True, text=True, timeout=TIMEOUT, cwd=folder, check=False)


@pytest.fixture(scope="module")
def report(shop: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "negatives").mkdir()
    (folder / "distractors").mkdir()
    for number, gradient in enumerate((Image.linear_gradient, Image.radial_gradient)):
        # Noise for both would make the negatives look like products that are there.
        Image.effect_noise((320, 240), 80).convert("RGB").save(folder / "negatives" / f"{number}.png")
        gradient("L").convert("RGB").save(folder / "distractors" / f"{number}.png")
    given = ("--catalogue", shop.catalogue, "--queries", shop.photos_csv, "--negatives", folder / "negatives")
    done = evaluate(*given, "--distractors", folder / "distractors", "--limit", 4, "--json", "out.json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "build" / "mistakes" / "index.html").is_file()
    loaded: dict[str, Any] = json.loads((folder / "out.json").read_text())
    return loaded


def test_the_report_has_every_number_with_its_interval(report: dict[str, Any]) -> None:
    assert report["n"] == 4
    assert report["references"] == 12 + 2
    rates = [name.removesuffix("_interval") for name in report if name.endswith("_interval")]
    assert {"recall_at_1", "shortlist_recall_at_10", "coverage", "precision", "false_accept_rate"} <= set(rates)
    for name in rates:
        if report[name] is not None:
            low, high = report[f"{name}_interval"]
            assert 0 <= low <= report[name] <= high <= 1
    assert 0 <= report["ece"] <= 1
    assert report["auroc"] >= 0.5
    assert report["latency_ms"]["p50"] <= report["latency_ms"]["p95"]
    assert 3_000 < report["bytes_per_reference"] < 8_000
    assert set(report["ablation"]) == {"embedding", "orb", "embedding_orb", "decision"}
    assert report["ablation"]["decision"]["recall_at_1"] == report["recall_at_1"]


def test_noise_is_never_matched(report: dict[str, Any]) -> None:
    assert report["false_accept_rate"] == 0


def test_an_unknown_sku_is_refused_by_its_row(shop: Any, tmp_path: Path) -> None:
    queries = tmp_path / "queries.csv"
    queries.write_text(f"file,sku\n{shop.photos[0]},no-such-sku\n")
    done = evaluate("--catalogue", shop.catalogue, "--queries", queries, folder=tmp_path)
    assert done.returncode == 2
    assert "row 2: no-such-sku" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_column_is_named(shop: Any, tmp_path: Path) -> None:
    queries = tmp_path / "queries.csv"
    queries.write_text("file\nphoto.jpg\n")
    done = evaluate("--catalogue", shop.catalogue, "--queries", queries, folder=tmp_path)
    assert done.returncode == 2
    assert "no sku" in done.stderr
