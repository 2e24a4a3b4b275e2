"""Telling the server how a device is. That it cannot be told is no failure."""

import logging
from contextlib import suppress
from importlib import metadata

from google.protobuf import json_format

from skuscan.errors import SkuscanError
from skuscan.proto.device_pb2 import DeviceReport
from skuscan.runtime import LIBRARIES
from skuscan.store import Store
from skuscan.store.store import METADATA_FOLDER
from skuscan.sync.clock import time_floor, told_skew
from skuscan.sync.enrolment import JSON_HEADERS
from skuscan.sync.transport import VERSION, Transport, absolute_url

REPORT_PATH = "api/v1/devices/me/report"
log = logging.getLogger(__name__)


def report(store: Store, transport: Transport, rejected: int, generation: int, reason: str) -> None:
    """Post a `DeviceReport`.

    Args:
        store: The device's.
        transport: What reaches the server.
        rejected: The generation that the sync that has just ended did not take; 0: none.
        generation: The one that answers.
        reason: Why it was rejected, or waits.
    """
    identity, degraded = store.identity, store.status().degraded
    floor = time_floor(store.path / METADATA_FOLDER)
    message = DeviceReport(
        generation=generation,
        state="rejected" if rejected else "degraded" if degraded else "live",
        reason=reason or degraded,
        version=VERSION,
        runtime=_runtime(),
        rejected_generation=max(rejected, *store.rejected(), 0),
        clock_skew_s=told_skew(transport.clock_skew, floor),
    )
    body = json_format.MessageToJson(message, preserving_proto_field_name=True).encode()
    headers = {**JSON_HEADERS, "Authorization": f"Bearer {identity.device_token}"}
    try:
        transport.post(absolute_url(identity.server_url, REPORT_PATH), body, headers)
    except SkuscanError as error:
        log.warning("the server was not told: %s", error)


def _runtime() -> str:
    """The interpreter that is installed; what `skuscan status` shows in full."""
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            return f"{name} {metadata.version(name)}"
    return ""
