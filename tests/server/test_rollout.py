"""A rollout, with a real server on loopback and two real devices: the code of `skuscan.sync`."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from skuscan.store import Store
from skuscan.sync import agent, enrolment
from skuscan.sync.options import SyncOptions
from skuscan.sync.plan import takes_part
from skuscan_server import cli
from skuscan_server.builder import rollout
from skuscan_server.services import Services

OPTIONS = SyncOptions(index_policy="download")
YEAR_2100 = 4_102_444_800  # unix s


@pytest.fixture
def run(services: Services) -> Callable[..., Any]:
    """Run a command on the test's server: its JSON."""

    def invoke(*arguments: str) -> Any:
        result = CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), *arguments, "--json"])
        assert result.exception is None, result.output
        return json.loads(result.output)

    return invoke


@pytest.fixture
def devices(
    services: Services, import_rows: Callable[..., Any], five_products: Any, url: str, run: Any, tmp_path: Path
) -> list[Store]:
    """Two devices that have generation one."""
    import_rows(five_products)
    services.publish("default")
    stores = []
    for name in ("first", "second"):
        enrolment.enrol(url, run("enrol-token")["token"], tmp_path / name, name, OPTIONS)
        stores.append(Store.open(tmp_path / name))
        assert sync(stores[-1]).state == "activated"
    return stores


def sync(store: Store) -> agent.SyncResult:
    return agent.sync_once(store, OPTIONS, probe=lambda generation: None)


def dividing(devices: list[Store]) -> tuple[int, int]:
    """A generation and a share of which one device is part and the other is not."""
    for generation in range(YEAR_2100, YEAR_2100 + 1_000):
        for share in range(1, 100):
            if sum(takes_part(store.identity.device_id, generation, share) for store in devices) == 1:
                return generation, share
    raise AssertionError("both devices draw the same for 1,000 generations")


def test_a_rollout_reaches_its_share_then_all_and_a_stop_nobody(
    services: Services, devices: list[Store], run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = devices[0].current()
    assert run("rollout", "--percent", "0")[0]["published_percent"] == 0
    CliRunner().invoke(
        cli.cli, ["--data", str(services.config.data_folder), "catalogue", "set-price", "SKU-1", "2.49", "EUR"]
    )
    services.publish("default")
    assert [sync(store).state for store in devices] == ["unchanged", "unchanged"]

    generation, share = dividing(devices)
    monkeypatch.setattr(rollout, "time", SimpleNamespace(time=lambda: float(generation)))
    (status,) = run("rollout", "--percent", str(share))
    assert (status["generation"], status["published_percent"]) == (generation, share)
    results = [sync(store) for store in devices]
    assert sorted(result.state for result in results) == ["activated", "unchanged"]
    (waits,) = [result for result in results if result.state == "unchanged"]
    assert waits.generation == before
    assert "waits for its share of the rollout" in waits.reason
    assert run("rollout")[0]["devices"] == {str(generation): 1, str(before): 1}

    run("rollout", "--percent", "100")
    assert [sync(store).state for store in devices] == ["activated", "activated"]
    for store in devices:
        assert store.open_generation().product("SKU-1").attributes["price"].money.minor_units == 249
    assert run("rollout")[0]["devices"] == {str(generation + 1): 2}


def test_a_wider_share_publishes_the_same_content_and_no_waiting_change(
    services: Services, import_rows: Callable[..., Any], five_products: Any, published: Any, run: Callable[..., Any]
) -> None:
    import_rows(five_products)
    services.publish("default")
    before = published()
    import_rows([{"sku": "SKU-9", "name": "New", "image": "9.jpg"}])
    run("rollout", "--percent", "40")
    after = published()
    assert after.manifest.rollout_percent == 40
    assert after.manifest.previous_generation == before.manifest.generation < after.manifest.generation
    assert (after.records, after.manifest.state_digest) == (before.records, before.manifest.state_digest)
    services.publish("default")
    assert "SKU-9" in published().skus
    assert published().manifest.rollout_percent == 40


def test_the_share_of_a_first_publication_can_be_said_before_it(run: Callable[..., Any]) -> None:
    (status,) = run("rollout", "--percent", "10")
    assert (status["percent"], status["generation"], status["devices"]) == (10, 0, {})


def test_the_same_share_again_publishes_nothing(
    services: Services, import_rows: Callable[..., Any], five_products: Any, run: Callable[..., Any]
) -> None:
    import_rows(five_products)
    published = services.publish("default")
    assert published is not None
    assert run("rollout", "--percent", "100")[0]["generation"] == published.generation


@pytest.mark.parametrize(
    "arguments", [["--percent", "101"], ["--percent", "x"], ["--assortment", "no", "--percent", "1"]]
)
def test_a_share_or_an_assortment_that_is_none_is_refused(services: Services, arguments: list[str]) -> None:
    result = CliRunner().invoke(cli.cli, ["--data", str(services.config.data_folder), "rollout", *arguments])
    assert result.exit_code != 0
