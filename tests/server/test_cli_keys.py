"""`skuscan-server keys`, as an operator types it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from skuscan_server import cli
from skuscan_server.db.models import AuditEntry
from skuscan_server.services import Services


@pytest.fixture
def run(services: Services) -> Callable[..., Result]:
    """Run a `keys` command with the offline keys on a medium."""
    medium = services.config.data_folder.parent / "medium"
    (services.config.keys / "offline").rename(medium)
    data = str(services.config.data_folder)

    def invoke(*arguments: str, offline: Path | None = medium) -> Result:
        extra = ["--offline", str(offline)] if offline else []
        return CliRunner().invoke(cli.cli, ["--data", data, "keys", *arguments, *extra])

    return invoke


def test_a_ceremony_as_it_is_documented(run: Callable[..., Result], services: Services) -> None:
    keys = json.loads(run("show", "--json").output)["keys"]
    (old,) = [key["keyid"] for key in keys if key["role"] == "timestamp"]
    assert run("add", "timestamp").output.startswith("default: root 2.\nNew key: ")
    assert "Removed, counts no more" in run("revoke", old[:12]).output
    assert "destroy it and every copy" in run("rotate", "root").output
    assert run("expiry", "root", "400").output == "default: root 5.\n"
    with services.database.read() as session:
        subjects = [entry.subject for entry in session.scalars(select(AuditEntry)) if entry.action == "keys"]
    assert subjects[:3] == ["add timestamp of all", f"revoke {old[:12]} of all", "rotate root of all"]


def test_the_folder_of_the_offline_keys_is_asked_for(run: Callable[..., Result], services: Services) -> None:
    arguments = ["--data", str(services.config.data_folder), "keys", "rotate", "targets"]
    medium = services.config.data_folder.parent / "medium"
    result = CliRunner().invoke(cli.cli, arguments, input=f"{medium}\n")
    assert result.output.startswith("Folder of the offline root keys: ")
    assert "default: root 2." in result.output


def test_show_needs_no_offline_keys(run: Callable[..., Result]) -> None:
    lines = run("show", offline=None).output.splitlines()
    assert [line.split("\t")[0] for line in lines[:-1]] == [*["root"] * 3, "models", "targets", "snapshot", "timestamp"]
    assert all(line.endswith("not here") for line in lines[:3])
    assert lines[-1].startswith("default is signed until: root ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rotate", "root", "--assortment", "default"), "those of all assortments"),
        (("rotate", "targets", "--assortment", "store-99"), "the assortment is known"),
        (("revoke", "beef"), "fits 0"),
        (("expiry", "timestamp", "1"), "timestamp is signed for 2 to 3650 days"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Callable[..., Result], arguments: tuple[str, ...], said: str
) -> None:
    assert said in str(run(*arguments).exception)


def test_missing_root_keys_end_with_2_and_one_line(services: Services, tmp_path: Path) -> None:
    data = str(services.config.data_folder)
    command = [sys.executable, "-m", "skuscan_server.cli", "--data", data, "keys", "rotate", "targets", "--offline"]
    done = subprocess.run([*command, str(tmp_path / "none")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: a root is signed by 2 of 3 offline keys; received 0 in ")
    assert done.stderr.count("\n") == 1


def test_keys_can_be_made_on_a_medium_before_the_server(tmp_path: Path) -> None:
    base, medium = ["--data", str(tmp_path / "data")], str(tmp_path / "medium")
    assert CliRunner().invoke(cli.cli, [*base, "keys", "init", "--offline", medium]).exit_code == 0
    assert CliRunner().invoke(cli.cli, [*base, "init", "--offline", medium]).exit_code == 0
    assert len(list(Path(medium).glob("root-*.pem"))) == 3
    assert not (tmp_path / "data" / "keys" / "offline").exists()
    again = CliRunner().invoke(cli.cli, [*base, "keys", "init", "--offline", medium])
    assert "keys are made once" in str(again.exception)
