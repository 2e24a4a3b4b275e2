"""Reading what devices send: small protobuf messages in protobuf's JSON."""

from typing import TypeVar

from flask import request
from google.protobuf import json_format
from google.protobuf.message import Message

from skuscan_server.errors import ServerError

MESSAGE_BYTES = 16_384  # bytes of one message
NESTING = 8  # levels

Kind = TypeVar("Kind", bound=Message)


def read_message(message: Kind) -> Kind:
    """Parse the request's body into an empty message. Raises ServerError when it is none."""
    request.max_content_length = MESSAGE_BYTES
    body = request.get_data(cache=False)
    name = message.DESCRIPTOR.name
    try:
        json_format.Parse(body, message, ignore_unknown_fields=True, max_recursion_depth=NESTING)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise ServerError(f"the body is a {name} in protobuf's JSON", type(error).__name__) from error
    return message


def clean(text: str, limit: int) -> str:
    """Text for people: printable, and not longer than `limit` characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:limit].strip()
