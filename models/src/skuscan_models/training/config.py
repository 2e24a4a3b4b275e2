"""Everything that decides a training run, in one object, and the runs that were released.

`docs/decisions/` says what each choice was measured to be worth.
"""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from skuscan.errors import ModelError

CLEAN_SOURCES = ("drawn", "produce", "open-boxes")  # with a stated licence, or drawn by this project


@dataclass(frozen=True)
class Stage:
    """A part of the run at one picture size: small pictures first saves hours.

    Attributes:
        size: Side of the network's input, px; a multiple of 32.
        steps: Batches.
        packshots: Share of the catalogue views in which the package stands at an angle, its side in sight.
    """

    size: int
    steps: int
    packshots: float = 0.0


@dataclass(frozen=True)
class ViewOptions:
    """What the two views of a pair look like; see `skuscan_models.training.views`.

    Attributes:
        hard: Share of field views drawn with `HARD`; the rest is `EASY` and `USUAL` in equal shares.
        any_way_up: Share of field views turned by any angle.
        photo_backdrop: Share of field views with a real photo behind the package instead of drawn things.
        facings: Share of field views in which copies of the package stand around it, as on a shelf.
        tight: Share of field views cropped to the package, as a detector's crops are.
        coarse: Share of field views that were once a small picture, as crops of shelf photos are.
        coarse_sides: Longest side of those, px.
    """

    hard: float = 0.34
    any_way_up: float = 0.15
    photo_backdrop: float = 0.4
    facings: float = 0.0
    tight: float = 0.2
    coarse: float = 0.25
    coarse_sides: tuple[int, int] = (50, 140)


@dataclass(frozen=True)
class TrainingConfig:
    """One run.

    Attributes:
        name: Of the run and of its artefact.
        backbone: Name in `skuscan_models.backbones`.
        pairs: Instances of each source in a batch; a batch has two pictures of each.
        stages: In order.
        materials: Packaging is drawn with fonts and clip art that are fetched for it (`fetch_materials.py`).
        views: How pictures are varied.
        loss: Name in `skuscan_models.training.losses`.
        loss_options: Of that loss.
        learning_rate: The greatest.
        attention_rate: How much faster the pooling's attention learns.
        warm_up: Share of all steps in which the rate grows.
        last_rate: At the end, as a share of the greatest.
        weight_decay: Of AdamW.
        frozen_blocks: The stem and so many first blocks keep their ImageNet weights: they see edges and colours, which
            are the same in shops, and their gradients take time.
        start_share: Of the backbone's weights at the end of the run; the rest is what was learned. Averaging with the
            start keeps what the training pictures do not show (Wortsman et al. 2022, "Robust fine-tuning of zero-shot
            models").
        gem_p: Exponent of GeM pooling, 2 or 3.
        head_batches: Batches whose pooled features the head's start is fitted on.
        last_head_batches: Likewise, when the head is fitted again at the end; 0: it stays as it learned.
        seed: Of every choice.
    """

    name: str
    backbone: str = "efficientnet-lite0"
    pairs: dict[str, int] = field(default_factory=lambda: {"boxes": 26, "drawn": 10, "grozi120": 10, "produce": 10})
    stages: tuple[Stage, ...] = (Stage(160, 400), Stage(224, 100), Stage(224, 300, packshots=0.5))
    materials: bool = False
    views: ViewOptions = field(default_factory=ViewOptions)
    loss: str = "supcon"
    loss_options: dict[str, float] = field(default_factory=lambda: {"temperature": 0.07})
    learning_rate: float = 3e-4
    attention_rate: float = 3.0
    warm_up: float = 0.08
    last_rate: float = 0.02
    weight_decay: float = 1e-2
    frozen_blocks: int = 3
    start_share: float = 0.2
    gem_p: int = 3
    head_batches: int = 16
    last_head_batches: int = 0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def stage_at(self, step: int) -> Stage:
        """The stage that a step is in; the last one's beyond the end."""
        for stage in self.stages:
            if step < stage.steps:
                return stage
            step -= stage.steps
        return self.stages[-1]

    def to_dict(self) -> dict[str, Any]:
        """For logs, cards and `digest`."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """A checkpoint belongs to the config with this digest, 16 hex digits."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


RUNS: dict[str, TrainingConfig] = {
    "all": TrainingConfig("efficientnet-lite0-products"),
    "clean": TrainingConfig(
        "efficientnet-lite0-products-clean",
        pairs={"drawn": 34, "open-boxes": 6, "produce": 8},
        stages=(Stage(160, 420), Stage(224, 100), Stage(224, 100, packshots=0.5)),
        materials=True,
        views=ViewOptions(facings=0.3),
        last_head_batches=120,
    ),
}


def run(name: str) -> TrainingConfig:
    """The run of that name. Raises ModelError when there is none."""
    if name not in RUNS:
        raise ModelError(f"a training run is one of {', '.join(sorted(RUNS))}", name)
    return RUNS[name]
