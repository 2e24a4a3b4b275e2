"""Make a machine a device: once, with a token that an operator made.

1. The token is read; it names the assortment and pins the root.
2. POST /api/v1/enrol spends it and gives an id and a device token.
3. 1.root.json is fetched and compared with the pin.
4. The store is made; from now on the device trusts what this root signs.
"""

import json
import re
from pathlib import Path

from google.protobuf import json_format

from skuscan.errors import NetworkError, StoreError, TrustError
from skuscan.proto.device_pb2 import EnrolRequest, EnrolResponse
from skuscan.store import DeviceIdentity, Store
from skuscan.store.store import IDENTITY_FILES
from skuscan.sync.failures import StatusError
from skuscan.sync.options import SyncOptions
from skuscan.sync.token import EnrolToken
from skuscan.sync.transport import Transport, absolute_url
from skuscan.sync.trust import fetch_pinned_root

ENROL_PATH = "api/v1/enrol"
JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}

_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,512}")  # the token becomes a header


def enrol(url: str, token: str, store_path: Path, name: str, options: SyncOptions) -> DeviceIdentity:
    """Enrol this machine.

    Args:
        url: The server's root.
        token: As the operator gave it.
        store_path: Where the device's store will be; there must be none.
        name: How operators see the device.
        options: How to reach the server.

    Raises:
        ConfigError: The token or the address is not one.
        NetworkError: The server is down or refuses the token.
        TrustError: The server has another root than the token says.
        StoreError: There is a store already, or it cannot be made. The token is not spent in the first case.
    """
    parsed = EnrolToken.parse(token)
    if any((Path(store_path) / name).exists() for name in IDENTITY_FILES):
        raise StoreError("a device is enrolled once", f"{store_path} is a store already", "remove it to enrol again")
    transport = Transport(options)
    answer = _ask(transport, url, EnrolRequest(token=str(parsed), name=name))
    if answer.assortment != parsed.assortment:
        raise TrustError(f"the server enrols for the assortment {parsed.assortment}", answer.assortment)
    identity = DeviceIdentity(
        server_url=url,
        device_id=answer.device_id,
        device_token=answer.device_token,
        assortment=answer.assortment,
        root_sha256=parsed.root_sha256.hex(),
        metadata_url=answer.metadata_url,
        targets_url=answer.targets_url,
        blobs_url=answer.blobs_url,
    )
    transport.authorize(url, answer.device_token)
    fetch_pinned_root(transport, absolute_url(url, answer.metadata_url), parsed.root_sha256)
    Store.create(Path(store_path), identity)
    return identity


def problem(body: bytes) -> str:
    """What a problem answer says (RFC 9457), in brief; empty when it is none."""
    try:
        fields = json.loads(body)
        return str(fields.get("detail") or fields.get("title") or "")
    except (ValueError, AttributeError, RecursionError):
        return ""


def _ask(transport: Transport, url: str, request: EnrolRequest) -> EnrolResponse:
    body = json_format.MessageToJson(request, preserving_proto_field_name=True).encode()
    try:
        data = transport.post(absolute_url(url, ENROL_PATH), body, JSON_HEADERS)
        answer = json_format.Parse(data, EnrolResponse(), ignore_unknown_fields=True)
    except StatusError as error:
        said = problem(error.body)
        raise NetworkError(
            "the server accepts the enrolment",
            f"HTTP {error.status}" + (f": {said}" if said else ""),
            "check the address, and ask for a new token: skuscan-server enrol-token",
        ) from error
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise NetworkError(
            "the server answers an enrolment in JSON", "another answer", "is this a skuscan server?"
        ) from error
    if not (_HEADER_SAFE.fullmatch(answer.device_token) and _HEADER_SAFE.fullmatch(answer.device_id)):
        raise NetworkError("an enrolment gives an id and a token", "an answer without", "is this a skuscan server?")
    return answer
