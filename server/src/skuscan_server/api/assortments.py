"""`/api/v1/assortments`: which products a group of devices gets."""

from apiflask import APIBlueprint
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from skuscan.bundle.manifest import check_assortment
from skuscan_server.access.devices import create_enrolment_token
from skuscan_server.access.operators import Role
from skuscan_server.api.context import actor, for_operators, services
from skuscan_server.api.schemas import (
    AssortmentIn,
    AssortmentList,
    AssortmentOut,
    AssortmentPatch,
    EnrolmentTokenOut,
    MembersIn,
    MembersOut,
)
from skuscan_server.catalogue.assortments import find_assortment, set_members
from skuscan_server.catalogue.products import audit
from skuscan_server.db.models import Assortment, Publication

blueprint = APIBlueprint("assortments", __name__, url_prefix="/api/v1/assortments")


@blueprint.get("")
@for_operators(blueprint, Role.READER)
@blueprint.output(AssortmentList)
def list_assortments() -> AssortmentList:
    """List every assortment and its generation."""
    with services().database.read() as session:
        rows = session.scalars(select(Assortment).order_by(Assortment.name)).all()
        generations = _generations(session)
    return AssortmentList(assortments=[_answer(row, generations.get(row.name, 0)) for row in rows])


@blueprint.post("")
@for_operators(blueprint, Role.ADMIN)
@blueprint.input(AssortmentIn)
@blueprint.output(AssortmentOut, status_code=201)
def create_assortment(json_data: AssortmentIn) -> tuple[AssortmentOut, int]:
    """Create an empty assortment with signing keys of its own.

    The offline root keys must be in the server's keys folder for that.
    """
    services().create_assortment(json_data.name, actor())
    return _look(json_data.name), 201


@blueprint.get("/<name>")
@for_operators(blueprint, Role.READER)
@blueprint.output(AssortmentOut)
def get_assortment(name: str) -> AssortmentOut:
    """Look at an assortment."""
    return _look(name)


@blueprint.patch("/<name>")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(AssortmentPatch)
@blueprint.output(AssortmentOut)
def patch_assortment(name: str, json_data: AssortmentPatch) -> AssortmentOut:
    """Widen or stop a rollout. It takes effect with the next publication."""
    with services().database.write() as session:
        _find(session, name).rollout_percent = json_data.rollout_percent
        audit(session, actor(), "rollout", f"{name}: {json_data.rollout_percent}%")
    return _look(name)


@blueprint.put("/<name>/members")
@for_operators(blueprint, Role.EDITOR)
@blueprint.input(MembersIn)
@blueprint.output(MembersOut)
def put_members(name: str, json_data: MembersIn) -> MembersOut:
    """Say which SKUs make an assortment."""
    with services().database.write() as session:
        _find(session, name)
        count = set_members(session, name, json_data.skus)
        audit(session, actor(), "assortment members", f"{name}: {count}")
    return MembersOut(members=count)


@blueprint.post("/<name>/enrolment-tokens")
@for_operators(blueprint, Role.ADMIN)
@blueprint.output(EnrolmentTokenOut, status_code=201)
def create_token(name: str) -> tuple[EnrolmentTokenOut, int]:
    """Make a token that enrols one device, once."""
    days = services().config.enrolment_days
    with services().database.write() as session:
        _find(session, name)
        root = services().repository(name).root_sha256()
        token = create_enrolment_token(session, name, root, days)
        audit(session, actor(), "enrolment token", name)
    return EnrolmentTokenOut(token=str(token), assortment=name, days=days), 201


def _find(session: Session, name: str) -> Assortment:
    check_assortment(name)
    return find_assortment(session, name)


def _look(name: str) -> AssortmentOut:
    with services().database.read() as session:
        return _answer(_find(session, name), _generations(session).get(name, 0))


def _generations(session: Session) -> dict[str, int]:
    query = select(Publication.assortment, func.max(Publication.generation)).group_by(Publication.assortment)
    return {row[0]: row[1] for row in session.execute(query)}


def _answer(row: Assortment, generation: int) -> AssortmentOut:
    return AssortmentOut(
        name=row.name,
        everything=row.everything,
        rollout_percent=row.rollout_percent,
        publish_requested=row.publish_requested,
        last_error=row.last_error,
        generation=generation,
    )
