"""Pictures and the work that was finished on them.

A picture's bytes lie in a folder of blobs; features and display pictures are found again by (picture, feature space)
and (picture, side). Finished work is committed in batches, so what was killed goes on where it was.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.blobs import BlobFolder
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Display, Feature, Picture, Reference
from skuscan_server.db.session import Database
from skuscan_server.errors import CatalogueError, TooLargeError
from skuscan_server.features import Computed, FeaturePool, Refused


@dataclass(frozen=True)
class PictureJob:
    """A picture to work on; its bytes are read when its turn comes."""

    sha256: bytes
    read: Callable[[], bytes]


def read_picture_file(path: Path, max_bytes: int) -> bytes:
    """A picture file's bytes. Raises CatalogueError when it is no readable file, TooLargeError when it is too long."""
    try:
        if not path.is_file():
            raise CatalogueError("a picture is a file", f"{path}: {'not a file' if path.exists() else 'not there'}")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise CatalogueError("a picture is a readable file", f"{path}: {error.strerror}") from error
    if len(data) > max_bytes:
        raise TooLargeError(f"a reference picture has at most {max_bytes} bytes", str(path), "scale it down")
    return data


class FinishedWork:
    """The cache of features and display pictures of one feature space.

    Args:
        database: Where the work is noted.
        published: Where display pictures go.
        feature_space: 32 bytes.
        display_side: px.
    """

    def __init__(self, database: Database, published: BlobFolder, feature_space: bytes, display_side: int) -> None:
        self._database = database
        self._published = published
        self.feature_space = feature_space
        self.display_side = display_side

    def missing(self, pictures: Iterable[bytes]) -> set[bytes]:
        """Those SHA-256 of pictures whose work is not finished."""
        wanted = set(pictures)
        finished: set[bytes] = set()
        with self._database.read() as session:
            for chunk in batched(sorted(wanted)):
                features = select(Feature.picture_sha256).where(
                    Feature.picture_sha256.in_(chunk), Feature.feature_space == self.feature_space
                )
                displays = select(Display.picture_sha256).where(
                    Display.picture_sha256.in_(chunk), Display.side == self.display_side
                )
                finished |= set(session.scalars(features)) & set(session.scalars(displays))
        return wanted - finished

    def read_display(self, picture: bytes) -> bytes | None:
        """The display picture of a picture by its SHA-256, WebP; None where it is not made, or lost."""
        with self._database.read() as session:
            row = session.get(Display, (picture, self.display_side))
        if row is None:
            return None
        ref = FileRef(sha256=row.sha256, length=row.length)
        return self._published.read(ref) if self._published.is_intact(ref) else None

    def finish(
        self, jobs: Iterable[PictureJob], pool: FeaturePool, batch: int, on_done: Callable[[int], None]
    ) -> dict[bytes, Refused]:
        """Compute what is missing, committing every `batch` pictures. Gives the refused ones back by SHA-256."""
        refused: dict[bytes, Refused] = {}
        pending: list[tuple[bytes, Computed]] = []
        for sha256, result in pool.map((job.sha256, job.read()) for job in jobs):
            if isinstance(result, Refused):
                refused[sha256] = result
            else:
                pending.append((sha256, result))
            if len(pending) >= batch:
                self._commit(pending)
                pending = []
            on_done(1)
        self._commit(pending)
        return refused

    def _commit(self, results: list[tuple[bytes, Computed]]) -> None:
        if not results:
            return
        displays = [self._published.put(result.display) for _, result in results]
        with self._database.write() as session:
            for (sha256, result), display in zip(results, displays, strict=True):
                self._note(session, sha256, result, display)
            session.flush()
            for (_, result), display in zip(results, displays, strict=True):
                if not self._published.has(display):  # pruned before the note of it was there; from here on it is not
                    self._published.put(result.display)

    def _note(self, session: Session, sha256: bytes, result: Computed, display: FileRef) -> None:
        session.merge(
            Feature(
                picture_sha256=sha256,
                feature_space=self.feature_space,
                embedding=result.embedding,
                keypoints=result.keypoints,
                appearance=result.appearance,
                quality=asdict(result.quality),
            )
        )
        session.merge(
            Display(picture_sha256=sha256, side=self.display_side, sha256=display.sha256, length=display.length)
        )


def finish_references(
    database: Database,
    pictures: BlobFolder,
    work: FinishedWork,
    pool: FeaturePool,
    batch: int,
    progress: Callable[[int, int], None],
) -> int:
    """Compute the features of all references of the catalogue that have none yet in a feature space.

    Args:
        database: The catalogue.
        pictures: Reference pictures as uploaded.
        work: Of that feature space.
        pool: Of its model.
        batch: Pictures computed between two commits.
        progress: Told of pictures done, of how many.

    Returns:
        How many were computed.

    Raises:
        CatalogueError: A picture cannot be used.
        StoreError: A picture is lost.
    """
    with database.read() as session:
        query = select(Reference.sku, Picture.sha256, Picture.length).join(
            Picture, Picture.sha256 == Reference.picture_sha256
        )
        rows = session.execute(query).all()
    lengths = {sha256: length for _, sha256, length in rows}
    missing = work.missing(lengths)
    refused = finish_pictures({sha256: lengths[sha256] for sha256 in missing}, pictures, work, pool, batch, progress)
    for sku, sha256, _ in rows:
        if why := refused.get(sha256):
            raise CatalogueError(
                f"every reference picture can be used: {why.rule}",
                f"{sku}: {why.received}",
                "remove the reference or replace the picture",
            )
    return len(missing)


def finish_pictures(
    lengths: Mapping[bytes, int],
    pictures: BlobFolder,
    work: FinishedWork,
    pool: FeaturePool,
    batch: int,
    progress: Callable[[int, int], None],
) -> dict[bytes, Refused]:
    """Compute the features of kept pictures, given as SHA-256 -> bytes. Gives the refused ones back by SHA-256."""
    done = 0

    def count(finished: int) -> None:
        nonlocal done
        done += finished
        progress(done, len(lengths))

    jobs = [
        PictureJob(sha256, partial(pictures.read, FileRef(sha256=sha256, length=length)))
        for sha256, length in sorted(lengths.items())
    ]
    return work.finish(jobs, pool, batch, count)
