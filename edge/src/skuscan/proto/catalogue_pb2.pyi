from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_KIND_UNSPECIFIED: _ClassVar[RecordKind]
    RECORD_KIND_PRODUCT: _ClassVar[RecordKind]
    RECORD_KIND_REFERENCE: _ClassVar[RecordKind]
    RECORD_KIND_PAIR: _ClassVar[RecordKind]
RECORD_KIND_UNSPECIFIED: RecordKind
RECORD_KIND_PRODUCT: RecordKind
RECORD_KIND_REFERENCE: RecordKind
RECORD_KIND_PAIR: RecordKind

class FileRef(_message.Message):
    __slots__ = ("sha256", "length")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    length: int
    def __init__(self, sha256: _Optional[bytes] = ..., length: _Optional[int] = ...) -> None: ...

class Money(_message.Message):
    __slots__ = ("currency", "minor_units")
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    MINOR_UNITS_FIELD_NUMBER: _ClassVar[int]
    currency: str
    minor_units: int
    def __init__(self, currency: _Optional[str] = ..., minor_units: _Optional[int] = ...) -> None: ...

class AttributeValue(_message.Message):
    __slots__ = ("text", "integer", "number", "flag", "money")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    text: str
    integer: int
    number: float
    flag: bool
    money: Money
    def __init__(self, text: _Optional[str] = ..., integer: _Optional[int] = ..., number: _Optional[float] = ..., flag: _Optional[bool] = ..., money: _Optional[_Union[Money, _Mapping]] = ...) -> None: ...

class Product(_message.Message):
    __slots__ = ("sku", "name", "gtin", "group", "attributes", "display")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeValue, _Mapping]] = ...) -> None: ...
    SKU_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GTIN_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_FIELD_NUMBER: _ClassVar[int]
    sku: str
    name: str
    gtin: str
    group: str
    attributes: _containers.MessageMap[str, AttributeValue]
    display: FileRef
    def __init__(self, sku: _Optional[str] = ..., name: _Optional[str] = ..., gtin: _Optional[str] = ..., group: _Optional[str] = ..., attributes: _Optional[_Mapping[str, AttributeValue]] = ..., display: _Optional[_Union[FileRef, _Mapping]] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("sku", "reference_id", "embedding", "keypoints", "appearance")
    SKU_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_ID_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    APPEARANCE_FIELD_NUMBER: _ClassVar[int]
    sku: str
    reference_id: str
    embedding: bytes
    keypoints: bytes
    appearance: bytes
    def __init__(self, sku: _Optional[str] = ..., reference_id: _Optional[str] = ..., embedding: _Optional[bytes] = ..., keypoints: _Optional[bytes] = ..., appearance: _Optional[bytes] = ...) -> None: ...

class Pair(_message.Message):
    __slots__ = ("sku_a", "sku_b", "similarity", "minimum_margin")
    SKU_A_FIELD_NUMBER: _ClassVar[int]
    SKU_B_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_MARGIN_FIELD_NUMBER: _ClassVar[int]
    sku_a: str
    sku_b: str
    similarity: float
    minimum_margin: float
    def __init__(self, sku_a: _Optional[str] = ..., sku_b: _Optional[str] = ..., similarity: _Optional[float] = ..., minimum_margin: _Optional[float] = ...) -> None: ...
