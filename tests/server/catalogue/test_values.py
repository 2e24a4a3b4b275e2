import pytest
from hypothesis import given
from hypothesis import strategies as st

from skuscan.proto.catalogue_pb2 import Product
from skuscan_server.catalogue.values import ProductData, money
from skuscan_server.errors import CatalogueError


@pytest.mark.parametrize(
    ("amount", "currency", "minor_units"),
    [("2.49", "EUR", 249), ("2", "EUR", 200), ("100", "JPY", 100), ("1.234", "KWD", 1234), ("0.1", "USD", 10)],
)
def test_money_is_exact(amount: str, currency: str, minor_units: int) -> None:
    assert money(amount, currency) == {"currency": currency, "minor_units": minor_units}


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("2,49", "EUR"),
        ("2.499", "EUR"),
        ("1.5", "JPY"),
        ("-1", "EUR"),
        ("1e3", "EUR"),
        ("", "EUR"),
        ("2.49", "euro"),
        ("٣", "EUR"),
    ],
)
def test_other_amounts_are_refused(amount: str, currency: str) -> None:
    with pytest.raises(CatalogueError):
        money(amount, currency)


def test_every_type_of_attribute_reaches_the_record() -> None:
    attributes = {"brand": "Acme", "organic": True, "grams": 250, "litres": 0.5, "price": money("2.49", "EUR")}
    record = Product.FromString(ProductData("A", "Apple", attributes=attributes).record())
    kinds = {name: value.WhichOneof("value") for name, value in record.attributes.items()}
    assert kinds == {"brand": "text", "organic": "flag", "grams": "integer", "litres": "number", "price": "money"}
    assert record.attributes["price"].money.minor_units == 249


@pytest.mark.parametrize(
    "fields",
    [
        {"sku": ""},
        {"sku": " A"},
        {"sku": "A\x1fB"},
        {"sku": "A" * 129},
        {"sku": "\ud800"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "a" * 501},
        {"name": "\ud800"},
        {"gtin": "4006381333932"},
        {"gtin": "abc"},
        {"attributes": {"price": "2.49"}},
        {"attributes": {"price": {"currency": "EUR"}}},
        {"attributes": {"price": {"currency": "EUR", "minor_units": 2.5}}},
        {"attributes": {"price": {"currency": 5, "minor_units": 2}}},
        {"attributes": {"": "x"}},
        {"attributes": {"size": 2**63}},
        {"attributes": {"size": float("nan")}},
        {"attributes": {"note": "x" * 70_000}},
        {"attributes": {str(n): "x" for n in range(65)}},
    ],
)
def test_a_field_that_a_device_would_refuse_is_refused_here(fields: dict[str, object]) -> None:
    with pytest.raises(CatalogueError):
        ProductData(**{"sku": "A", "name": "Apple", "gtin": "4006381333931", **fields})  # type: ignore[arg-type]


@given(st.text(max_size=140), st.text(max_size=20), st.dictionaries(st.text(), st.text() | st.integers() | st.floats()))
def test_any_fields_are_taken_or_refused(sku: str, name: str, attributes: dict[str, object]) -> None:
    try:
        data = ProductData(sku, name, attributes=attributes)  # type: ignore[arg-type]
    except CatalogueError:
        return
    assert Product.FromString(data.record()).sku == sku
