"""The units for systemd: systemd accepts them, and the commands in them exist."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from skuscan.cli import cli as device_cli
from skuscan_server.cli import cli as server_cli

UNITS = {"edge/systemd/skuscan-sync.service": device_cli, "server/systemd/skuscan-server.service": server_cli}


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit(project_root: Path, tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    text = (project_root / name).read_text()
    program = started(text)[0]
    unit = tmp_path / Path(name).name
    unit.write_text(text.replace(program, "/bin/true"))  # it is not installed here
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("name", "cli"), UNITS.items())
def test_the_unit_starts_a_command_that_there_is(project_root: Path, name: str, cli: object) -> None:
    _, command, *options = started((project_root / name).read_text())
    shown = CliRunner().invoke(cli, [command, "--help"])  # type: ignore[arg-type]
    assert shown.exit_code == 0
    assert all(option in shown.output for option in options if option.startswith("--"))


def started(text: str) -> list[str]:
    """The words of ExecStart."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read_string(text)
    return unit["Service"]["ExecStart"].split()
