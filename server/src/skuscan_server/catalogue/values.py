"""The rules that a product's fields keep, wherever they come from: CSV, folder, API or command line.

What a device would refuse is refused here first, with the same code: a product is made into its record and checked.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from skuscan.bundle import records
from skuscan.errors import BundleError
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PRODUCT, AttributeValue, FileRef, Money, Product
from skuscan_server.errors import CatalogueError

PRICE = "price"  # the attribute that holds the price, as money

_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,4})?")
DEFAULT_DECIMALS = 2
# ISO 4217: the currencies whose minor unit is not a hundredth.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
DECIMALS = dict.fromkeys(_WHOLE.split(), 0) | dict.fromkeys(_THOUSANDTHS.split(), 3)

# Text, flag, whole number, number, or money as {"currency": ..., "minor_units": ...}: what JSON can hold.
Attribute = str | bool | int | float | dict[str, Any]


@dataclass(frozen=True)
class ProductData:
    """A product's own fields, checked: see docs/formats.md. Raises CatalogueError when one breaks its rule.

    Attributes:
        sku: Visible characters, at most 128, no space at its ends.
        name: At most 500 characters.
        gtin: 8, 12, 13 or 14 digits with a right check digit; empty: none.
        group: Products of one group count as one answer; empty: none.
        attributes: Name to typed value.
    """

    sku: str
    name: str
    gtin: str = ""
    group: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise CatalogueError("a product has a name", f"SKU {self.sku[:128]!r} without one")
        if not isinstance(self.attributes.get(PRICE, {}), dict):
            raise CatalogueError("a price is money: a currency and minor_units", repr(self.attributes[PRICE])[:60])
        self.record()

    def record(self, display: FileRef | None = None) -> bytes:
        """The product's record, serialised. Raises CatalogueError."""
        try:
            message = Product(
                sku=self.sku,
                name=self.name,
                gtin=self.gtin,
                group=self.group,
                attributes={name: _attribute(name, value) for name, value in self.attributes.items()},
                display=display,
            )
            data = message.SerializeToString(deterministic=True)
        except (ValueError, TypeError, UnicodeError) as error:  # half a surrogate pair, a number of too many bits
            raise CatalogueError("texts are Unicode and whole numbers have 64 bits", str(error)) from error
        _as_catalogue_error(lambda: records.parse_record(RECORD_KIND_PRODUCT, data))
        return data


def check_sku(sku: str) -> str:
    """A SKU as everywhere in skuscan. Raises CatalogueError."""
    _as_catalogue_error(lambda: records.check_sku(sku))
    if not sku.isascii():
        _check_unicode(sku)
    return sku


def money(amount: str, currency: str) -> dict[str, Any]:
    """A price such as "2.49" and "EUR" as exact minor units. Raises CatalogueError."""
    if not _CURRENCY.fullmatch(currency):
        raise CatalogueError("a price has a currency, an ISO 4217 code such as EUR", repr(currency[:20]))
    if not _AMOUNT.fullmatch(amount):
        raise CatalogueError("a price is digits with a decimal point, such as 2.49", repr(amount[:40]))
    decimals = DECIMALS.get(currency, DEFAULT_DECIMALS)
    minor = Decimal(amount).scaleb(decimals)
    if minor != minor.to_integral_value():
        raise CatalogueError(f"a price in {currency} has at most {decimals} decimals", amount)
    return {"currency": currency, "minor_units": int(minor)}


def _attribute(name: str, value: Attribute) -> AttributeValue:
    if isinstance(value, bool):
        return AttributeValue(flag=value)
    if isinstance(value, int):
        return AttributeValue(integer=value)
    if isinstance(value, float):
        return AttributeValue(number=value)
    if isinstance(value, str):
        return AttributeValue(text=value)
    if set(value) != {"currency", "minor_units"} or type(value["minor_units"]) is not int:
        raise CatalogueError("money is a currency and whole minor_units", f"{name[:64]}: {str(value)[:60]}")
    return AttributeValue(money=Money(currency=value["currency"], minor_units=value["minor_units"]))


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CatalogueError("texts are Unicode", repr(text[:64])) from error


def _as_catalogue_error(check: Callable[[], object]) -> None:
    try:
        check()
    except BundleError as error:
        raise CatalogueError(error.rule, error.received, error.advice) from error
