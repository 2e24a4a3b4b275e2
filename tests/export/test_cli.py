"""The command line of `skuscan-export`, on real files."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from skuscan.model import BACKBONE_FILE
from skuscan_export.cli import main
from skuscan_models.artifacts import released_folder


def test_ops_lists_the_released_model_and_says_what_it_cannot_know() -> None:
    file = released_folder() / BACKBONE_FILE
    result = CliRunner().invoke(main, ["ops", str(file)])
    assert result.exit_code == 0
    assert "16  DEPTHWISE_CONV_2D" in result.output
    assert "CPU:" not in result.output
    assert "unverified" in result.output


def test_a_file_that_is_no_model_gets_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "notes.tflite"
    file.write_text("no model")
    result = CliRunner().invoke(main, ["ops", str(file)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "received" in result.stderr


def test_a_folder_without_a_model_gets_one_line_and_exit_code_2(tmp_path: Path) -> None:
    pytest.importorskip("keras", reason="exporting needs keras and TensorFlow (requirements-train.txt)")
    result = CliRunner().invoke(main, ["backbone", "--run", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "a float model is a folder with" in result.stderr
    assert not (tmp_path / "out").exists()
