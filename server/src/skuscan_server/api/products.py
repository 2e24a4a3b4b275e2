"""`/api/v1/products`: the products of the catalogue."""

from apiflask import APIBlueprint
from pydantic import BaseModel
from sqlalchemy import func, select

from skuscan_server.access.operators import Role
from skuscan_server.api.context import actor, for_operators, services
from skuscan_server.api.schemas import PageQuery, ProductIn, ProductOut, ProductPage, ProductPatch
from skuscan_server.catalogue import products
from skuscan_server.catalogue.values import Attribute, ProductData, check_sku
from skuscan_server.db.models import Product, Reference

blueprint = APIBlueprint("products", __name__, url_prefix="/api/v1/products")


@blueprint.get("")
@for_operators(blueprint, Role.READER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(ProductPage)
def list_products(query_data: PageQuery) -> ProductPage:
    """List products.

    In the order of their SKUs, a page at a time.
    """
    query = (
        select(Product, func.count(Reference.id))
        .outerjoin(Product.references)
        .where(Product.sku > _cursor(query_data.after))
        .group_by(Product.sku)
        .order_by(Product.sku)
        .limit(query_data.limit + 1)
    )
    with services().database.read() as session:
        found = [_answer(row[0], row[1]) for row in session.execute(query)]
    page = found[: query_data.limit]
    return ProductPage(products=page, next=page[-1].sku if len(found) > len(page) else None)


@blueprint.get("/<path:sku>")
@for_operators(blueprint, Role.READER)
@blueprint.output(ProductOut)
def get_product(sku: str) -> ProductOut:
    """Look at a product."""
    with services().database.read() as session:
        product = products.find_product(session, check_sku(sku))
        return _answer(product, len(product.references))


@blueprint.put("/<path:sku>")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(ProductIn)
@blueprint.output(ProductOut)
def put_product(sku: str, json_data: ProductIn) -> ProductOut:
    """Create a product, or replace its fields. Its pictures stay."""
    attributes = {name: _plain(value) for name, value in json_data.attributes.items()}
    data = ProductData(sku, json_data.name, json_data.gtin, json_data.group, attributes)
    with services().database.write() as session:
        if products.put_product(session, data):
            products.count_changes(session, 1)
            products.audit(session, actor(), "product put", sku)
        product = products.find_product(session, sku)
        return _answer(product, len(product.references))


@blueprint.patch("/<path:sku>")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(ProductPatch)
@blueprint.output(ProductOut)
def patch_product(sku: str, json_data: ProductPatch) -> ProductOut:
    """Change some fields of a product, such as its price."""
    changes = json_data
    with services().database.write() as session:
        product = products.find_product(session, check_sku(sku))
        merged = {**product.attributes, **{name: _plain(value) for name, value in changes.attributes.items()}}
        data = ProductData(
            sku,
            product.name if changes.name is None else changes.name,
            product.gtin if changes.gtin is None else changes.gtin,
            product.group if changes.group is None else changes.group,
            {name: value for name, value in merged.items() if value is not None},
        )
        if products.put_product(session, data):
            products.count_changes(session, 1)
            products.audit(session, actor(), "product patch", sku)
        return _answer(product, len(product.references))


@blueprint.delete("/<path:sku>")
@for_operators(blueprint, Role.EDITOR)
@blueprint.output({}, status_code=204)
def delete_product(sku: str) -> tuple[str, int]:
    """Withdraw a product and its pictures."""
    with services().database.write() as session:
        products.withdraw(session, check_sku(sku))
        products.audit(session, actor(), "product withdraw", sku)
    return "", 204


def _cursor(after: str) -> str:
    return check_sku(after) if after else ""


def _plain(value: object) -> Attribute:
    return value.model_dump() if isinstance(value, BaseModel) else value  # type: ignore[return-value]


def _answer(product: Product, references: int) -> ProductOut:
    return ProductOut(
        sku=product.sku,
        name=product.name,
        gtin=product.gtin,
        group=product.group,
        attributes=product.attributes,
        references=references,
        updated_at=product.updated_at,
    )
