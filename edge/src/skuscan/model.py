"""The model artefact: backbone, head, preprocessing, keypoint spec and decision coefficients as one thing.

In a folder (`models/artifacts/<name>/`) it is `artifact.json` (protobuf's JSON of `ModelArtifact`) beside
`backbone.tflite` and `head.npz`. On the wire the same message is the TUF target `model`, and the files are blobs.
Either way every file is checked against its SHA-256 before it is used.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from skuscan.bundle.limits import LIMITS
from skuscan.errors import ModelError
from skuscan.proto.bundle_pb2 import ModelArtifact
from skuscan.proto.catalogue_pb2 import FileRef

EMBEDDING_SIZE = 256  # components
REFERENCE_FILLS = (1.0, 0.55)  # of the square, by a catalogue picture: one embedding each; see docs/decisions/0159
REFERENCE_SHAPE = (len(REFERENCE_FILLS), EMBEDDING_SIZE)  # of what a reference's record holds, int8
ARTIFACT_FILE = "artifact.json"
BACKBONE_FILE = "backbone.tflite"
HEAD_FILE = "head.npz"
_BLOCK = 1 << 16  # bytes read at once: checking a backbone takes no memory of its size


@dataclass(frozen=True)
class Head:
    """What turns the backbone's feature map into an embedding, outside the int8 graph.

    GeM pooling (Radenovic et al. 2018, "Fine-tuning CNN image retrieval with no human annotation") with exponent
    `gem_p`, in which a location x weighs `sigmoid(attention . x)`, so that the product counts and the shelf around it
    does not (Noh et al. 2017, "Large-scale image retrieval with attentive deep local features"); then
    `pooled @ projection + bias`, then unit length.
    """

    gem_p: float
    projection: npt.NDArray[np.float32]  # (c, 256)
    bias: npt.NDArray[np.float32]  # (256,)
    attention: npt.NDArray[np.float32]  # (c,); zeros: every location weighs the same

    @classmethod
    def load(cls, data: bytes) -> "Head":
        """Read a `.npz`. Raises ModelError when an array is missing, of another shape, or not finite."""
        try:
            with ZipFile(io.BytesIO(data)) as file:
                unpacked = sum(entry.file_size for entry in file.infolist())
            if unpacked > LIMITS.head_bytes:
                raise ValueError(f"{unpacked} bytes unpacked")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                gem_p, projection, bias = arrays["gem_p"], arrays["projection"], arrays["bias"]
                attention = arrays["attention"]
        except Exception as error:  # damaged bytes make these readers raise nearly anything: zlib.error, TokenError
            raise ModelError("a head holds the arrays gem_p, projection, bias and attention", str(error)) from error
        if projection.ndim != 2 or projection.shape[1] != EMBEDDING_SIZE or bias.shape != (EMBEDDING_SIZE,):
            raise ModelError("a head projects to 256 components", f"{projection.shape} and {bias.shape}")
        if attention.shape != projection.shape[:1]:
            raise ModelError("a head's attention has as many channels as its projection", f"{attention.shape}")
        if not all(np.isfinite(a).all() for a in (gem_p, projection, bias, attention)) or gem_p.size != 1:
            raise ModelError("a head's numbers are finite", "a NaN, an infinity or a wrong shape")
        return cls(float(gem_p), *(a.astype(np.float32, copy=False) for a in (projection, bias, attention)))

    def dump(self) -> bytes:
        """The `.npz` that `load` reads."""
        out = io.BytesIO()
        np.savez(
            out, gem_p=np.float32(self.gem_p), projection=self.projection, bias=self.bias, attention=self.attention
        )
        return out.getvalue()


@dataclass(frozen=True)
class Model:
    """A verified artefact, ready to be opened by an embedder.

    Attributes:
        artifact: The message as published.
        backbone: Path of the int8 .tflite.
        head: The arrays beside it.
    """

    artifact: ModelArtifact
    backbone: Path
    head: Head

    @property
    def feature_space(self) -> bytes:
        """32 bytes; vectors and descriptors of two spaces are never compared."""
        return feature_space(self.artifact)

    @classmethod
    def open(cls, artifact: ModelArtifact, locate: Callable[[FileRef], Path]) -> "Model":
        """Check an artefact's files and open it.

        Args:
            artifact: Parsed and trusted (signed, or from the operator's own disk).
            locate: Where a file is; its content is checked here.

        Raises:
            ModelError: A file is missing or damaged, or the format is another one.
        """
        if artifact.format != 1:
            raise ModelError("a model artefact has format 1", f"format {artifact.format}", "update skuscan")
        backbone = locate(artifact.backbone)
        _check_file(backbone, artifact.backbone, LIMITS.backbone_bytes)
        head = Head.load(_read_checked(locate(artifact.head), artifact.head, LIMITS.head_bytes))
        return cls(artifact, backbone, head)

    @classmethod
    def open_folder(cls, folder: Path) -> "Model":
        """Open `models/artifacts/<name>/`. Raises ModelError when it is not an artefact or is damaged."""
        path = Path(folder) / ARTIFACT_FILE
        try:
            artifact = json_format.Parse(path.read_text(), ModelArtifact())
        except (OSError, UnicodeDecodeError, json_format.ParseError) as error:
            raise ModelError("a model folder holds artifact.json", f"{path}: {error}") from error
        names = {artifact.backbone.sha256: BACKBONE_FILE, artifact.head.sha256: HEAD_FILE}
        return cls.open(artifact, lambda ref: Path(folder) / names[ref.sha256])


def parse_artifact(data: bytes) -> ModelArtifact:
    """Parse the wire form of the target `model`. Raises ModelError when it is too long or not one."""
    if len(data) > LIMITS.model_artifact_bytes:
        raise ModelError(f"a model artefact has at most {LIMITS.model_artifact_bytes} bytes", f"{len(data)} bytes")
    try:
        return ModelArtifact.FromString(data)
    except DecodeError as error:
        raise ModelError("a model artefact is a ModelArtifact message", str(error)) from error


def feature_space(artifact: ModelArtifact) -> bytes:
    """The digest of everything that decides what a vector or a descriptor means (32 bytes).

    It is taken over canonical JSON, not over protobuf bytes, which are not canonical.
    """
    parts = {
        "backbone": artifact.backbone.sha256.hex(),
        "head": artifact.head.sha256.hex(),
        "preprocess": _canonical(artifact.preprocess),
        "keypoints": _canonical(artifact.keypoints),
        "reference_fills": REFERENCE_FILLS,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"skuscan feature space 1\n" + text.encode()).digest()


def file_ref(data: bytes) -> FileRef:
    """The reference by which a file is named: SHA-256 and length."""
    return FileRef(sha256=hashlib.sha256(data).digest(), length=len(data))


def _canonical(message: Message) -> dict[str, object]:
    return json_format.MessageToDict(
        message, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def _read_checked(path: Path, ref: FileRef, limit: int) -> bytes:
    return b"".join(_checked_blocks(path, ref, limit))


def _check_file(path: Path, ref: FileRef, limit: int) -> None:
    for _ in _checked_blocks(path, ref, limit):
        pass


def _checked_blocks(path: Path, ref: FileRef, limit: int) -> Iterator[bytes]:
    """A file's content; the error comes at its end."""
    if ref.length > limit:
        raise ModelError(f"{path.name} has at most {limit} bytes", f"{ref.length} bytes")
    digest, length = hashlib.sha256(), 0
    try:
        with path.open("rb", buffering=0) as file:
            while length <= ref.length and (block := file.read(_BLOCK)):
                digest.update(block)
                length += len(block)
                yield block
    except OSError as error:
        raise ModelError("the model's files are readable", f"{path}: {error.strerror}") from error
    if length != ref.length or digest.digest() != ref.sha256:
        raise ModelError("the model's files have the SHA-256 that the artefact names", str(path), "install it again")
