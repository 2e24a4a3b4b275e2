"""Enrolment tokens and devices: a token works once, a device speaks for itself only, a revoked one not at all."""

import time
import uuid
from dataclasses import dataclass

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from skuscan.errors import ConfigError
from skuscan.proto.device_pb2 import DeviceReport
from skuscan.sync.token import EnrolToken
from skuscan_server.access.secrets import DEVICE_PREFIX, digest, new_secret
from skuscan_server.catalogue.assortments import find_assortment
from skuscan_server.db.models import Device, EnrolmentToken
from skuscan_server.errors import AccessError, NotFoundError

DEVICE_NAME_LENGTH = 100  # characters
DAY = 86_400  # s
_TOKEN_REFUSED = "an enrolment token works once, and until it expires"


@dataclass(frozen=True)
class Enrolled:
    """A new device, and the token that is told once."""

    device: Device
    token: str


def create_enrolment_token(session: Session, assortment: str, root_sha256: str, days: float) -> EnrolToken:
    """A single-use invitation to an assortment. Raises NotFoundError.

    Args:
        session: A writing one.
        assortment: What the device will follow.
        root_sha256: Hex digest of the assortment's first root, which the token pins.
        days: How long it is good for.
    """
    find_assortment(session, assortment)
    secret = new_secret()
    now = time.time()
    row = EnrolmentToken(
        secret_sha256=digest(secret), assortment=assortment, created_at=now, expires_at=now + days * DAY
    )
    session.add(row)
    session.flush()
    return EnrolToken(assortment, secret, bytes.fromhex(root_sha256))


def enrol(session: Session, text: str, name: str) -> Enrolled:
    """Use up a token. Raises AccessError without saying which of its rules was broken."""
    try:
        token = EnrolToken.parse(text)
    except ConfigError as error:
        raise AccessError(error.rule, "another text", error.advice) from error
    now = time.time()
    used = session.execute(
        update(EnrolmentToken)
        .where(
            EnrolmentToken.secret_sha256 == digest(token.secret),
            EnrolmentToken.assortment == token.assortment,
            EnrolmentToken.used_at.is_(None),
            EnrolmentToken.expires_at > now,
        )
        .values(used_at=now)
    )
    assert isinstance(used, CursorResult)
    if used.rowcount != 1:
        raise AccessError(_TOKEN_REFUSED, "an unknown, used or expired one", "ask for a new one")
    secret = new_secret(DEVICE_PREFIX)
    device = Device(
        id=uuid.uuid4().hex,
        name=name[:DEVICE_NAME_LENGTH],
        assortment=token.assortment,
        token_sha256=digest(secret),
        enrolled_at=now,
    )
    session.add(device)
    session.flush()
    return Enrolled(device, secret)


def find_device(session: Session, token: str) -> Device:
    """Whose token this is. Raises AccessError when it is unknown or the device was revoked."""
    device = session.scalars(select(Device).where(Device.token_sha256 == digest(token))).first()
    if device is None or device.revoked_at is not None:
        raise AccessError("the device is enrolled", "an unknown or revoked one", "enrol it again")
    return device


def revoke(session: Session, device_id: str) -> None:
    """Refuse a device from now on. Raises NotFoundError."""
    device = session.get(Device, device_id)
    if device is None:
        raise NotFoundError("the device is known", device_id)
    device.revoked_at = device.revoked_at or time.time()


def note_report(device: Device, report: DeviceReport) -> None:
    """Keep what a device says of itself; its fields were checked."""
    device.seen_at = time.time()
    device.generation = report.generation
    device.state = report.state
    device.reason = report.reason
    device.version = report.version
    device.runtime = report.runtime
    device.rejected_generation = report.rejected_generation
    device.clock_skew_s = report.clock_skew_s
