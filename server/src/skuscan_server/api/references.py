"""`/api/v1/references`: the pictures of products. A picture is the whole body of its upload."""

from apiflask import APIBlueprint
from flask import request
from sqlalchemy import delete

from skuscan.bundle.records import REFERENCE_ID_DIGITS
from skuscan.errors import PictureError
from skuscan_server.access.operators import Role
from skuscan_server.api.context import actor, for_operators, services
from skuscan_server.api.schemas import ReferenceKey, ReferenceList, ReferenceOut, ReferenceQuery, ReferenceUpload
from skuscan_server.catalogue import products
from skuscan_server.catalogue.values import check_sku
from skuscan_server.db.models import Reference
from skuscan_server.errors import BusyError, NotFoundError, TooLargeError
from skuscan_server.features import refusal

DECODE_WAIT = 30.0  # s, that an upload waits to be decoded, others before it

blueprint = APIBlueprint("references", __name__, url_prefix="/api/v1/references")


@blueprint.get("")
@for_operators(blueprint, Role.READER)
@blueprint.input(ReferenceQuery, location="query")
@blueprint.output(ReferenceList)
def list_references(query_data: ReferenceQuery) -> ReferenceList:
    """List the pictures of a product."""
    with services().database.read() as session:
        product = products.find_product(session, check_sku(query_data.sku))
        return ReferenceList(references=[_answer(reference) for reference in product.references])


@blueprint.post("")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(ReferenceUpload, location="query")
@blueprint.output(ReferenceOut, status_code=201)
def add_reference(query_data: ReferenceUpload) -> tuple[ReferenceOut, int]:
    """Add a picture to a product.

    The body is the picture's file: JPEG, PNG, WebP, TIFF, BMP or GIF. The same picture twice is one reference.
    """
    sku = check_sku(query_data.sku)
    with services().database.read() as session:
        products.find_product(session, sku)
    picture = _read_picture()
    ref = services().pictures.put(picture)
    with services().database.write() as session:
        products.remember_picture(session, ref.sha256, ref.length)
        reference = products.add_reference(session, sku, ref.sha256, query_data.name)
        products.audit(session, actor(), "reference add", sku)
        return _answer(reference), 201


@blueprint.delete("")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(ReferenceKey, location="query")
@blueprint.output({}, status_code=204)
def delete_reference(query_data: ReferenceKey) -> tuple[str, int]:
    """Remove a picture from a product."""
    with services().database.write() as session:
        product = products.find_product(session, check_sku(query_data.sku))
        for reference in product.references:
            if _answer(reference).reference_id == query_data.reference_id:
                products.forget_neighbours(session, product.sku)  # another of its pictures may be as near to theirs
                session.execute(delete(Reference).where(Reference.id == reference.id))
                products.count_changes(session, 1)
                products.audit(session, actor(), "reference delete", query_data.sku)
                return "", 204
    raise NotFoundError("the product has this picture", query_data.reference_id)


def _read_picture() -> bytes:
    """The body, decoded once by a worker to see that it can be; few at a time, since each may take 0.4 GB."""
    limit = services().config.max_picture_bytes
    request.max_content_length = limit
    if (request.content_length or 0) > limit:
        raise TooLargeError(f"a reference picture has at most {limit} bytes", f"{request.content_length} bytes")
    picture = request.get_data(cache=False)
    decoded = services().decoders.submit(refusal, picture)
    try:
        refused = decoded.result(DECODE_WAIT)
    except TimeoutError as error:
        decoded.cancel()
        raise BusyError("few pictures are decoded at once", "too many uploads", "try again") from error
    if refused is not None:
        raise PictureError(refused.rule, refused.received, refused.advice)
    return picture


def _answer(reference: Reference) -> ReferenceOut:
    digest = reference.picture_sha256
    return ReferenceOut(
        sku=reference.sku,
        reference_id=digest.hex()[:REFERENCE_ID_DIGITS],
        sha256=digest.hex(),
        source_name=reference.source_name,
    )
