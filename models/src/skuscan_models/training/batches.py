"""Batches: which instances meet, and their pictures. Batch k of a run is the same in every run with the same config.

Half of a source's places in a batch go to families, several instances of one: what must be told apart should meet.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skuscan_models.float_model import preprocess_spec
from skuscan_models.pictures import to_network
from skuscan_models.synthetic.materials import PLAIN, Materials
from skuscan_models.synthetic.packaging import TRAIN_FAMILIES, design, draw_front
from skuscan_models.training.config import TrainingConfig
from skuscan_models.training.sources import Instance
from skuscan_models.training.views import Views

DRAWN = "drawn"
DRAWN_SEED = 2  # of the drawn products; the head's and the decision's are drawn with others
FAMILY_PLACES = 4  # instances of one family that are put together
SIBLINGS = 2  # drawn products of one family
AHEAD = 3  # batches drawn in advance
NO_GROUP = -1
LABELS = 2**24

Rng = np.random.Generator


@dataclass(frozen=True)
class Batch:
    """2B pictures: the first view of each of B instances, then the second.

    Attributes:
        pixels: (2B, S, S, 3) uint8 RGB.
        labels: (2B, 2) float32: the instance, and the group whose other members are no negatives (-1: none).
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]

    @property
    def pictures(self) -> npt.NDArray[np.float32]:
        """(2B, S, S, 3) float32, as the network takes them."""
        return to_network(self.pixels, preprocess_spec())


class Batches:
    """Draws the batches of a run."""

    def __init__(
        self, config: TrainingConfig, sources: Mapping[str, Sequence[Instance]], materials: Materials = PLAIN
    ) -> None:
        """`sources` as from `load_sources`; drawn packaging needs none, and is drawn with the materials."""
        self._config, self._sources = config, sources
        self._backdrops = [
            picture
            for name in ("produce", "boxes")
            for instance in sources.get(name, ())
            for picture in instance.pictures
        ]
        self._materials = replace(materials, photos=tuple(self._backdrops))

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng((self._config.seed, step))
        stage = self._config.stage_at(step)
        grey = preprocess_spec().letterbox_grey
        views = Views(stage.size, grey, self._config.views, self._backdrops, stage.packshots)
        instances = self._choose(rng)
        pairs = [views.pair(instance.pictures, rng) for instance in instances]
        pixels = np.stack([first for first, _ in pairs] + [second for _, second in pairs])
        labels = np.array(_labels(instances) * 2, np.float32)
        return Batch(pixels, labels)

    def between(self, first: int, end: int) -> Iterator[Batch]:
        """The batches of the steps from the first to before the end, drawn in a thread beside what uses them."""
        with ThreadPoolExecutor(1, "batches") as thread:
            ahead: list[Future[Batch]] = []
            for following in range(first, end):
                ahead.append(thread.submit(self.batch, following))
                if len(ahead) > AHEAD:
                    yield ahead.pop(0).result()
            for future in ahead:
                yield future.result()

    def _choose(self, rng: Rng) -> list[Instance]:
        chosen: list[Instance] = []
        for name, count in self._config.pairs.items():
            chosen += self._draw(rng, count) if name == DRAWN else _pick(self._sources[name], rng, count)
        return chosen

    def _draw(self, rng: Rng, count: int) -> list[Instance]:
        """New drawn products, in families of near-duplicates."""
        instances = []
        for family in rng.choice(len(TRAIN_FAMILIES), -(-count // SIBLINGS), replace=False):
            for variant in range(SIBLINGS):
                product = design(DRAWN_SEED, TRAIN_FAMILIES[int(family)], variant)
                instances.append(Instance(product.sku, str(family), False, (draw_front(product, self._materials),)))
        return instances[:count]


def _pick(instances: Sequence[Instance], rng: Rng, count: int) -> list[Instance]:
    """Half of the places to families, half to anybody; nobody twice."""
    order = rng.permutation(len(instances))
    chosen: list[int] = []
    for start in order:
        if len(chosen) * 2 >= count:
            break
        family = [int(i) for i in order if instances[i].family == instances[start].family and i not in chosen]
        chosen += family[:FAMILY_PLACES]
    chosen += [int(i) for i in order if i not in chosen]
    return [instances[i] for i in chosen[:count]]


def _labels(instances: Sequence[Instance]) -> list[tuple[int, int]]:
    """Numbers that hold for the whole run, as a memory of earlier batches needs them."""
    return [(_number(instance.key), _number(instance.family) if instance.alike else NO_GROUP) for instance in instances]


def _number(name: str) -> int:
    """Exact as float32, which Keras passes labels as; in one run of fifty two instances of a batch share one."""
    return zlib.crc32(name.encode()) % LABELS
