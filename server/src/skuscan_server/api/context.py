"""What a request needs: the server's parts, and who asks."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint
from flask import current_app, g, request

from skuscan_server.access.devices import find_device
from skuscan_server.access.operators import Operator, Role, find_operator
from skuscan_server.access.secrets import DEVICE_PREFIX, OPERATOR_PREFIX
from skuscan_server.db.models import Device
from skuscan_server.errors import AccessError, ForbiddenError
from skuscan_server.services import Services

EXTENSION = "skuscan"
OPERATOR_SCHEME = "operator"
DEVICE_SCHEME = "device"

View = TypeVar("View", bound=Callable[..., Any])


def services() -> Services:
    """The parts of the app that answers this request."""
    return cast(Services, current_app.extensions[EXTENSION])


def actor() -> str:
    """Who asks, for the audit log."""
    operator: Operator = g.operator
    return f"{operator.name} (api)"


def device_id() -> str:
    """The device that asks."""
    return cast(Device, g.device).id


def asking_device() -> Device:
    """The device whose token the request carries. Raises AccessError when it is none's, or was revoked."""
    token = _bearer()
    if token.startswith(OPERATOR_PREFIX):
        raise ForbiddenError("this is for devices", "an operator's key")
    with services().database.read() as session:
        return find_device(session, token)


def for_operators(blueprint: APIBlueprint, role: Role) -> Callable[[View], View]:
    """Only operators of at least this role; checked before the body is looked at."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            token = _bearer()
            if token.startswith(DEVICE_PREFIX):
                raise ForbiddenError("this is for operators", "a device's token")
            with services().database.read() as session:
                g.operator = find_operator(session, token)
            g.operator.require(role)
            return view(*args, **kwargs)

        return cast(View, blueprint.doc(security=OPERATOR_SCHEME)(wrapper))

    return decorate


def for_devices(blueprint: APIBlueprint) -> Callable[[View], View]:
    """Only enrolled devices, each for itself and not too often; checked before the body is looked at."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            g.device = asking_device()
            services().device_rate.check(g.device.id)
            return view(*args, **kwargs)

        return cast(View, blueprint.doc(security=DEVICE_SCHEME)(wrapper))

    return decorate


def _bearer() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessError("a request carries `Authorization: Bearer ...`", "none")
    return token.strip()
