"""The device's command line as a person meets it: real processes, a real store, wrong input of every kind."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skuscan_models.artifacts import IN_USE

TIMEOUT = 120  # s, for one command on a busy machine


def skuscan(*arguments: object, store: Path) -> subprocess.CompletedProcess[str]:
    called = [sys.executable, "-m", "skuscan.cli", *map(str, arguments)]
    environment = os.environ | {"SKUSCAN_STORE": str(store)}
    return subprocess.run(called, capture_output=True, text=True, timeout=TIMEOUT, env=environment, check=False)


def said(*arguments: object, store: Path) -> Any:
    done = skuscan(*arguments, "--json", store=store)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error; other lines are an interpreter's own chatter."""
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(("error:", "Error:"))]
    return line


def test_most_photos_of_near_duplicates_are_answered_with_the_right_one_first(shop: Any) -> None:
    with shop.photos_csv.open() as file:
        truth = {Path(row["file"]).name: row["sku"] for row in csv.DictReader(file)}
    first = {Path(a["file"]).name: a["candidates"][0]["sku"] for a in said("identify", *shop.photos, store=shop.store)}
    assert sum(first[name] == sku for name, sku in truth.items()) > len(truth) / 2


def test_an_answer_says_what_a_machine_needs(shop: Any) -> None:
    (answer,) = said("identify", shop.photos[0], store=shop.store)
    assert {"decision", "probability", "sku", "skus", "name", "attributes", "generation", "ms"} <= set(answer)
    assert answer["generation"] == said("status", store=shop.store)["generation"]
    assert answer["ms"] == pytest.approx(sum(answer["timings_ms"].values()))


def test_drawings_are_written_and_written_again(shop: Any, tmp_path: Path) -> None:
    for _ in range(2):
        (answer,) = said("identify", shop.photos[0], "--draw", tmp_path / "drawn", store=shop.store)
    (drawing,) = (tmp_path / "drawn").iterdir()
    assert answer["drawing"] == str(drawing)
    with Image.open(drawing) as sheet:
        assert sheet.width > sheet.height / 2


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("empty.jpg", b"", "bytes"),
        ("text.jpg", b"this is no picture at all", "picture"),
        ("cut.jpg", None, "whole"),
    ],
)
def test_a_broken_picture_is_one_line_and_the_others_are_answered(
    shop: Any, tmp_path: Path, name: str, data: bytes | None, rule: str
) -> None:
    broken = tmp_path / name
    broken.write_bytes(data if data is not None else shop.photos[0].read_bytes()[:5000])
    done = skuscan("identify", broken, shop.photos[0], "--json", store=shop.store)
    assert name in error_line(done)
    refused, answered = json.loads(done.stdout)
    assert "error" in refused
    assert answered["decision"] in ("match", "ambiguous", "unknown")
    assert rule in refused["error"]


def test_a_picture_over_the_pixel_cap_is_refused_before_it_is_decoded(shop: Any, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (6000, 5000)).save(path)
    assert "25,000,000 pixels" in error_line(skuscan("identify", path, store=shop.store)).replace(
        "25000000", "25,000,000"
    )


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16", "P"])
def test_pictures_of_every_mode_simply_work(shop: Any, tmp_path: Path, mode: str) -> None:
    with Image.open(shop.photos[0]) as photo:
        grey = np.asarray(photo.convert("L"), np.uint16) * 257
        picture = Image.fromarray(grey) if mode == "I;16" else photo.convert(mode)
    path = tmp_path / ("photo.jpg" if mode in ("L", "CMYK") else "photo.png")
    picture.save(path)
    (answer,) = said("identify", path, store=shop.store)
    assert answer["candidates"]


def test_an_exif_rotated_photo_is_answered_like_the_upright_one(shop: Any, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    with Image.open(shop.photos[0]) as photo:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        photo.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    upright, turned = said("identify", shop.photos[0], path, store=shop.store)
    assert upright["candidates"] == turned["candidates"]


@pytest.mark.guarantee("G10")
def test_with_the_server_down_scans_go_on_and_the_age_is_said(shop: Any) -> None:
    assert "http://127.0.0.1" in error_line(skuscan("sync", store=shop.store))
    assert said("identify", shop.photos[0], store=shop.store)[0]["candidates"]
    status = skuscan("status", store=shop.store)
    assert status.returncode == 0
    assert "ago" in status.stdout


def test_status_names_model_runtime_and_index(shop: Any) -> None:
    status = said("status", store=shop.store)
    assert status["model"] == IN_USE
    assert status["runtime"]["library"] in ("ai-edge-litert", "tflite-runtime")
    assert status["search"] in ("annoy", "exact")
    assert status["products"] == status["references"] == 12


def test_a_delegate_that_is_not_there_falls_back_and_says_so(shop: Any) -> None:
    status = said("status", "--delegate", "edgetpu", "--delegate", "xnnpack", store=shop.store)
    assert status["runtime"]["delegate"] != "edgetpu"
    assert "edgetpu" in status["runtime"]["fallbacks"][0]


def test_doctor_finds_a_healthy_device_whose_server_is_down(shop: Any) -> None:
    findings = {finding["check"]: finding["state"] for finding in said("doctor", store=shop.store)}
    assert findings.pop("server") == "warning"
    assert "failure" not in findings.values()


def test_bench_gives_the_ratio_of_every_stage(shop: Any) -> None:
    stages = {s["stage"]: s for s in said("bench", shop.photos[0], "--repeats", 2, store=shop.store)["stages"]}
    assert {"inference", "decode", "embed", "search", "decide", "scan"} <= set(stages)
    assert stages["inference"]["yardsticks"] == 1
    assert stages["scan"]["p95_ms"] >= stages["scan"]["median_ms"] > stages["embed"]["median_ms"]


def test_without_a_store_the_next_step_is_named(tmp_path: Path) -> None:
    for command in ("status", "sync", "bench"):
        assert "skuscan enrol" in error_line(skuscan(command, store=tmp_path / "none"))
    assert "skuscan enrol" in error_line(skuscan("identify", "photo.jpg", store=tmp_path / "none"))


def test_a_server_that_is_not_there_is_one_line_and_leaves_no_store(tmp_path: Path) -> None:
    token = "sk1.default." + "A" * 43 + "." + "0" * 64
    done = skuscan("enrol", "http://127.0.0.1:9", token, store=tmp_path / "store")
    assert "127.0.0.1:9" in error_line(done)
    assert not (tmp_path / "store").exists()


def test_a_token_that_is_none_is_one_line(tmp_path: Path) -> None:
    assert "token" in error_line(skuscan("enrol", "http://127.0.0.1:9", "rubbish", store=tmp_path / "store"))


def test_wrong_arguments_exit_2(tmp_path: Path) -> None:
    for arguments in (["identify"], ["nonsense"], ["status", "--threads", "0"]):
        assert skuscan(*arguments, store=tmp_path).returncode == 2
