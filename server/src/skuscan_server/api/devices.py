"""`/api/v1/devices`: for operators, every device; for a device, its own report."""

import re

from apiflask import APIBlueprint
from sqlalchemy import select

from skuscan.proto.device_pb2 import DeviceReport
from skuscan_server.access import devices
from skuscan_server.access.operators import Role
from skuscan_server.api.context import actor, device_id, for_devices, for_operators, services
from skuscan_server.api.messages import clean, read_message
from skuscan_server.api.schemas import DeviceOut, DevicePage, PageQuery
from skuscan_server.catalogue.products import audit
from skuscan_server.db.models import Device
from skuscan_server.errors import NotFoundError, ServerError

STATES = ("live", "rejected", "degraded")
REASON_LENGTH = 500  # characters
VERSION_LENGTH = 64
RUNTIME_LENGTH = 200
LARGEST_GENERATION = 2**63 - 1  # what a database's whole number holds
_DEVICE_ID = re.compile("[0-9a-f]{32}")

blueprint = APIBlueprint("devices", __name__, url_prefix="/api/v1/devices")


@blueprint.get("")
@for_operators(blueprint, Role.READER)
@blueprint.input(PageQuery, location="query")
@blueprint.output(DevicePage)
def list_devices(query_data: PageQuery) -> DevicePage:
    """List devices and what they last reported."""
    after = _checked_id(query_data.after) if query_data.after else ""
    query = select(Device).where(Device.id > after).order_by(Device.id).limit(query_data.limit + 1)
    with services().database.read() as session:
        found = session.scalars(query).all()
    page = [_answer(device) for device in found[: query_data.limit]]
    return DevicePage(devices=page, next=page[-1].id if len(found) > len(page) else None)


@blueprint.delete("/<device>")
@for_operators(blueprint, Role.ADMIN)
@blueprint.output({}, status_code=204)
def revoke_device(device: str) -> tuple[str, int]:
    """Refuse a device from its next request on."""
    with services().database.write() as session:
        devices.revoke(session, _checked_id(device))
        audit(session, actor(), "device revoke", device)
    return "", 204


@blueprint.post("/me/report")
@for_devices(blueprint)
@blueprint.output({}, status_code=204)
def report() -> tuple[str, int]:
    """Take a device's report of itself: a `DeviceReport` in protobuf's JSON."""
    message = _checked(read_message(DeviceReport()))
    with services().database.write() as session:
        devices.note_report(session.get_one(Device, device_id()), message)
    return "", 204


def _checked(message: DeviceReport) -> DeviceReport:
    if message.state not in STATES:
        raise ServerError(f"a device's state is one of {', '.join(STATES)}", clean(message.state, 40))
    if max(message.generation, message.rejected_generation) > LARGEST_GENERATION:
        raise ServerError("a generation has at most 63 bits", str(message.generation))
    message.reason = clean(message.reason, REASON_LENGTH)
    message.version = clean(message.version, VERSION_LENGTH)
    message.runtime = clean(message.runtime, RUNTIME_LENGTH)
    return message


def _checked_id(text: str) -> str:
    if not _DEVICE_ID.fullmatch(text):
        raise NotFoundError("a device's id has 32 hex digits", clean(text, 40))
    return text


def _answer(device: Device) -> DeviceOut:
    return DeviceOut(**{name: getattr(device, name) for name in DeviceOut.model_fields})
