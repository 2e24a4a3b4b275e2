"""What an error answer holds: a problem document (RFC 9457) with the rule, what was received, and what to do.

Needs no web framework: the process that tells devices of publications has none.
"""

import json
import math
from http import HTTPStatus

from skuscan.errors import SkuscanError

MEDIA_TYPE = "application/problem+json"
RECEIVED_LENGTH = 300  # characters of what was received that are said back


def problem_document(status: int, kind: str, rule: str, received: str = "", advice: str = "") -> bytes:
    """A problem document, as JSON.

    Args:
        status: The HTTP status.
        kind: What sort of error, part of `type`.
        rule: What must hold.
        received: What came instead.
        advice: What to do.
    """
    detail = "; ".join(part for part in (rule, f"received {received}" if received else "", advice) if part)
    fields = {
        "type": f"urn:skuscan:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "rule": rule,
        "received": received,
        "advice": advice,
    }
    return json.dumps(fields, separators=(",", ":")).encode()


def problem_headers(status: int, retry_after: float) -> dict[str, str]:
    """What stands above a problem document; with 429 and 503 also `retry_after`, s, rounded up."""
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = str(math.ceil(retry_after))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def problem_kind(error: SkuscanError) -> str:
    """What sort of error this is, for `problem_document`."""
    return type(error).__name__.removesuffix("Error").lower()
