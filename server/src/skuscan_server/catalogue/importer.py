"""Bringing an import plan into the catalogue: all of it or nothing.

1. Every picture is read, kept in the folder of pictures, and its features are computed unless they are finished
   already. This part is committed as it goes: an import that was killed does not do finished work again.
2. When every picture is usable, the whole plan is applied in one transaction.
3. What is new is compared with the whole catalogue, so that look-alikes can be reported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from skuscan.errors import SkuscanError
from skuscan.model import file_ref
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store.blobs import BlobFolder
from skuscan_server.catalogue.pictures import FinishedWork, PictureJob, read_picture_file
from skuscan_server.catalogue.plan import ImportPlan, PictureSource, refuse
from skuscan_server.catalogue.products import (
    audit,
    count_changes,
    put_product,
    remember_picture,
    set_references,
)
from skuscan_server.db.models import Product
from skuscan_server.db.session import Database
from skuscan_server.features import FeaturePool
from skuscan_server.quality.neighbours import Neighbours

Progress = Callable[[int], None]


@dataclass(frozen=True)
class ImportResult:
    """What an import did.

    Attributes:
        created: Products that are new.
        changed: Products whose fields or pictures changed.
        withdrawn: Products taken out.
        unchanged: Products that were as the import wants them.
        computed: Pictures whose features were computed now.
    """

    created: int
    changed: int
    withdrawn: int
    unchanged: int
    computed: int


class Importer:
    """Applies import plans."""

    def __init__(
        self,
        database: Database,
        pictures: BlobFolder,
        work: FinishedWork,
        pool: FeaturePool,
        neighbours: Neighbours,
        *,
        max_picture_bytes: int,
        batch: int,
    ) -> None:
        self._database = database
        self._pictures = pictures
        self._work = work
        self._pool = pool
        self._neighbours = neighbours
        self._max_picture_bytes = max_picture_bytes
        self._batch = batch

    def run(self, plan: ImportPlan, actor: str, on_done: Progress = lambda _: None) -> ImportResult:
        """Apply a plan; `on_done` counts its pictures. Raises CatalogueError naming unusable pictures by row."""
        refs = self._read_all(plan)
        computed = self._finish(plan, refs, on_done)
        result = self._apply(plan, refs, computed, actor)
        self._neighbours.refresh()
        return result

    def _read_all(self, plan: ImportPlan) -> dict[PictureSource, FileRef]:
        """Name every picture by its content, or refuse them all: a wrong path should not cost an hour of work."""
        refs: dict[PictureSource, FileRef] = {}
        problems: list[str] = []
        for source in plan.sources:
            try:
                refs[source] = file_ref(read_picture_file(source.path, self._max_picture_bytes))
            except SkuscanError as error:
                problems.append(f"{source.place}: {error.rule}: {error.received}")
        refuse("every picture can be read", problems)
        return refs

    def _finish(self, plan: ImportPlan, refs: dict[PictureSource, FileRef], on_done: Progress) -> int:
        first = {bytes(refs[source].sha256): source for source in reversed(plan.sources)}
        missing = self._work.missing(first)
        on_done(len(refs) - len(missing))
        jobs = [
            PictureJob(sha256, partial(self._take, source, refs[source]))
            for sha256, source in sorted(first.items(), key=lambda item: str(item[1].path))
            if sha256 in missing
        ]
        refused = self._work.finish(jobs, self._pool, self._batch, on_done)
        # A picture whose work was finished in an import that failed later may not be kept yet.
        for sha256, source in first.items():
            if sha256 not in missing and not self._pictures.path(refs[source]).exists():
                self._take(source, refs[source])
        refuse(
            "every picture can be used",
            [
                f"{first[sha256].place}: {first[sha256].path}: {why.rule}: {why.received}"
                for sha256, why in refused.items()
            ],
        )
        return len(missing)

    def _take(self, source: PictureSource, ref: FileRef) -> bytes:
        """Keep a picture's bytes. Raises CatalogueError when the file changed since it was named."""
        data = read_picture_file(source.path, self._max_picture_bytes)
        if file_ref(data) != ref:
            refuse("pictures do not change during an import", [f"{source.place}: {source.path}"])
        self._pictures.put(data)
        return data

    def _apply(self, plan: ImportPlan, refs: dict[PictureSource, FileRef], computed: int, actor: str) -> ImportResult:
        created = changed = withdrawn = unchanged = 0
        with self._database.write() as session:
            for ref in refs.values():
                remember_picture(session, ref.sha256, ref.length)
            for sku, data in plan.products.items():
                is_new = session.get(Product, sku) is None
                touched = put_product(session, data)
                pictures = [(bytes(refs[source].sha256), source.path.name) for source in plan.pictures[sku]]
                touched = set_references(session, sku, pictures) or touched
                created += is_new
                changed += touched and not is_new
                unchanged += not touched
            for sku in sorted(plan.withdrawn):
                product = session.get(Product, sku)
                if product is not None:
                    session.delete(product)
                    withdrawn += 1
            session.flush()
            if created + changed + withdrawn:
                count_changes(session, created + changed + withdrawn)
                audit(session, actor, "catalogue import", f"+{created} ~{changed} -{withdrawn}")
        return ImportResult(created, changed, withdrawn, unchanged, computed)
