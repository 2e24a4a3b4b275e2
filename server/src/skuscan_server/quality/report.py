"""What the database says of the catalogue's pictures, judged: read only, and the one form that every surface shows."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from skuscan.bundle.records import KEY_SEPARATOR, REFERENCE_ID_DIGITS
from skuscan.proto.catalogue_pb2 import RECORD_KIND_PAIR, Pair
from skuscan.quality import ReferenceQuality
from skuscan_server.db.batches import batched
from skuscan_server.db.models import Feature, LiveRecord, Neighbour, Product, Record, Reference
from skuscan_server.quality.score import Grade, Judgement, QualityScale, judge

SAME_PICTURE = "both have the same picture: replace one of them"
LOOK_ALIKE = (
    "add a picture of the side that differs to each; if it does not matter which of them is answered, "
    "put them in one group"
)


@dataclass(frozen=True)
class PictureOf:
    """A product's picture, for people."""

    sku: str
    name: str
    reference_id: str
    source_name: str
    sha256: bytes


@dataclass(frozen=True)
class JudgedReference:
    """A reference picture and what is said of it; None while its features are not computed.

    Attributes:
        picture: Whose.
        quality: What was measured.
        nearest: SKU of the other product that looks most like it, and the cosine; None: there is no other.
        judgement: What is said.
    """

    picture: PictureOf
    quality: ReferenceQuality | None
    nearest: tuple[str, float] | None
    judgement: Judgement | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        judged, nearest = self.judgement, self.nearest
        return {
            "sku": self.picture.sku,
            "reference_id": self.picture.reference_id,
            "source_name": self.picture.source_name,
            "score": judged.score if judged else None,
            "grade": judged.grade.value if judged else None,
            "aspects": {aspect.value: score for aspect, score in judged.aspects.items()} if judged else {},
            "advice": judged.advice if judged else [],
            "measured": asdict(self.quality) if self.quality else None,
            "nearest_sku": nearest[0] if nearest else None,
            "similarity": round(nearest[1], 3) if nearest else None,
        }


@dataclass(frozen=True)
class LookAlike:
    """Two products whose pictures look alike.

    Attributes:
        a: The picture of the one with the lower SKU.
        b: The other's.
        similarity: Cosine.
        margin: How far one must be ahead of the other on devices, as `Pair.minimum_margin`; None: not published yet.
        advice: What to do.
    """

    a: PictureOf
    b: PictureOf
    similarity: float
    margin: float | None
    advice: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "sku_a": self.a.sku,
            "reference_a": self.a.reference_id,
            "sku_b": self.b.sku,
            "reference_b": self.b.reference_id,
            "similarity": round(self.similarity, 3),
            "minimum_margin": self.margin,
            "advice": self.advice,
        }


@dataclass(frozen=True)
class Summary:
    """How many pictures have which grade, and the worst of them."""

    grades: dict[Grade, int]
    unmeasured: int
    worst: list[JudgedReference]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        counts = {grade.value: number for grade, number in self.grades.items()}
        return counts | {"unmeasured": self.unmeasured, "worst": [item.as_dict() for item in self.worst]}


def summarise(judged: Iterable[JudgedReference], most: int) -> Summary:
    """Count grades, and keep the worst pictures that are not good, at most so many."""
    grades = dict.fromkeys(Grade, 0)
    unmeasured = 0
    worst: list[tuple[int, str, JudgedReference]] = []
    for item in judged:
        if item.judgement is None:
            unmeasured += 1
            continue
        grades[item.judgement.grade] += 1
        if item.judgement.grade is not Grade.GOOD:
            worst.append((item.judgement.score, item.picture.sku, item))
    worst.sort(key=lambda entry: entry[:2])
    return Summary(grades, unmeasured, [item for _, _, item in worst[:most]])


class QualityReport:
    """Reads reports.

    Args:
        session: A reading one.
        feature_space: 32 bytes.
        scale: How values become scores.
    """

    def __init__(self, session: Session, feature_space: bytes, scale: QualityScale) -> None:
        self._session = session
        self._feature_space = feature_space
        self._scale = scale
        self._look_alike = and_(Neighbour.feature_space == feature_space, Neighbour.similarity >= scale.similarity.best)

    def all_references(self) -> Iterator[JudgedReference]:
        """Every picture, in the order of its SKU."""
        return self.references(self._session.scalars(select(Product.sku).order_by(Product.sku)).all())

    def references(self, skus: Iterable[str]) -> Iterator[JudgedReference]:
        """The pictures of some products, in the order of `skus`, each product's display picture first."""
        is_measured = and_(
            Feature.picture_sha256 == Reference.picture_sha256, Feature.feature_space == self._feature_space
        )
        for chunk in batched(skus):
            rows = self._session.execute(
                select(Reference, Product.name, Feature.quality)
                .join(Reference.product)
                .outerjoin(Feature, is_measured)
                .where(Reference.sku.in_(chunk))
                .order_by(Reference.sku, Reference.id)
            ).all()
            nearest = self._nearest([reference.id for reference, _, _ in rows])
            for reference, name, measured in rows:
                quality = ReferenceQuality(**measured) if measured is not None else None
                other = nearest.get(reference.id)
                judgement = judge(quality, other, self._scale) if quality else None
                yield JudgedReference(_picture_of(reference, name), quality, other, judgement)

    def count_look_alikes(self) -> int:
        """How many pairs of products look alike, in the whole catalogue."""
        a, b = aliased(Reference), aliased(Reference)
        pairs = (
            select(case((a.sku < b.sku, a.sku), else_=b.sku), case((a.sku < b.sku, b.sku), else_=a.sku).label("other"))
            .select_from(Neighbour)
            .join(a, a.id == Neighbour.reference_id)
            .join(b, b.id == Neighbour.other_id)
            .where(self._look_alike)
            .distinct()
        )
        return self._session.scalar(select(func.count()).select_from(pairs.subquery())) or 0

    def look_alikes(self, most: int) -> list[LookAlike]:
        """The pairs of products whose pictures look alike, the most alike first, at most so many."""
        a, b, product_a, product_b = aliased(Reference), aliased(Reference), aliased(Product), aliased(Product)
        query = (
            select(Neighbour.similarity, a, product_a.name, b, product_b.name)
            .join(a, a.id == Neighbour.reference_id)
            .join(product_a, product_a.sku == a.sku)
            .join(b, b.id == Neighbour.other_id)
            .join(product_b, product_b.sku == b.sku)
            .where(self._look_alike)
            .order_by(Neighbour.similarity.desc(), a.sku, b.sku)
        )
        found: dict[tuple[str, str], tuple[float, PictureOf, PictureOf]] = {}
        for similarity, one, one_name, other, other_name in self._session.execute(query):
            pictures = sorted((_picture_of(one, one_name), _picture_of(other, other_name)), key=lambda p: p.sku)
            found.setdefault((pictures[0].sku, pictures[1].sku), (similarity, pictures[0], pictures[1]))
            if len(found) == most:
                break
        margins = self._margins(found)
        return [
            LookAlike(a, b, similarity, margins.get(key), SAME_PICTURE if a.sha256 == b.sha256 else LOOK_ALIKE)
            for key, (similarity, a, b) in found.items()
        ]

    def _nearest(self, references: list[int]) -> dict[int, tuple[str, float]]:
        nearest: dict[int, tuple[str, float]] = {}
        for chunk in batched(references):
            query = (
                select(Neighbour.reference_id, Reference.sku, Neighbour.similarity)
                .join(Reference, Reference.id == Neighbour.other_id)
                .where(Neighbour.reference_id.in_(chunk), Neighbour.feature_space == self._feature_space)
                .order_by(Neighbour.similarity.desc(), Reference.sku)
            )
            for reference, sku, similarity in self._session.execute(query):
                nearest.setdefault(reference, (sku, similarity))
        return nearest

    def _margins(self, pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], float]:
        """What the published pair records say; the widest margin where assortments differ."""
        margins: dict[tuple[str, str], float] = {}
        keys = {KEY_SEPARATOR.join(pair): pair for pair in pairs}
        for chunk in batched(keys):
            query = select(Record.key, Record.data).where(
                LiveRecord.record_id == Record.id, LiveRecord.kind == RECORD_KIND_PAIR, LiveRecord.key.in_(chunk)
            )
            for key, data in self._session.execute(query.distinct()):
                margin = Pair.FromString(data).minimum_margin
                margins[keys[key]] = max(margin, margins.get(keys[key], 0.0))
        return margins


def _picture_of(reference: Reference, name: str) -> PictureOf:
    digest = reference.picture_sha256
    return PictureOf(reference.sku, name, digest.hex()[:REFERENCE_ID_DIGITS], reference.source_name, digest)
