"""`/tuf/...` and `/blobs/...`: what is published, as static files. A web server or a CDN may serve the same folders.

All but `timestamp.json` never change, and may be cached for ever. Range, If-Range and ETag work, so that a device goes
on with an interrupted download.

With `files: authenticated` they are for devices only: metadata and targets for those of the assortment, blobs for any,
since assortments share them and their names cannot be guessed. Then only this process may serve them, or a web server
that asks it first.
"""

import re
from pathlib import Path
from typing import cast

from apiflask import APIBlueprint
from flask import Response, request, send_file

from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.sync.repository_format import etag_of
from skuscan_server.api.context import asking_device, services
from skuscan_server.errors import ForbiddenError, NotFoundError

YEAR = 31_536_000  # s, the longest that caches are told (RFC 9111)
IMMUTABLE = f"public, max-age={YEAR}, immutable"
PRIVATE = f"private, max-age={YEAR}, immutable"
TIMESTAMP = "timestamp.json"
REVALIDATE = "no-cache"  # may be kept, and is asked for every time
_ASSORTMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_METADATA = re.compile(r"(?:[0-9]{1,20}\.[a-z]{1,20}|timestamp)\.json")
_TARGET = re.compile(r"[0-9a-f]{64}\.[a-z]{1,20}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

blueprint = APIBlueprint("files", __name__, enable_openapi=False)


@blueprint.get("/tuf/<assortment>/metadata/<name>")
def metadata(assortment: str, name: str) -> Response:
    """A file of an assortment's TUF metadata."""
    _check_device(assortment)
    if not _ASSORTMENT.fullmatch(assortment) or not _METADATA.fullmatch(name):
        raise _not_found()
    path = services().config.published / "tuf" / assortment / "metadata" / name
    return _send_changing(path) if name == TIMESTAMP else _send(path, "application/json", None, IMMUTABLE)


@blueprint.get("/tuf/<assortment>/targets/<name>")
def target(assortment: str, name: str) -> Response:
    """A TUF target: a manifest or a model, named by its digest."""
    _check_device(assortment)
    if not _ASSORTMENT.fullmatch(assortment) or not _TARGET.fullmatch(name):
        raise _not_found()
    path = services().config.published / "tuf" / assortment / "targets" / name
    return _send(path, "application/octet-stream", name, IMMUTABLE)


@blueprint.get("/blobs/sha256/<prefix>/<digest>")
def blob(prefix: str, digest: str) -> Response:
    """A blob, named by its digest."""
    _check_device()
    if not _DIGEST.fullmatch(digest) or not digest.startswith(prefix):
        raise _not_found()
    path = services().published.path(FileRef(sha256=bytes.fromhex(digest)))
    if path.parent.name != prefix:
        raise _not_found()
    return _send(path, "application/octet-stream", digest, IMMUTABLE)


def _is_public() -> bool:
    return services().config.files == "public"


def _check_device(assortment: str = "") -> None:
    """Where files are not public: raises AccessError, or ForbiddenError when the device follows another assortment."""
    if _is_public():
        return
    device = asking_device()
    if assortment and device.assortment != assortment:
        raise ForbiddenError("a device fetches its own assortment", "another one")


def _send(path: Path, mimetype: str, etag: str | None, cache: str) -> Response:
    try:
        response = send_file(path.absolute(), mimetype=mimetype, conditional=True, etag=etag or True)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise _not_found() from error
    response.headers["Cache-Control"] = cache if _is_public() else PRIVATE
    del response.headers["Content-Disposition"]
    return response


def _send_changing(path: Path) -> Response:
    """A small JSON file that changes under one name. Its ETag follows from it: who has it needs no other note."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _not_found() from error
    response = Response(data, mimetype="application/json")
    response.set_etag(etag_of(data))
    response.headers["Cache-Control"] = REVALIDATE
    return cast(Response, response.make_conditional(request))


def _not_found() -> NotFoundError:
    return NotFoundError("the file is published", "none")  # short: every poll asks for a next root
