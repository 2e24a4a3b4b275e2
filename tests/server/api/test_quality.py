"""Advice about reference pictures over the API."""

import io
from collections.abc import Callable
from typing import Any

from PIL import Image

Headers = dict[str, str]


def test_quality_comes_in_pages_of_products(
    client: Any, admin: Headers, import_rows: Callable[..., Any], five_products: Any
) -> None:
    import_rows(five_products)
    first = client.get("/api/v1/quality?limit=3", headers=admin).json
    rest = client.get(f"/api/v1/quality?limit=3&after={first['next']}", headers=admin).json
    assert [item["sku"] for item in first["references"] + rest["references"]] == [f"SKU-{n}" for n in range(1, 6)]
    assert rest["next"] is None
    item = first["references"][0]
    assert 0 <= item["score"] == min(item["aspects"].values())
    assert item["measured"]["width"] == 320
    assert item["nearest_sku"] != "SKU-1"


def test_a_picture_that_came_over_the_api_is_measured_when_it_is_published(
    client: Any, admin: Headers, services: Any, make_picture: Callable[..., bytes]
) -> None:
    for number in (1, 2):
        client.put(f"/api/v1/products/P{number}", headers=admin, json={"name": "Pear"})
        picture = make_picture(number)
        assert client.post(f"/api/v1/references?sku=P{number}", headers=admin, data=picture).status_code == 201
    waiting = client.get("/api/v1/quality", headers=admin).json["references"]
    assert [item["score"] for item in waiting] == [None, None]
    services.publish("default")
    measured = client.get("/api/v1/quality", headers=admin).json["references"]
    assert [item["nearest_sku"] for item in measured] == ["P2", "P1"]


def test_look_alikes_are_told_and_forgotten_with_the_picture(
    client: Any, admin: Headers, import_rows: Callable[..., Any], make_picture: Callable[..., bytes], tmp_path: Any
) -> None:
    with Image.open(io.BytesIO(make_picture(1))) as image:
        image.save(tmp_path / "again.png")
    rows = [{"sku": "A", "name": "Apple", "image": "1.jpg"}, {"sku": "B", "name": "Beer", "image": "again.png"}]
    import_rows(rows)
    (pair,) = client.get("/api/v1/look-alikes", headers=admin).json["look_alikes"]
    assert (pair["sku_a"], pair["sku_b"], pair["minimum_margin"]) == ("A", "B", None)
    assert pair["similarity"] > 0.95
    key = f"sku=A&reference_id={pair['reference_a']}"
    assert client.delete(f"/api/v1/references?{key}", headers=admin).status_code == 204
    assert client.get("/api/v1/look-alikes", headers=admin).json == {"look_alikes": []}


def test_advice_is_for_operators(client: Any) -> None:
    assert client.get("/api/v1/quality").status_code == 401
    assert client.get("/api/v1/look-alikes").status_code == 401


def test_a_wrong_page_is_refused(client: Any, admin: Headers) -> None:
    assert client.get("/api/v1/look-alikes?limit=0", headers=admin).status_code == 422
    assert client.get("/api/v1/quality?limit=x", headers=admin).status_code == 422
