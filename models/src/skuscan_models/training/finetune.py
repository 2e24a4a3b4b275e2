"""Fine-tuning: a trained model goes on learning on one retailer's own pictures.

1. Read the catalogue; keep one product of eight aside.
2. Ask the model for those products, in a catalogue of all of them: recall@1 before.
3. Train on the other products, mixed with drawn packaging, at a low rate and from the trained head on: what the model
   knows of packages and photos is to stay.
4. Ask again. A model that got worse is refused, and written only when the caller says so.

A run that was stopped goes on when it is started again with the same catalogue, model and options.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skuscan.errors import ModelError
from skuscan.model import HEAD_FILE
from skuscan_models.float_model import WEIGHTS_FILE, FloatModel, preprocess_spec
from skuscan_models.training.batches import DRAWN
from skuscan_models.training.catalogue import TrainingCatalogue, read_catalogue, split
from skuscan_models.training.config import Stage, TrainingConfig
from skuscan_models.training.curves import draw_curves
from skuscan_models.training.network import backbone_of, head_of
from skuscan_models.training.released import CURVES_FILE, embedder, facts_of, recall_of
from skuscan_models.training.trainer import LOG_FILE, Progress, from_model, train
from skuscan_models.training.validation import catalogue_question, recall

CATALOGUE = "catalogue"  # the source's name
NAME_DIGITS = 8  # of the digest of what it was trained on


@dataclass(frozen=True)
class FinetuneOptions:
    """How it is trained.

    Attributes:
        steps: Batches.
        sizes: Sides of the pictures, px: most steps at the first, the rest at the last.
        last_share: Share of the steps at the last size.
        pairs: Products of the catalogue in a batch; fewer when there are not so many.
        drawn: Drawn products beside them.
        learning_rate: The greatest; a third of a first training's.
    """

    steps: int = 100
    sizes: tuple[int, int] = (160, 224)
    last_share: float = 0.2
    pairs: int = 18
    drawn: int = 6
    learning_rate: float = 1e-4


@dataclass(frozen=True)
class Finetuned:
    """What came of it.

    Attributes:
        model: In `folder`.
        before: Recall@1 of the model that it started from, embedding alone.
        after: Its own.
        products: How many were kept aside.
        photos: How many pictures of those were asked for.
    """

    model: FloatModel
    before: float
    after: float
    products: int
    photos: int


def finetune(
    catalogue: Path,
    start: Path,
    folder: Path,
    progress: Progress,
    options: FinetuneOptions | None = None,
    even_if_worse: bool = False,
) -> Finetuned:
    """Train on a catalogue, and write the model into `folder`.

    Args:
        catalogue: CSV, see `skuscan_models.training.catalogue`.
        start: Folder of a `FloatModel`: a released artefact, or a run.
        folder: Of this run.
        progress: Told after every step.
        options: How; None: the defaults.
        even_if_worse: Write a model that recalls fewer of the products kept aside than before, too.

    Raises:
        PictureError: The catalogue cannot be used, or has too few products.
        ModelError: `start` is no float model, the folder holds another run, or the model got worse.
    """
    options = options or FinetuneOptions()
    model = FloatModel.load(start)
    own = read_catalogue(catalogue)
    trained, aside = split(own.instances)
    config = _config(model, _digest(own, start), len(trained), options)
    question = catalogue_question(trained, aside, np.random.default_rng(config.seed))
    before = recall_of(model, {CATALOGUE: question})[CATALOGUE]
    network = train(config, {CATALOGUE: trained}, folder, progress, start=from_model(model))
    trained_at = time.monotonic()
    draw_curves(folder / LOG_FILE, folder / CURVES_FILE)
    after = recall({CATALOGUE: question}, embedder(network), preprocess_spec().size)[CATALOGUE]
    if after < before and not even_if_worse:
        raise ModelError(
            "fine-tuning recalls at least as many of the products kept aside as before",
            f"{after:.3f} of {len(question.photos)} photos, before {before:.3f}",
            "give more pictures or fewer --steps, or take it with --even-if-worse",
        )
    validation = {CATALOGUE: after, "catalogue before": before}
    facts = {"started_from": model.name}
    facts |= facts_of(config, {CATALOGUE: trained}, validation, folder, trained_at)
    done = FloatModel(config.name, config.backbone, backbone_of(network), head_of(network), facts)
    done.save(folder)
    return Finetuned(done, before, after, len(aside), len(question.photos))


def _config(model: FloatModel, digest: str, products: int, options: FinetuneOptions) -> TrainingConfig:
    """The digest is in the name, so that a folder with another catalogue or start is another run."""
    last = round(options.steps * options.last_share)
    first_size, last_size = options.sizes
    return TrainingConfig(
        name=f"{model.name}-{digest[:NAME_DIGITS]}",
        backbone=model.backbone,
        pairs={CATALOGUE: min(options.pairs, products), DRAWN: options.drawn},
        stages=(Stage(first_size, options.steps - last), Stage(last_size, last)),
        learning_rate=options.learning_rate,
        gem_p=round(model.head.gem_p),
        start_share=0.0,
        head_batches=0,
    )


def _digest(own: TrainingCatalogue, start: Path) -> str:
    parts = [
        own.digest,
        *(hashlib.sha256((start / name).read_bytes()).hexdigest() for name in (WEIGHTS_FILE, HEAD_FILE)),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
