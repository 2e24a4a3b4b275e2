from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class EnrolRequest(_message.Message):
    __slots__ = ("token", "name")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    token: str
    name: str
    def __init__(self, token: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class EnrolResponse(_message.Message):
    __slots__ = ("device_id", "device_token", "assortment", "metadata_url", "targets_url", "blobs_url")
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ASSORTMENT_FIELD_NUMBER: _ClassVar[int]
    METADATA_URL_FIELD_NUMBER: _ClassVar[int]
    TARGETS_URL_FIELD_NUMBER: _ClassVar[int]
    BLOBS_URL_FIELD_NUMBER: _ClassVar[int]
    device_id: str
    device_token: str
    assortment: str
    metadata_url: str
    targets_url: str
    blobs_url: str
    def __init__(self, device_id: _Optional[str] = ..., device_token: _Optional[str] = ..., assortment: _Optional[str] = ..., metadata_url: _Optional[str] = ..., targets_url: _Optional[str] = ..., blobs_url: _Optional[str] = ...) -> None: ...

class DeviceReport(_message.Message):
    __slots__ = ("generation", "state", "reason", "version", "runtime", "rejected_generation", "clock_skew_s")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    REJECTED_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CLOCK_SKEW_S_FIELD_NUMBER: _ClassVar[int]
    generation: int
    state: str
    reason: str
    version: str
    runtime: str
    rejected_generation: int
    clock_skew_s: int
    def __init__(self, generation: _Optional[int] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., version: _Optional[str] = ..., runtime: _Optional[str] = ..., rejected_generation: _Optional[int] = ..., clock_skew_s: _Optional[int] = ...) -> None: ...
