"""Recall@1 on products that were not trained on: what a choice is judged by. Evaluation pictures have no part in it.

boxes     fronts against drawn field views of them, in a catalogue of all validation scans
angled    likewise; in the catalogue the packages stand at an angle
drawn     families of near-duplicates, likewise
grozi120  one frame of each product against its others
produce   photos of known kinds, kept aside, against the training photos
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skuscan.model import REFERENCE_FILLS
from skuscan.picture import letterbox
from skuscan_models.float_model import preprocess_spec
from skuscan_models.synthetic.field_view import field_view, packshot
from skuscan_models.synthetic.packaging import VALIDATION_FAMILIES, design, draw_front
from skuscan_models.synthetic.view_options import HARD, USUAL
from skuscan_models.training.sources import Instance, Picture, load_boxes, load_grozi, load_produce

DRAWN_FAMILIES, VARIANTS = 60, 3
SEED = 11
PACKSHOT_SIDE = 400  # px
PHOTO_SIDES = (464, 348)  # px: what hand-held photos of public data sets have
ASKED_PRODUCTS, GALLERY_PRODUCTS = 250, 1_000  # of a retailer's catalogue: minutes, and no more than 1 GB of memory

Embed = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]  # (n, S, S, 3) uint8 -> (n, 256) unit rows


@dataclass(frozen=True)
class Question:
    """A catalogue and photos of what is in it; names say which is which."""

    references: list[tuple[str, Picture]]
    photos: list[tuple[str, Picture]]


def questions(folder: Path | None) -> dict[str, Question]:
    """Everything that is asked. Without `folder` only drawn packaging."""
    rng = np.random.default_rng(SEED)
    asked = {"drawn": _of_fronts(_drawn(), rng)}
    if folder is not None:
        boxes = load_boxes(folder, "validation")
        asked["boxes"] = _of_fronts(boxes, rng)
        asked["grozi120"] = of_photos(load_grozi(folder, "validation"))
        known, kept = load_produce(folder, "train"), load_produce(folder, "validation")
        asked["produce"] = Question(
            [(i.key, p) for i in known for p in i.pictures], [(i.key, p) for i in kept for p in i.pictures]
        )
        asked["angled"] = Question(
            [(i.key, packshot(i.pictures[0], rng, PACKSHOT_SIDE)) for i in boxes], asked["boxes"].photos
        )
    return asked


def of_photos(instances: Sequence[Instance]) -> Question:
    """The largest photo is the reference."""
    references, photos = [], []
    for instance in instances:
        largest, *others = sorted(instance.pictures, key=lambda picture: -picture.size)
        references.append((instance.key, largest))
        photos += [(instance.key, other) for other in others]
    return Question(references, photos)


def catalogue_question(trained: Sequence[Instance], aside: Sequence[Instance], rng: np.random.Generator) -> Question:
    """For products kept aside, in one catalogue with those trained on: as a shop's next products are asked for.

    Of several pictures of a product the first is the reference and the others are the photos; of one, field views are
    drawn. Of many products a seeded choice is asked for and stands beside them.
    """
    aside = _choice(aside, rng, ASKED_PRODUCTS)
    single = _of_fronts([instance for instance in aside if len(instance.pictures) == 1], rng)
    several = [instance for instance in aside if len(instance.pictures) > 1]
    references = [(i.key, i.pictures[0]) for i in (*several, *_choice(trained, rng, GALLERY_PRODUCTS))]
    photos = [(i.key, picture) for i in several for picture in i.pictures[1:]]
    return Question(single.references + references, single.photos + photos)


def recall(asked: Mapping[str, Question], embed: Embed, size: int) -> dict[str, float]:
    """The share of photos whose nearest reference is the right one, by question."""
    return {name: _recall(question, embed, size) for name, question in asked.items()}


def _recall(question: Question, embed: Embed, size: int) -> float:
    photos = embed(_squares([picture for _, picture in question.photos], size, 1.0))
    references = [picture for _, picture in question.references]
    similarities = [photos @ embed(_squares(references, size, fill)).T for fill in REFERENCE_FILLS]
    nearest = np.maximum.reduce(similarities).argmax(axis=1)
    right = [question.references[i][0] == name for i, (name, _) in zip(nearest, question.photos, strict=True)]
    return float(np.mean(right))


def _choice(instances: Sequence[Instance], rng: np.random.Generator, count: int) -> list[Instance]:
    return [instances[i] for i in sorted(rng.permutation(len(instances))[:count])]


def _squares(pictures: Sequence[Picture], size: int, fill: float) -> npt.NDArray[np.uint8]:
    grey = preprocess_spec().letterbox_grey
    return np.stack([letterbox(picture, size, grey, fill) for picture in pictures])


def _of_fronts(instances: Sequence[Instance], rng: np.random.Generator) -> Question:
    longest, shortest = PHOTO_SIDES
    views = [replace(options, longest_side=longest, shortest_side=shortest) for options in (USUAL, HARD)]
    photos = [(i.key, field_view(i.pictures[0], rng, options)) for i in instances for options in views]
    return Question([(i.key, i.pictures[0]) for i in instances], photos)


def _drawn() -> list[Instance]:
    designs = [design(SEED, VALIDATION_FAMILIES[f], v) for f in range(DRAWN_FAMILIES) for v in range(VARIANTS)]
    return [Instance(product.sku, "", False, (draw_front(product),)) for product in designs]
