"""Every error that the server raises on purpose.

    SkuscanError
    └── ServerError
        ├── CatalogueError    an import or a change that breaks a rule of the catalogue
        ├── NotFoundError     no such product, assortment, device, file
        ├── ConflictError     it is there already, or another one holds it
        ├── AccessError       no key or token, a wrong one, or one that may not do this
        │   └── ForbiddenError   known, but not allowed
        ├── TooLargeError     more bytes, rows or pixels than the limits allow
        ├── BusyError         overloaded or locked: come back later
        ├── RateError         a device that asks too often
        ├── BackupError       a backup that cannot be made, or is not fit to be restored
        └── PublishError      a publication that did not come about

The command line prints one in one line and exits 2; the API answers its `status` as problem JSON.
"""

from http import HTTPStatus
from typing import ClassVar

from skuscan.errors import SkuscanError


class ServerError(SkuscanError):
    """A rule of the server was broken by something from outside."""

    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY


class CatalogueError(ServerError):
    """An import or a change that breaks a rule of the catalogue."""


class NotFoundError(ServerError):
    """No such product, assortment, device or file."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ServerError):
    """It is there already, or it is in use."""

    status = HTTPStatus.CONFLICT


class AccessError(ServerError):
    """No key or token, or one that is not known, expired, used or revoked."""

    status = HTTPStatus.UNAUTHORIZED


class ForbiddenError(AccessError):
    """Known, but not allowed to do this."""

    status = HTTPStatus.FORBIDDEN


class TooLargeError(ServerError):
    """More bytes, rows or pixels than the limits allow."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BusyError(ServerError):
    """Overloaded, or locked by another builder: come back later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class RateError(ServerError):
    """A device that asks too often.

    Args:
        rule: What must hold.
        received: What came instead.
        retry_after: s, until the next request is taken.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, rule: str, received: str, retry_after: float) -> None:
        super().__init__(rule, received, "wait as long as Retry-After says")
        self.retry_after = retry_after


class BackupError(ServerError):
    """A backup that cannot be made, or is not fit to be restored."""


class PublishError(ServerError):
    """A publication that did not come about."""
