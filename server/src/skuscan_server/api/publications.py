"""`/api/v1/assortments/<name>/publications`: asking for a publication, and what was published.

Publishing is the scheduler's work, outside of the web server: the request is noted and answered at once.
"""

from apiflask import APIBlueprint
from sqlalchemy import select

from skuscan.bundle.manifest import check_assortment
from skuscan.proto.bundle_pb2 import Manifest
from skuscan_server.access.operators import Role
from skuscan_server.api.context import actor, for_operators, services
from skuscan_server.api.schemas import PublicationIn, PublicationList, PublicationOut
from skuscan_server.catalogue.assortments import find_assortment
from skuscan_server.catalogue.products import audit
from skuscan_server.db.models import Publication

SHOWN = 20  # publications

blueprint = APIBlueprint("publications", __name__, url_prefix="/api/v1/assortments")


@blueprint.post("/<name>/publications")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(PublicationIn)
@blueprint.output({}, status_code=202)
def request_publication(name: str, json_data: PublicationIn) -> tuple[str, int]:
    """Ask the scheduler to publish.

    The assortment's `publish_requested` is empty again when it is done, and `last_error` says why it was not.
    """
    check_assortment(name)
    with services().database.write() as session:
        find_assortment(session, name).publish_requested = json_data.kind
        audit(session, actor(), "publish", f"{name}: {json_data.kind}")
    return "", 202


@blueprint.get("/<name>/publications")
@for_operators(blueprint, Role.READER)
@blueprint.output(PublicationList)
def list_publications(name: str) -> PublicationList:
    """List the latest publications, newest first."""
    check_assortment(name)
    query = select(Publication).where(Publication.assortment == name).order_by(Publication.generation.desc())
    with services().database.read() as session:
        find_assortment(session, name)
        rows = session.scalars(query.limit(SHOWN)).all()
    return PublicationList(publications=[_answer(row) for row in rows])


def _answer(row: Publication) -> PublicationOut:
    manifest = Manifest.FromString(row.manifest)
    return PublicationOut(
        generation=row.generation,
        kind=row.kind,
        created_at=row.created_at,
        products=manifest.products,
        references=manifest.references,
        rollout_percent=manifest.rollout_percent,
        state_digest=manifest.state_digest.hex(),
        feature_space=manifest.feature_space.hex(),
        model_sha256=manifest.model_sha256.hex(),
    )
