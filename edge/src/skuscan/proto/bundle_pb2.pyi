from skuscan.proto import catalogue_pb2 as _catalogue_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Segment(_message.Message):
    __slots__ = ("format", "kind", "records", "tombstones")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    format: int
    kind: _catalogue_pb2.RecordKind
    records: _containers.RepeatedScalarFieldContainer[bytes]
    tombstones: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, format: _Optional[int] = ..., kind: _Optional[_Union[_catalogue_pb2.RecordKind, str]] = ..., records: _Optional[_Iterable[bytes]] = ..., tombstones: _Optional[_Iterable[str]] = ...) -> None: ...

class SegmentRef(_message.Message):
    __slots__ = ("file", "kind", "records", "tombstones", "raw_length")
    FILE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOMBSTONES_FIELD_NUMBER: _ClassVar[int]
    RAW_LENGTH_FIELD_NUMBER: _ClassVar[int]
    file: _catalogue_pb2.FileRef
    kind: _catalogue_pb2.RecordKind
    records: int
    tombstones: int
    raw_length: int
    def __init__(self, file: _Optional[_Union[_catalogue_pb2.FileRef, _Mapping]] = ..., kind: _Optional[_Union[_catalogue_pb2.RecordKind, str]] = ..., records: _Optional[int] = ..., tombstones: _Optional[int] = ..., raw_length: _Optional[int] = ...) -> None: ...

class AnnoyRef(_message.Message):
    __slots__ = ("file", "trees", "references", "seed")
    FILE_FIELD_NUMBER: _ClassVar[int]
    TREES_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    file: _catalogue_pb2.FileRef
    trees: int
    references: int
    seed: int
    def __init__(self, file: _Optional[_Union[_catalogue_pb2.FileRef, _Mapping]] = ..., trees: _Optional[int] = ..., references: _Optional[int] = ..., seed: _Optional[int] = ...) -> None: ...

class Calibration(_message.Message):
    __slots__ = ("offset", "spread", "false_accept_rate", "match_probability", "references")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SPREAD_FIELD_NUMBER: _ClassVar[int]
    FALSE_ACCEPT_RATE_FIELD_NUMBER: _ClassVar[int]
    MATCH_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    offset: float
    spread: float
    false_accept_rate: float
    match_probability: float
    references: int
    def __init__(self, offset: _Optional[float] = ..., spread: _Optional[float] = ..., false_accept_rate: _Optional[float] = ..., match_probability: _Optional[float] = ..., references: _Optional[int] = ...) -> None: ...

class Probe(_message.Message):
    __slots__ = ("picture", "sku", "embedding")
    PICTURE_FIELD_NUMBER: _ClassVar[int]
    SKU_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    picture: _catalogue_pb2.FileRef
    sku: str
    embedding: bytes
    def __init__(self, picture: _Optional[_Union[_catalogue_pb2.FileRef, _Mapping]] = ..., sku: _Optional[str] = ..., embedding: _Optional[bytes] = ...) -> None: ...

class Manifest(_message.Message):
    __slots__ = ("format", "assortment", "generation", "previous_generation", "created_unix_ms", "feature_space", "model_sha256", "base_segments", "delta_segments", "annoy", "state_digest", "products", "references", "calibration", "probes", "rollout_percent")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    ASSORTMENT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SPACE_FIELD_NUMBER: _ClassVar[int]
    MODEL_SHA256_FIELD_NUMBER: _ClassVar[int]
    BASE_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    DELTA_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    ANNOY_FIELD_NUMBER: _ClassVar[int]
    STATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    format: int
    assortment: str
    generation: int
    previous_generation: int
    created_unix_ms: int
    feature_space: bytes
    model_sha256: bytes
    base_segments: _containers.RepeatedCompositeFieldContainer[SegmentRef]
    delta_segments: _containers.RepeatedCompositeFieldContainer[SegmentRef]
    annoy: AnnoyRef
    state_digest: bytes
    products: int
    references: int
    calibration: Calibration
    probes: _containers.RepeatedCompositeFieldContainer[Probe]
    rollout_percent: int
    def __init__(self, format: _Optional[int] = ..., assortment: _Optional[str] = ..., generation: _Optional[int] = ..., previous_generation: _Optional[int] = ..., created_unix_ms: _Optional[int] = ..., feature_space: _Optional[bytes] = ..., model_sha256: _Optional[bytes] = ..., base_segments: _Optional[_Iterable[_Union[SegmentRef, _Mapping]]] = ..., delta_segments: _Optional[_Iterable[_Union[SegmentRef, _Mapping]]] = ..., annoy: _Optional[_Union[AnnoyRef, _Mapping]] = ..., state_digest: _Optional[bytes] = ..., products: _Optional[int] = ..., references: _Optional[int] = ..., calibration: _Optional[_Union[Calibration, _Mapping]] = ..., probes: _Optional[_Iterable[_Union[Probe, _Mapping]]] = ..., rollout_percent: _Optional[int] = ...) -> None: ...

class PreprocessSpec(_message.Message):
    __slots__ = ("size", "letterbox_grey", "scale", "offset", "channel_order", "resampling")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    LETTERBOX_GREY_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ORDER_FIELD_NUMBER: _ClassVar[int]
    RESAMPLING_FIELD_NUMBER: _ClassVar[int]
    size: int
    letterbox_grey: int
    scale: float
    offset: float
    channel_order: str
    resampling: str
    def __init__(self, size: _Optional[int] = ..., letterbox_grey: _Optional[int] = ..., scale: _Optional[float] = ..., offset: _Optional[float] = ..., channel_order: _Optional[str] = ..., resampling: _Optional[str] = ...) -> None: ...

class KeypointSpec(_message.Message):
    __slots__ = ("detector", "extractor_version", "longest_side", "query_keypoints", "reference_keypoints", "candidate_keypoints", "scale_factor", "levels", "fast_threshold")
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    EXTRACTOR_VERSION_FIELD_NUMBER: _ClassVar[int]
    LONGEST_SIDE_FIELD_NUMBER: _ClassVar[int]
    QUERY_KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    SCALE_FACTOR_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    FAST_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    detector: str
    extractor_version: str
    longest_side: int
    query_keypoints: int
    reference_keypoints: int
    candidate_keypoints: int
    scale_factor: float
    levels: int
    fast_threshold: int
    def __init__(self, detector: _Optional[str] = ..., extractor_version: _Optional[str] = ..., longest_side: _Optional[int] = ..., query_keypoints: _Optional[int] = ..., reference_keypoints: _Optional[int] = ..., candidate_keypoints: _Optional[int] = ..., scale_factor: _Optional[float] = ..., levels: _Optional[int] = ..., fast_threshold: _Optional[int] = ...) -> None: ...

class DecisionCoefficients(_message.Message):
    __slots__ = ("intercept", "weights", "match_probability", "ambiguous_margin", "skip_verification_logit", "false_accept_rate", "logit_per_decade", "closer_look_probability")
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    INTERCEPT_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    MATCH_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    AMBIGUOUS_MARGIN_FIELD_NUMBER: _ClassVar[int]
    SKIP_VERIFICATION_LOGIT_FIELD_NUMBER: _ClassVar[int]
    FALSE_ACCEPT_RATE_FIELD_NUMBER: _ClassVar[int]
    LOGIT_PER_DECADE_FIELD_NUMBER: _ClassVar[int]
    CLOSER_LOOK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    intercept: float
    weights: _containers.ScalarMap[str, float]
    match_probability: float
    ambiguous_margin: float
    skip_verification_logit: float
    false_accept_rate: float
    logit_per_decade: float
    closer_look_probability: float
    def __init__(self, intercept: _Optional[float] = ..., weights: _Optional[_Mapping[str, float]] = ..., match_probability: _Optional[float] = ..., ambiguous_margin: _Optional[float] = ..., skip_verification_logit: _Optional[float] = ..., false_accept_rate: _Optional[float] = ..., logit_per_decade: _Optional[float] = ..., closer_look_probability: _Optional[float] = ...) -> None: ...

class ModelArtifact(_message.Message):
    __slots__ = ("format", "name", "backbone", "head", "preprocess", "keypoints", "decision")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    PREPROCESS_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    format: int
    name: str
    backbone: _catalogue_pb2.FileRef
    head: _catalogue_pb2.FileRef
    preprocess: PreprocessSpec
    keypoints: KeypointSpec
    decision: DecisionCoefficients
    def __init__(self, format: _Optional[int] = ..., name: _Optional[str] = ..., backbone: _Optional[_Union[_catalogue_pb2.FileRef, _Mapping]] = ..., head: _Optional[_Union[_catalogue_pb2.FileRef, _Mapping]] = ..., preprocess: _Optional[_Union[PreprocessSpec, _Mapping]] = ..., keypoints: _Optional[_Union[KeypointSpec, _Mapping]] = ..., decision: _Optional[_Union[DecisionCoefficients, _Mapping]] = ...) -> None: ...
