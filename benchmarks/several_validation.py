"""How several references of a product should count together: recall@1 on validation products, embedding alone.

    python -m benchmarks.several_validation --pictures ../shared/data/train [--artifact DIR]

video      so many of the eight crops of each of 120 products of supermarket videos are references, the others asked
produce    so many of the nine photos of each of 50 kinds are references, photos kept aside are asked; released models
           were trained on these references, and know them better than a shop's

Every cell is the mean of a few seeded choices of references.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from skuscan.embedding import Embedder, dequantize, quantize, unit
from skuscan.model import Model
from skuscan.runtime import RuntimeOptions
from skuscan.whitening import PRIOR_REFERENCES, Whitening
from skuscan_models.artifacts import released_folder
from skuscan_models.training.sources import Instance, load_grozi, load_produce

COUNTS = {"video": (2, 4, 6), "produce": (3, 9)}
PRIORS = (64, PRIOR_REFERENCES, 1024)
CHOICES = 4  # of references

Way = Callable[["Asked"], np.ndarray]


@dataclass(frozen=True)
class Embedded:
    """Photos of some products.

    Attributes:
        owners: (n,) whose each is.
        references: (n, 2, 256) int8, as a catalogue holds them.
        scans: (n, 256) float32.
    """

    owners: np.ndarray
    references: np.ndarray
    scans: np.ndarray

    @classmethod
    def of(cls, instances: Sequence[Instance], embedder: Embedder) -> "Embedded":
        """All photos of some products."""
        pictures = [picture for instance in instances for picture in instance.pictures]
        return cls(
            np.repeat([instance.key for instance in instances], [len(instance.pictures) for instance in instances]),
            np.stack([quantize(embedder.embed_reference(picture)) for picture in pictures]),
            np.stack([embedder.embed(picture) for picture in pictures]),
        )


@dataclass(frozen=True)
class Asked:
    """A catalogue, and scans of what is in it.

    Attributes:
        stored: (n, 2, 256) int8 references, those of a product one after another.
        starts: (p,) where each product's begin.
        scans: (s, 256) float32.
        truth: (s,) number of the product that each shows.
    """

    stored: np.ndarray
    starts: np.ndarray
    scans: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, references: Embedded, chosen: np.ndarray, scans: Embedded, asked: np.ndarray) -> "Asked":
        """The photos `chosen` as references, the photos `asked` as scans."""
        order = chosen[np.argsort(references.owners[chosen], kind="stable")]
        products, starts = np.unique(references.owners[order], return_index=True)
        truth = np.searchsorted(products, scans.owners[asked])
        return cls(references.references[order], starts, scans.scans[asked], truth)

    @property
    def rows(self) -> np.ndarray:
        """(n, 2, 256) float32 of unit length."""
        return dequantize(self.stored)

    @property
    def products(self) -> list[np.ndarray]:
        """(k, 256) int8 of large pictures for each product."""
        return np.split(self.stored[:, 0], self.starts[1:])

    def by_product(self, of_rows: np.ndarray) -> np.ndarray:
        """(s, n) -> (s, p): the largest."""
        return np.maximum.reduceat(of_rows, self.starts, axis=1)


def nearest(asked: Asked) -> np.ndarray:
    """(s, p): similarity of the nearest reference."""
    return asked.by_product(np.maximum(*(asked.scans @ asked.rows[:, size].T for size in (0, 1))))


def common_direction(asked: Asked) -> np.ndarray:
    return np.asarray(asked.scans @ unit(np.add.reduceat(asked.rows[:, 0], asked.starts, axis=0)).T)


def whitened(asked: Asked, prior: int) -> np.ndarray:
    """The common direction's, in the whitened space."""
    whitening = Whitening.of(asked.products, prior)
    return np.array([[whitening.cosine(scan, of_product) for of_product in asked.products] for scan in asked.scans])


def nearest_and_whitened(asked: Asked, prior: int) -> np.ndarray:
    return np.asarray(nearest(asked) + whitened(asked, prior))


def mean_of_nearest(asked: Asked, count: int) -> np.ndarray:
    similarities = np.maximum(*(asked.scans @ asked.rows[:, size].T for size in (0, 1)))
    of_products = np.split(similarities, asked.starts[1:], axis=1)
    return np.stack([np.sort(one, axis=1)[:, -count:].mean(axis=1) for one in of_products], axis=1)


def expanded(asked: Asked, count: int) -> np.ndarray:
    """Alpha-QE with alpha 3, Radenovic et al. 2018."""
    large = asked.rows[:, 0]
    similarities = asked.scans @ large.T
    best = np.argsort(-similarities)[:, :count]
    weights = np.take_along_axis(similarities, best, 1).clip(0) ** 3
    return asked.by_product(unit(asked.scans + (weights[..., np.newaxis] * large[best]).sum(axis=1)) @ large.T)


WAYS: Mapping[str, Way] = {
    "nearest": nearest,
    "common direction": common_direction,
    "nearest and common direction": lambda asked: nearest(asked) + common_direction(asked),
    "mean of the nearest 2": partial(mean_of_nearest, count=2),
    "query expansion by 2": partial(expanded, count=2),
    **{f"nearest, whitened common ({prior})": partial(nearest_and_whitened, prior=prior) for prior in PRIORS},
    "whitened common direction": partial(whitened, prior=PRIOR_REFERENCES),
}


def questions(pictures: Path, embedder: Embedder) -> Iterator[tuple[str, Asked]]:
    """Catalogues by kind and number of references."""
    video = Embedded.of(load_grozi(pictures, "train") + load_grozi(pictures, "validation"), embedder)
    known, aside = (Embedded.of(load_produce(pictures, part), embedder) for part in ("train", "validation"))
    for kind, photos in (("video", video), ("produce", known)):
        for count in COUNTS[kind]:
            for seed in range(CHOICES):
                chosen = _choice(photos.owners, count, np.random.default_rng(seed))
                if kind == "video":
                    others = np.setdiff1d(np.arange(len(video.owners)), chosen)
                    yield f"{kind} {count}", Asked.of(video, chosen, video, others)
                else:
                    yield f"{kind} {count}", Asked.of(known, chosen, aside, np.arange(len(aside.owners)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder with grozi120 and produce")
    parser.add_argument("--artifact", type=Path, default=released_folder())
    given = parser.parse_args()
    cv2.setNumThreads(1)
    embedder = Embedder.open(Model.open_folder(given.artifact), RuntimeOptions())
    right: dict[str, dict[str, list[float]]] = {}
    for kind, asked in questions(given.pictures, embedder):
        for name, way in WAYS.items():
            share = float(np.mean(way(asked).argmax(axis=1) == asked.truth))
            right.setdefault(name, {}).setdefault(kind, []).append(share)
    print(f"{'':36}" + "".join(f"{kind:>11}" for kind in right["nearest"]))
    for name, by_kind in right.items():
        print(f"{name:36}" + "".join(f"{np.mean(shares):11.3f}" for shares in by_kind.values()))


def _choice(owners: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of `count` photos of each owner."""
    return np.concatenate([rng.permutation(np.flatnonzero(owners == owner))[:count] for owner in np.unique(owners)])


if __name__ == "__main__":
    main()
