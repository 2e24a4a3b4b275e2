"""Products, pictures and assortments over the API."""

import io
import signal
import threading
from typing import Any

import pytest
from PIL import Image

from skuscan_server.scheduler import Scheduler
from skuscan_server.services import Services
from skuscan_server.workers import LimitedExecutor, WorkLimits

Headers = dict[str, str]
APPLE = {
    "name": "Apple",
    "gtin": "4006381333931",
    "group": "fruit",
    "attributes": {"price": {"currency": "EUR", "minor_units": 249}, "organic": True, "grams": 180, "note": "red"},
}


def test_a_product_is_read_as_it_was_put(client: Any, admin: Headers) -> None:
    assert client.put("/api/v1/products/A-1", headers=admin, json=APPLE).status_code == 200
    product = client.get("/api/v1/products/A-1", headers=admin).json
    assert {name: product[name] for name in APPLE} == APPLE
    assert product["references"] == 0


@pytest.mark.parametrize("sku", ["A/B", "A//B", "É 1", "a%2Fb", "100%", "a?b#c", "../x"])
def test_any_sku_has_a_path(client: Any, admin: Headers, sku: str) -> None:
    from urllib.parse import quote

    path = f"/api/v1/products/{quote(sku, safe='')}"
    assert client.put(path, headers=admin, json=APPLE).json["sku"] == sku
    assert client.get(path, headers=admin).json["sku"] == sku
    assert client.delete(path, headers=admin).status_code == 204
    assert client.get(path, headers=admin).status_code == 404


def test_a_patch_changes_what_it_names(client: Any, admin: Headers) -> None:
    client.put("/api/v1/products/A", headers=admin, json=APPLE)
    patch = {"attributes": {"price": {"currency": "EUR", "minor_units": 99}, "note": None}}
    product = client.patch("/api/v1/products/A", headers=admin, json=patch).json
    assert product["name"] == "Apple"
    assert product["attributes"] == {"price": {"currency": "EUR", "minor_units": 99}, "organic": True, "grams": 180}


def test_products_come_in_pages(client: Any, admin: Headers) -> None:
    for number in range(5):
        client.put(f"/api/v1/products/S{number}", headers=admin, json=APPLE)
    skus: list[str] = []
    after: str | None = ""
    while after is not None:
        page = client.get(f"/api/v1/products?limit=2&after={after}", headers=admin).json
        skus += [product["sku"] for product in page["products"]]
        after = page["next"]
    assert skus == [f"S{number}" for number in range(5)]


def test_a_wrong_product_is_a_problem_with_rule_received_and_advice(client: Any, admin: Headers) -> None:
    answer = client.put("/api/v1/products/A", headers=admin, json={**APPLE, "gtin": "4006381333932"})
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert answer.json["rule"] == "a GTIN ends with its check digit"
    assert answer.json["received"] == "'4006381333932'"


@pytest.mark.parametrize(
    "body", [{}, {"name": 5}, {"name": "A", "colour": "red"}, [], "x", None, {"name": "A", "attributes": {"price": 2}}]
)
def test_another_body_is_refused(client: Any, admin: Headers, body: object) -> None:
    assert client.put("/api/v1/products/A", headers=admin, json=body).status_code in (400, 422)


def test_a_picture_is_added_once_and_removed(client: Any, admin: Headers, make_picture: Any) -> None:
    client.put("/api/v1/products/A", headers=admin, json=APPLE)
    first = client.post("/api/v1/references?sku=A&name=a.jpg", headers=admin, data=make_picture(1))
    again = client.post("/api/v1/references?sku=A", headers=admin, data=make_picture(1))
    assert (first.status_code, again.json["reference_id"]) == (201, first.json["reference_id"])
    listed = client.get("/api/v1/references?sku=A", headers=admin).json["references"]
    assert [reference["source_name"] for reference in listed] == ["a.jpg"]
    path = f"/api/v1/references?sku=A&reference_id={first.json['reference_id']}"
    assert client.delete(path, headers=admin).status_code == 204
    assert client.delete(path, headers=admin).status_code == 404


def bomb() -> bytes:
    """A small file of 30 million pixels."""
    out = io.BytesIO()
    Image.new("1", (6_000, 5_000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.guarantee("G21")
@pytest.mark.parametrize("picture", [b"", b"no picture", b"\xff\xd8\xff\xe0" * 10, bomb()])
def test_what_is_no_picture_is_refused(client: Any, admin: Headers, services: Services, picture: bytes) -> None:
    client.put("/api/v1/products/A", headers=admin, json=APPLE)
    assert client.post("/api/v1/references?sku=A", headers=admin, data=picture).status_code == 422
    assert not list(services.pictures.files())


@pytest.mark.guarantee("G21")
def test_a_body_that_is_too_long_is_refused_before_it_is_read(client: Any, admin: Headers, services: Services) -> None:
    client.put("/api/v1/products/A", headers=admin, json=APPLE)
    data = b"x" * (services.config.max_picture_bytes + 1)
    assert client.post("/api/v1/references?sku=A", headers=admin, data=data).status_code == 413


@pytest.mark.guarantee("G21")
def test_overload_is_503_with_retry_after(
    client: Any, admin: Headers, make_picture: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skuscan_server.api.references.DECODE_WAIT", 0.01)
    client.put("/api/v1/products/A", headers=admin, json=APPLE)
    busy = LimitedExecutor(1, WorkLimits(seconds=1.0, memory=1_000_000_000))
    monkeypatch.setattr(client.application.extensions["skuscan"], "decoders", busy)
    busy.submit(signal.sigwait, [signal.SIGUSR1])
    answer = client.post("/api/v1/references?sku=A", headers=admin, data=make_picture(1))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_an_assortment_is_made_filled_and_published(
    client: Any, admin: Headers, services: Services, make_picture: Any
) -> None:
    for sku in ("A", "B"):
        client.put(f"/api/v1/products/{sku}", headers=admin, json=APPLE)
        client.post(f"/api/v1/references?sku={sku}", headers=admin, data=make_picture(ord(sku)))
    assert client.post("/api/v1/assortments", headers=admin, json={"name": "store-17"}).status_code == 201
    assert client.post("/api/v1/assortments", headers=admin, json={"name": "store-17"}).status_code == 409
    path = "/api/v1/assortments/store-17"
    assert client.put(f"{path}/members", headers=admin, json={"skus": ["A", "C"]}).status_code == 422
    assert client.put(f"{path}/members", headers=admin, json={"skus": ["A"]}).json == {"members": 1}
    assert client.patch(path, headers=admin, json={"rollout_percent": 25}).json["rollout_percent"] == 25
    assert client.post(f"{path}/publications", headers=admin, json={"kind": "changes"}).status_code == 202
    assert client.get(path, headers=admin).json["publish_requested"] == "changes"
    Scheduler(services).tick(threading.Event())
    look = client.get(path, headers=admin).json
    assert (look["publish_requested"], look["last_error"], look["generation"] > 0) == ("", "", True)
    (publication,) = client.get(f"{path}/publications", headers=admin).json["publications"]
    assert (publication["products"], publication["rollout_percent"], publication["kind"]) == (1, 25, "base")


@pytest.mark.parametrize("name", ["", "UPPER CASE", "a/b", "..", "x" * 65, "ü"])
def test_an_assortment_s_name_is_fit_for_paths(client: Any, admin: Headers, name: str) -> None:
    assert client.post("/api/v1/assortments", headers=admin, json={"name": name}).status_code == 422
