"""Promises with a time or a size. They need a quiet machine, so `make faults` asserts them and `make test` does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import device

pytestmark = pytest.mark.usefixtures("quiet_machine")

REFERENCES = 10_000


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> device.DeviceNumbers:
    return device.measure(Path(tmp_path_factory.mktemp("device")), REFERENCES)


def test_a_scan_takes_at_most_four_yardsticks(numbers: device.DeviceNumbers) -> None:
    assert numbers.scan_yardsticks <= 4


def test_a_scan_takes_at_most_four_yardsticks_on_average(numbers: device.DeviceNumbers) -> None:
    assert numbers.mean_scan_yardsticks <= 4


def test_a_certain_scan_costs_little_more_than_its_embedding(numbers: device.DeviceNumbers) -> None:
    assert numbers.certain_yardsticks <= 1.3


def test_a_scan_with_a_closer_look_takes_at_most_six_yardsticks(numbers: device.DeviceNumbers) -> None:
    assert numbers.closer_yardsticks <= 6


def test_search_verification_and_decision_take_at_most_one_yardstick(numbers: device.DeviceNumbers) -> None:
    assert numbers.after_embedding_yardsticks <= 1


def test_a_scanning_process_stays_under_200_mb(numbers: device.DeviceNumbers) -> None:
    assert numbers.rss_mb < 200


def test_a_cold_start_is_quick(numbers: device.DeviceNumbers) -> None:
    assert numbers.import_seconds < 0.3
    assert numbers.identify_seconds < 1


def test_a_reference_fits_its_budget_on_the_wire_and_on_disk(numbers: device.DeviceNumbers) -> None:
    assert numbers.wire_bytes <= 6_000
    assert numbers.disk_bytes <= 16_000


def test_a_reference_pictures_features_take_at_most_three_yardsticks(tmp_path: Path, project_root: Path) -> None:
    out = tmp_path / "features.json"  # in a process of its own, as the server's workers are
    subprocess.run([sys.executable, "-m", "benchmarks.features", "--json", str(out)], check=True, cwd=project_root)
    assert json.loads(out.read_text())["features_yardsticks"] <= 3
