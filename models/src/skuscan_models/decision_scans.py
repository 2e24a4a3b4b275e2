"""Scans with known answers, measured as a device would: what the decision's coefficients are fitted on.

Four catalogues, each with scans of its own:

    grozi     crops of supermarket video frames: one frame is the reference, others of the same product are scans
    produce   photos of fruit and vegetables: likewise
    boxes     package scans, and drawn field views of them; some products are left out of the catalogue
    drawn     drawn families of near-duplicates, and drawn field views of them

and drawn photos of nothing. Every second reference of the last two is a package that stands at an angle, as in shops.
Those of the first three whose folder is not there are left out: a retailer may have nothing but pictures of packages.

An embedding is surer of what it was trained on than of what a shop brings. So the video crops and package scans that
are asked for are of products that training keeps aside, as long as there are enough; of produce, the photos are.

From every scan of a product, two further cases come for nothing: the product left out of the catalogue, and its whole
family left out.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.catalogue import MemoryCatalogue
from skuscan.decision import Looks
from skuscan.errors import PictureError
from skuscan.features import FeatureExtractor
from skuscan.model import Model
from skuscan.picture import fit_longest_side, load_picture
from skuscan.proto.bundle_pb2 import DecisionCoefficients, ModelArtifact
from skuscan.proto.catalogue_pb2 import Reference
from skuscan.recognizer import Recognizer
from skuscan.runtime import RuntimeOptions
from skuscan.scan import Eye
from skuscan_models.pictures import find_pictures
from skuscan_models.synthetic.field_view import field_view, nothing, packshot
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front
from skuscan_models.synthetic.view_options import mixed
from skuscan_models.training.sources import VALIDATION_PHOTOS, part_of

SMALLEST_PHOTO = 200  # px, longest side of the smallest drawn photo: crops are small
LARGEST_PHOTO = 640  # px
PACKSHOT_SIDE = 480  # px
ALWAYS = 2.0  # more than any probability

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    grozi_scans: int = 7  # per product: the closest to real photos
    boxes: int = 400  # products in the catalogue
    boxes_scanned: int = 150  # of those
    boxes_left_out: int = 75  # further products, scanned and not in the catalogue
    drawn_families: int = 60
    drawn_variants: int = 4  # of each family
    drawn_scans: int = 160
    nothing: int = 40  # photos of nothing, for each catalogue with drawn photos


@dataclass(frozen=True)
class Item:
    """A product of a catalogue to fit on.

    Attributes:
        sku: Its key.
        family: Of near-duplicates.
        picture: Its reference.
        front: What photos of it are drawn of.
    """

    sku: str
    family: str
    picture: Picture
    front: Picture


@dataclass(frozen=True)
class Photo:
    """A picture to scan, and the product that it shows, in the catalogue or not; None: no product."""

    item: Item | None
    picture: Picture


@dataclass(frozen=True)
class MeasuredScan:
    """One scan against three catalogues, as a recogniser measures it that takes a closer look at everything.

    Attributes:
        source: The catalogue's name.
        sku: What it shows; "" for nothing of this catalogue.
        family: Of what it shows; "" for no product at all.
        whole: In the whole catalogue.
        without_product: As if the product were not in the catalogue; its near-duplicates are.
        without_family: As if no product of its family were in the catalogue.
    """

    source: str
    sku: str
    family: str
    whole: Looks
    without_product: Looks
    without_family: Looks


def measured_scans(model: Model, pictures: Path, sizes: Sizes, seed: int) -> Iterator[MeasuredScan]:
    """Every scan of the catalogues.

    Args:
        model: Whose features are measured.
        pictures: The folder with `grozi120`, `produce` and `boxes`, or some of them.
        sizes: How much.
        seed: Of every choice and every drawn photo.

    Raises:
        PictureError: The folder holds none of them.
    """
    eye = Eye.open(model, RuntimeOptions())
    rng = np.random.default_rng(seed)
    sources: dict[str, tuple[list[Item], Iterator[Photo]]] = {}
    if (pictures / "grozi120").is_dir():
        sources["grozi"] = _video_crops(pictures / "grozi120", sizes.grozi_scans)
    if (pictures / "produce").is_dir():
        sources["produce"] = _produce(pictures / "produce")
    if (pictures / "boxes").is_dir():
        sources["boxes"] = _boxes(pictures / "boxes", sizes, rng)
    if not sources:
        raise PictureError("the folder holds grozi120, produce or boxes", str(pictures))
    sources["drawn"] = _drawn(sizes, rng)
    for source, (items, photos) in sources.items():
        yield from _measure(source, eye, model, items, photos)


def _video_crops(folder: Path, scans: int) -> tuple[list[Item], Iterator[Photo]]:
    """The largest crop of a product is its reference; video frames beside it are much like it."""
    items, photos = [], []
    for product in _products(folder):
        largest, *others = sorted((load_picture(path) for path in find_pictures(product)), key=lambda p: -p.size)
        item = _real_item(product, largest)
        items.append(item)
        if part_of(f"grozi-{product.name}") == "validation":
            photos += [Photo(item, picture) for picture in others[:scans]]
    return items, iter(photos)


def _produce(folder: Path) -> tuple[list[Item], Iterator[Photo]]:
    """The largest photo of a kind that was trained on is its reference."""
    items, photos = [], []
    for kind in _products(folder):
        pictures = [load_picture(path) for path in find_pictures(kind)]
        item = _real_item(kind, max(pictures[:-VALIDATION_PHOTOS], key=lambda picture: picture.size))
        items.append(item)
        photos += [Photo(item, picture) for picture in pictures[-VALIDATION_PHOTOS:]]
    return items, iter(photos)


def _products(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def _real_item(product: Path, picture: Picture) -> Item:
    name = f"{product.parent.name}-{product.name}"
    return Item(name, name, picture, picture)


def _boxes(folder: Path, sizes: Sizes, rng: np.random.Generator) -> tuple[list[Item], Iterator[Photo]]:
    paths = find_pictures(folder)
    shuffled = [paths[i] for i in rng.permutation(len(paths))]
    chosen = sorted(shuffled, key=lambda path: part_of(path.stem) == "train")[: sizes.boxes + sizes.boxes_left_out]
    items = [_item(path.stem, _family(path.stem), load_picture(path), n, rng) for n, path in enumerate(chosen)]
    scanned, left = sizes.boxes_scanned, sizes.boxes_scanned + sizes.boxes_left_out
    return items[:scanned] + items[left:], _photos(items[:left], sizes.nothing, rng)


def _family(stem: str) -> str:
    """Games of one console share much of their design, as do snacks, teas and volumes of one series."""
    kind, *rest = stem.split("_")
    return "_".join((kind, *rest[:2])) if kind == "game" else kind


def _drawn(sizes: Sizes, rng: np.random.Generator) -> tuple[list[Item], Iterator[Photo]]:
    items: list[Item] = []
    for family in rng.choice(np.array(TRAIN_FAMILIES), sizes.drawn_families, replace=False):
        for variant in range(sizes.drawn_variants):
            product = design(0, int(family), variant)
            items.append(_item(product.sku, str(family), draw_front(product), len(items), rng))
    shown = [items[i] for i in rng.permutation(len(items))[: sizes.drawn_scans]]
    return items, _photos(shown, sizes.nothing, rng)


def _item(sku: str, family: str, front: Picture, number: int, rng: np.random.Generator) -> Item:
    """Of a package, its reference flat or at an angle in turn."""
    angled = number % 2 == 1
    return Item(sku, family, packshot(front, rng, PACKSHOT_SIDE) if angled else front, front)


def _photos(shown: Iterable[Item], nothings: int, rng: np.random.Generator) -> Iterator[Photo]:
    for number, item in enumerate(shown):
        photo = _small(field_view(item.front, rng, mixed(number)), rng)
        yield Photo(item, photo)
    for number in range(nothings):
        yield Photo(None, _small(nothing(rng, mixed(number)), rng))


def _small(photo: Picture, rng: np.random.Generator) -> Picture:
    return fit_longest_side(photo, int(rng.integers(SMALLEST_PHOTO, LARGEST_PHOTO, endpoint=True)))


def _measure(
    source: str, eye: Eye, model: Model, items: Sequence[Item], photos: Iterable[Photo]
) -> Iterator[MeasuredScan]:
    extractor = FeatureExtractor(eye.embedder, eye.keypoints)
    references = [_reference(extractor, item, number) for number, item in enumerate(items)]
    recognizer = Recognizer(MemoryCatalogue(_unsure(model), references), eye=eye)
    families: dict[str, list[str]] = {}
    for item in items:
        families.setdefault(item.family, []).append(item.sku)
    known = {item.sku for item in items}
    for photo in photos:
        sku = photo.item.sku if photo.item is not None and photo.item.sku in known else ""
        family = photo.item.family if photo.item is not None else ""
        whole = recognizer.measure(photo.picture)
        without = (
            recognizer.measure(photo.picture, hidden) if hidden else whole
            for hidden in ([sku] if sku else [], families.get(family, []))
        )
        yield MeasuredScan(source, sku, family, whole, *without)


def _unsure(model: Model) -> Model:
    """The model with a decision that takes a closer look at every scan: when to take one is fitted afterwards."""
    artifact = ModelArtifact()
    artifact.CopyFrom(model.artifact)
    artifact.decision.CopyFrom(DecisionCoefficients(closer_look_probability=ALWAYS))
    return replace(model, artifact=artifact)


def _reference(extractor: FeatureExtractor, item: Item, number: int) -> Reference:
    stored = extractor.extract(item.picture)
    return Reference(
        sku=item.sku,
        reference_id=f"{number:016x}",
        embedding=stored.embedding,
        keypoints=stored.keypoints,
        appearance=stored.appearance,
    )
