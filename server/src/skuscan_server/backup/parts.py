"""Which files are a server's own, and where they lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skuscan.store.durable import TEMPORARY_PREFIX
from skuscan_server.backup.archive import KEYS_FOLDER
from skuscan_server.builder.publish import BLOBS
from skuscan_server.config import ServerConfig

PUBLISHED = "published"
PICTURES = "pictures"
MODELS = "models"
_TUF = "tuf"
_ONLINE = "online"
_UNFINISHED = (TEMPORARY_PREFIX, ".new-", ".lock")  # how names of files begin that are no part of a server


@dataclass(frozen=True)
class Parts:
    """The folders of a server by their names in a backup. The root keys are none of them: they live elsewhere."""

    folders: dict[str, Path]

    @classmethod
    def of(cls, config: ServerConfig) -> "Parts":
        """Those of a server."""
        return cls(
            {
                PUBLISHED: config.published,
                PICTURES: config.pictures,
                MODELS: config.data_folder / MODELS,
                KEYS_FOLDER: config.keys,
            }
        )

    def files(self) -> Iterator[tuple[str, Path]]:
        """Name and path of every file but TUF metadata, which is read under a lock of its own."""
        published, keys = self.folders[PUBLISHED], self.folders[KEYS_FOLDER]
        yield from self._below(PUBLISHED, published / BLOBS)
        for targets in sorted((published / _TUF).glob("*/targets")):
            yield from self._below(PUBLISHED, targets)
        yield from self._below(PICTURES, self.folders[PICTURES])
        yield from self._below(MODELS, self.folders[MODELS])
        yield from self._below(KEYS_FOLDER, keys / _ONLINE)
        for path in sorted(keys.glob("models*.pem")):
            yield f"{KEYS_FOLDER}/{path.name}", path

    def place(self, name: str) -> Path | None:
        """Where the file of this name belongs; None: it is no part of a server."""
        part, _, rest = name.partition("/")
        folder = self.folders.get(part)
        if folder is None or not rest or any(piece.startswith(_UNFINISHED) for piece in rest.split("/")):
            return None
        return folder / rest

    def path(self, entry: str) -> Path:
        """Where one of `entries` lies."""
        part, _, rest = entry.partition("/")
        return self.folders[part] / rest

    def entries(self) -> list[str]:
        """What is there to be moved as one: the folders, and of the keys' folder all but the root keys."""
        models_keys = sorted(path.name for path in self.folders[KEYS_FOLDER].glob("models*.pem"))
        names = [PUBLISHED, PICTURES, MODELS, *(f"{KEYS_FOLDER}/{name}" for name in (_ONLINE, *models_keys))]
        return [name for name in names if _holds_something(self.path(name))]

    def _below(self, part: str, folder: Path) -> Iterator[tuple[str, Path]]:
        root = self.folders[part]
        for path in sorted(folder.rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and not any(piece.startswith(_UNFINISHED) for piece in relative.parts):
                yield f"{part}/{relative.as_posix()}", path


def _holds_something(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()
