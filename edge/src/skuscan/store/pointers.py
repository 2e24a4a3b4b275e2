"""What the store's small files say: who this device is, which generation is live, what a generation consists of."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from skuscan.proto.bundle_pb2 import Manifest
from skuscan.proto.catalogue_pb2 import FileRef


@dataclass(frozen=True)
class DeviceIdentity:
    """Who this device is, got at enrolment. The file is readable by its owner only: it holds the token.

    Attributes:
        server_url: The server's root.
        device_id: Made by the server.
        device_token: Secret; never printed.
        assortment: Which repository the device follows.
        root_sha256: SHA-256 of `1.root.json`, hex: the root that was pinned.
        metadata_url: Folder of the TUF metadata, relative to the server or absolute.
        targets_url: Folder of the TUF targets.
        blobs_url: Folder of the blobs.
    """

    server_url: str
    device_id: str
    device_token: str = field(repr=False)
    assortment: str
    root_sha256: str
    metadata_url: str
    targets_url: str
    blobs_url: str

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return asdict(self)


@dataclass(frozen=True)
class GenerationName:
    """A generation by its number and by the two signed files, kept as blobs, from which all else can be made again."""

    number: int
    manifest: FileRef
    model: FileRef

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"number": self.number, "manifest": _file_to_json(self.manifest), "model": _file_to_json(self.model)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "GenerationName":
        """As it was read from a file whose checksum was right."""
        return cls(value["number"], _file_from_json(value["manifest"]), _file_from_json(value["model"]))


@dataclass(frozen=True)
class Contents:
    """`contents.json`: a generation's name, and every derived file in its folder."""

    name: GenerationName
    files: Mapping[str, FileRef]  # path relative to the folder -> digest
    tables: Mapping[str, bytes]  # path of a record table -> SHA-256 of its index, which is checked at opening

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "name": self.name.to_json(),
            "files": {path: _file_to_json(ref) for path, ref in self.files.items()},
            "tables": {path: sha256.hex() for path, sha256 in self.tables.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Contents":
        """As it was read from a file whose checksum was right."""
        files = {path: _file_from_json(ref) for path, ref in value["files"].items()}
        tables = {path: bytes.fromhex(sha256) for path, sha256 in value["tables"].items()}
        return cls(GenerationName.from_json(value["name"]), files, tables)


@dataclass(frozen=True)
class Current:
    """`CURRENT`: which generation answers.

    Attributes:
        live: The one that answers.
        previous: The one that comes back when the live one is damaged; None: there is none.
        degraded: Why an older generation answers than was confirmed; empty: it does not.
    """

    live: GenerationName
    previous: GenerationName | None = None
    degraded: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        previous = self.previous.to_json() if self.previous else None
        return {"live": self.live.to_json(), "previous": previous, "degraded": self.degraded}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Current":
        """As it was read from a file whose checksum was right."""
        previous = GenerationName.from_json(value["previous"]) if value["previous"] else None
        return cls(GenerationName.from_json(value["live"]), previous, value["degraded"])

    def names(self) -> list[GenerationName]:
        """The live generation and, where there is one, the previous."""
        return [self.live, self.previous] if self.previous else [self.live]


def _file_to_json(ref: FileRef) -> str:
    return f"{ref.sha256.hex()}:{ref.length}"


def _file_from_json(text: str) -> FileRef:
    sha256, _, length = text.partition(":")
    return FileRef(sha256=bytes.fromhex(sha256), length=int(length))


@dataclass(frozen=True)
class Reusable:
    """A generation whose base files another one may share. It is not opened: each file is checked when it is shared.

    Attributes:
        folder: Where its files are.
        contents: What they are.
        manifest: What was signed.
    """

    folder: Path
    contents: Contents
    manifest: Manifest
