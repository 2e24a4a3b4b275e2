"""`files: authenticated`: published files are for enrolled devices only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skuscan.errors import NetworkError
from skuscan.store import Store
from skuscan.sync import agent, enrolment
from skuscan.sync.failures import StatusError
from skuscan.sync.options import SyncOptions
from skuscan.sync.transport import Transport
from skuscan_server.access.devices import revoke
from skuscan_server.config import ServerConfig
from skuscan_server.services import Services

OPTIONS = SyncOptions(index_policy="download")

pytestmark = pytest.mark.guarantee("G20")


@pytest.fixture
def config(config: ServerConfig) -> ServerConfig:
    return config.model_copy(update={"files": "authenticated"})


@pytest.fixture
def paths(services: Services, import_rows: Callable[..., Any], five_products: Any) -> dict[str, str]:
    """One published file of each kind."""
    import_rows(five_products)
    services.publish("default")
    target = next(services.repository("default").targets.glob("*.manifest"))
    blob = next(services.published.files())
    return {
        "metadata": "/tuf/default/metadata/timestamp.json",
        "root": "/tuf/default/metadata/1.root.json",
        "target": f"/tuf/default/targets/{target.name}",
        "blob": f"/blobs/sha256/{blob.parent.name}/{blob.name}",
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_files_are_given_to_devices_of_the_assortment_and_to_nobody_else(
    client: Any, services: Services, paths: dict[str, str], enrol: Callable[..., Any], admin: dict[str, str]
) -> None:
    services.create_assortment("other", "test")
    ours, theirs = (bearer(enrol(assortment)["device_token"]) for assortment in ("default", "other"))
    for kind, path in paths.items():
        for headers, status in (
            ({}, 401),
            (bearer("skd1.unknown"), 401),
            (admin, 403),
            (theirs, 200 if kind == "blob" else 403),
            (ours, 200),
        ):
            answer = client.get(path, headers=headers, buffered=True)
            assert answer.status_code == status, (kind, headers)
            assert "public" not in answer.headers.get("Cache-Control", "")
    assert client.get("/tuf/default/metadata/9.root.json").status_code == 401  # says nothing of what is there
    assert client.get("/tuf/default/metadata/9.root.json", headers=ours).status_code == 404


def test_a_device_enrols_and_syncs_until_it_is_revoked(
    services: Services, paths: dict[str, str], url: str, client: Any, admin: dict[str, str], tmp_path: Path
) -> None:
    token = client.post("/api/v1/assortments/default/enrolment-tokens", headers=admin).json["token"]
    enrolment.enrol(url, token, tmp_path / "till", "till", OPTIONS)
    store = Store.open(tmp_path / "till")
    assert agent.sync_once(store, OPTIONS, probe=lambda generation: None).state == "activated"
    with services.database.write() as session:
        revoke(session, store.identity.device_id)
    with pytest.raises(NetworkError, match="401"):
        agent.sync_once(store, OPTIONS, probe=lambda generation: None)
    assert len(list(store.open_generation().products())) == 5


def test_a_device_s_token_goes_to_its_own_server_only(paths: dict[str, str], url: str) -> None:
    transport = Transport(SyncOptions())
    transport.authorize("https://another.example", "skd1.secret")
    with pytest.raises(StatusError, match="401"):
        transport.get_once(url + paths["metadata"], 10_000)
