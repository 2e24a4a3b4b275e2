"""`POST /api/v1/enrol`: a token becomes a device."""

from apiflask import APIBlueprint
from flask import Response
from google.protobuf import json_format

from skuscan.proto.device_pb2 import EnrolRequest, EnrolResponse
from skuscan_server.access.devices import DEVICE_NAME_LENGTH, enrol
from skuscan_server.api.context import services
from skuscan_server.api.messages import clean, read_message
from skuscan_server.catalogue.products import audit

blueprint = APIBlueprint("enrolment", __name__, url_prefix="/api/v1")


@blueprint.post("/enrol")
@blueprint.doc(responses={201: "an EnrolResponse", 401: "the token is not good (any more)"})
def enrol_device() -> Response:
    """Enrol a device.

    Body and answer are `EnrolRequest` and `EnrolResponse` of proto/skuscan/v1/device.proto in protobuf's JSON. The
    token works once.
    """
    message = read_message(EnrolRequest())
    with services().database.write() as session:
        enrolled = enrol(session, message.token, clean(message.name, DEVICE_NAME_LENGTH) or "unnamed")
        audit(session, f"device {enrolled.device.id}", "enrol", enrolled.device.name)
    assortment = enrolled.device.assortment
    answer = EnrolResponse(
        device_id=enrolled.device.id,
        device_token=enrolled.token,
        assortment=assortment,
        metadata_url=f"/tuf/{assortment}/metadata",
        targets_url=f"/tuf/{assortment}/targets",
        blobs_url="/blobs/sha256",
    )
    body = json_format.MessageToJson(answer, preserving_proto_field_name=True)
    return Response(body, 201, {"Cache-Control": "no-store"}, mimetype="application/json")
