"""Who did what."""

import json
from datetime import datetime, timezone
from typing import Any

from click.testing import CliRunner

from skuscan_server import cli
from skuscan_server.services import Services


def test_what_operators_did_is_shown_in_order(services: Services, import_rows: Any) -> None:
    base = ["--data", str(services.config.data_folder)]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli.cli, [*base, *arguments])
        assert result.exception is None, result.output
        return result.output

    import_rows([{"sku": "SKU-1", "name": "One", "image": "1.jpg"}])
    run("catalogue", "set-price", "SKU-1", "2.49", "EUR")
    run("enrol-token")
    run("api-key", "till", "--role", "reader")
    run("rollout", "--percent", "50")
    run("keys", "add", "targets", "--offline", str(services.config.keys / "offline"))
    entries = json.loads(run("audit", "--json"))
    assert [(entry["action"], entry["subject"]) for entry in entries] == [
        ("catalogue import", "+1 ~0 -0"),
        ("product price", "SKU-1"),
        ("enrolment token", "default"),
        ("api key", "till: reader"),
        ("rollout", "default: 50%"),
        ("keys", "add targets of all"),
    ]
    age = datetime.now(timezone.utc) - datetime.fromisoformat(entries[-1]["at"])
    assert age.total_seconds() < 600
    assert all(entry["actor"] for entry in entries)
    assert len(run("audit").splitlines()) == len(entries)
