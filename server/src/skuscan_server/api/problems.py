"""Errors as problem JSON (RFC 9457), with the rule, what was received, and what to do. Nothing of the inside leaks."""

import json
import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Response
from sqlalchemy.exc import IntegrityError, OperationalError
from werkzeug.exceptions import HTTPException

from skuscan.errors import ConfigError, ModelError, SkuscanError, StoreError
from skuscan_server.errors import BusyError, ConflictError, RateError, ServerError
from skuscan_server.problem import RECEIVED_LENGTH, problem_document, problem_headers, problem_kind

RETRY_AFTER = 5  # s, that a client is asked to wait when the server is overloaded

# Not the caller's fault, and their texts name files of the server.
_INTERNAL = (ModelError, StoreError, ConfigError)

log = logging.getLogger(__name__)


def register(app: APIFlask) -> None:
    """Make every error of an app a problem."""
    app.register_error_handler(HTTPError, _http_error)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(SkuscanError, _known)
    app.register_error_handler(OperationalError, _overloaded)
    app.register_error_handler(IntegrityError, _raced)
    app.register_error_handler(Exception, _bug)


def problem(
    status: int,
    kind: str,
    rule: str,
    received: str = "",
    advice: str = "",
    *,
    retry_after: float = RETRY_AFTER,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer that is a problem: arguments as `problem_document` and `problem_headers` have them; more headers."""
    document = problem_document(status, kind, rule, received, advice)
    return Response(document, int(status), {**problem_headers(status, retry_after), **(headers or {})})


def _known(error: SkuscanError) -> Response:
    if isinstance(error, _INTERNAL):
        return _bug(error)
    status = error.status if isinstance(error, ServerError) else HTTPStatus.UNPROCESSABLE_ENTITY
    received = error.received[:RECEIVED_LENGTH]
    pause = error.retry_after if isinstance(error, RateError) else RETRY_AFTER
    return problem(status, problem_kind(error), error.rule, received, error.advice, retry_after=pause)


def _http_error(error: HTTPError) -> Response:
    """What APIFlask raises: mostly a body or a query that does not fit its model."""
    received = json.dumps(error.detail)[:RECEIVED_LENGTH] if error.detail else ""
    status = HTTPStatus(error.status_code)
    return problem(status, _kind(status), error.message or status.phrase, received)


def _http_exception(error: HTTPException) -> Response:
    """What Flask raises: no such path, another method, too long, not JSON."""
    response = error.get_response()
    if isinstance(response, Response) and response.status_code < HTTPStatus.BAD_REQUEST:
        return response  # a redirect, or 304
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {name: value for name, value in response.headers.items() if name in ("Allow", "Content-Range")}
    return problem(status, _kind(status), status.description or status.phrase, headers=headers)


def _overloaded(error: OperationalError) -> Response:
    log.warning("the database did not answer in time: %s", error.orig)
    return _known(BusyError("the database answers in time", "it is busy or away", "try again"))


def _raced(error: IntegrityError) -> Response:
    log.info("two changes met: %s", error.orig)
    return _known(ConflictError("two changes of one thing come one after the other", "both at once", "try again"))


def _bug(error: Exception) -> Response:
    incident = uuid.uuid4().hex
    log.error("incident %s", incident, exc_info=error)
    return problem(500, "internal", "the server works", f"incident {incident}", "tell the operator the incident")


def _kind(status: HTTPStatus) -> str:
    return status.phrase.lower().replace(" ", "-")
