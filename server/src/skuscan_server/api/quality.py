"""`/api/v1/quality` and `/api/v1/look-alikes`: advice about reference pictures. Nothing depends on it."""

from apiflask import APIBlueprint
from sqlalchemy import select

from skuscan_server.access.operators import Role
from skuscan_server.api.context import for_operators, services
from skuscan_server.api.schemas import LookAlikeList, LookAlikeOut, LookAlikeQuery, PageQuery, QualityOut, QualityPage
from skuscan_server.catalogue.values import check_sku
from skuscan_server.db.models import Product

blueprint = APIBlueprint("quality", __name__, url_prefix="/api/v1")


@blueprint.get("/quality")
@for_operators(blueprint, Role.READER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(QualityPage)
def list_quality(query_data: PageQuery) -> QualityPage:
    """List what is said of reference pictures.

    In the order of their products' SKUs, so many products at a time.
    """
    after = check_sku(query_data.after) if query_data.after else ""
    query = select(Product.sku).where(Product.sku > after).order_by(Product.sku).limit(query_data.limit + 1)
    with services().database.read() as session:
        skus = session.scalars(query).all()
    page = skus[: query_data.limit]
    with services().quality_report() as report:
        references = [QualityOut(**item.as_dict()) for item in report.references(page)]
    return QualityPage(references=references, next=page[-1] if len(skus) > len(page) else None)


@blueprint.get("/look-alikes")
@for_operators(blueprint, Role.READER)
@blueprint.input(LookAlikeQuery, location="query")
@blueprint.output(LookAlikeList)
def list_look_alikes(query_data: LookAlikeQuery) -> LookAlikeList:
    """List the pairs of products whose pictures look alike.

    The most alike first. Products of one group are left out: either is the right answer.
    """
    with services().quality_report() as report:
        pairs = report.look_alikes(query_data.limit)
    return LookAlikeList(look_alikes=[LookAlikeOut(**pair.as_dict()) for pair in pairs])
