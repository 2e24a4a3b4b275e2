"""What the OpenAPI description says beyond the pydantic models: bodies that are no JSON models, and problems."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from skuscan.proto.device_pb2 import DeviceReport, EnrolRequest, EnrolResponse
from skuscan_server.problem import MEDIA_TYPE

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string", "description": "what must hold"},
        "received": {"type": "string", "description": "what came instead"},
        "advice": {"type": "string", "description": "what to do"},
    },
    "required": ["type", "title", "status", "detail", "rule", "received", "advice"],
}
PICTURE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def complete(spec: dict[str, Any]) -> dict[str, Any]:
    """Add to a generated description what its generator cannot know."""
    spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    paths = spec["paths"]
    paths["/api/v1/references"]["post"]["requestBody"] = _body(PICTURE)
    paths["/api/v1/enrol"]["post"]["requestBody"] = _body(_message(EnrolRequest))
    paths["/api/v1/enrol"]["post"]["responses"]["201"]["content"] = _message(EnrolResponse)
    paths["/api/v1/devices/me/report"]["post"]["requestBody"] = _body(_message(DeviceReport))
    error = {"description": "A problem", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
    for operations in paths.values():
        for operation in operations.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status, described in operation["responses"].items():
                    if status >= "400":
                        described["content"] = error["content"]
                operation["responses"]["default"] = error
    return spec


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _message(kind: type[Message]) -> dict[str, Any]:
    """A message of strings and whole numbers, as protobuf's JSON has it: 64-bit numbers may be strings."""
    properties = {
        field.name: {"type": "string"} if field.type == FieldDescriptor.TYPE_STRING else {"type": ["integer", "string"]}
        for field in kind.DESCRIPTOR.fields
    }
    return {"application/json": {"schema": {"type": "object", "title": kind.DESCRIPTOR.name, "properties": properties}}}
