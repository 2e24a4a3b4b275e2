from collections.abc import Callable
from typing import Any

import pytest

from skuscan_server.access.operators import Role, create_api_key
from skuscan_server.services import Services

Headers = dict[str, str]


@pytest.fixture
def key_of(services: Services) -> Callable[[Role], Headers]:
    """The header of a new operator."""

    def make(role: Role) -> Headers:
        with services.database.write() as session:
            key = create_api_key(session, f"test {role.name}", role)
        return {"Authorization": f"Bearer {key}"}

    return make


@pytest.fixture
def admin(key_of: Callable[[Role], Headers]) -> Headers:
    return key_of(Role.ADMIN)


@pytest.fixture
def enrol(client: Any, admin: Headers) -> Callable[..., Any]:
    """Make a token and enrol a device with it: the answer."""

    def run(assortment: str = "default") -> Any:
        token = client.post(f"/api/v1/assortments/{assortment}/enrolment-tokens", headers=admin).json["token"]
        return client.post("/api/v1/enrol", json={"token": token, "name": "till 1"}).json

    return run
