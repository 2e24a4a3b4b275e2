import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from skuscan.sync.token import EnrolToken
from skuscan_models.artifacts import CLEAN
from skuscan_server import cli
from skuscan_server.services import Services


def commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    context = click.Context(group)
    found: list[tuple[str, ...]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, *path, name) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.fixture
def run(services: Services) -> Callable[..., Any]:
    """Run a command on the test's server."""
    return lambda *arguments: CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), *arguments])


@pytest.mark.parametrize("path", commands(cli.cli))
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli.cli, [*path, "--help"])
    assert result.exit_code == 0
    assert f"Example:\n    skuscan-server {' '.join(path)}" in result.output.replace("--data /srv/skuscan ", "")


def test_init_shows_the_first_key_once_and_upgrades_after_that(tmp_path: Path) -> None:
    first, second = (
        json.loads(CliRunner().invoke(cli.cli, ["--data", str(tmp_path), "init", "--json"]).output) for _ in range(2)
    )
    assert first["api_key"].startswith("sko1.")
    assert second["api_key"] is None


def test_the_catalogue_s_commands(run: Callable[..., Any], import_rows: Callable[..., Any], five_products: Any) -> None:
    import_rows(five_products)
    assert run("catalogue", "set-price", "SKU-1", "2.49", "EUR").exit_code == 0
    assert run("catalogue", "withdraw", "SKU-2", "SKU-3").output.startswith("2 withdrawn")
    listed = json.loads(run("catalogue", "list", "--json").output)
    assert [(row["sku"], row["references"]) for row in listed] == [("SKU-1", 1), ("SKU-4", 1), ("SKU-5", 1)]
    assert listed[0]["attributes"]["price"]["minor_units"] == 249


def test_all_named_products_are_withdrawn_or_none(
    run: Callable[..., Any], import_rows: Callable[..., Any], five_products: Any
) -> None:
    import_rows(five_products)
    assert "SKU-99" in str(run("catalogue", "withdraw", "SKU-1", "SKU-99").exception)
    assert len(json.loads(run("catalogue", "list", "--json").output)) == 5


def test_a_token_a_key_and_the_devices(run: Callable[..., Any], services: Services) -> None:
    token = EnrolToken.parse(run("enrol-token").output)
    assert token.root_sha256.hex() == services.repository("default").root_sha256()
    assert run("api-key", "till system", "--role", "editor").output.startswith("sko1.")
    assert json.loads(run("devices", "list", "--json").output) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["publish"], "import a catalogue"),
        (["publish", "--assortment", "none"], "none"),
        (["catalogue", "import", "none.csv"], "No such file"),
        (["catalogue", "withdraw", "none"], "the SKU is in the catalogue; received none"),
        (["devices", "revoke", "none"], "none"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    services: Services, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("sys.argv", ["skuscan-server", "--data", str(services.config.data_folder), *arguments])
    with pytest.raises(SystemExit) as end:
        cli.main()
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("error: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_server_that_was_not_set_up_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("sys.argv", ["skuscan-server", "--data", str(tmp_path / "none"), "publish"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert "run `skuscan-server init`" in capsys.readouterr().err


def test_a_released_model_is_set_by_its_name(run: Callable[..., Any]) -> None:
    result = run("model", "set", CLEAN, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(run("model", "show", "--json").output)["name"] == CLEAN
    assert run("model", "set", "efficientnet").exit_code == 2
