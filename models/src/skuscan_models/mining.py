"""Batches of look-alikes: hard negatives are the products that the network confuses at present.

Workflow: embed one picture of every instance; find each one's nearest others; walk over all instances in a random order
and put each that is still free into a cluster with its nearest free neighbours; deal the clusters out to batches. Every
instance has one place, so an epoch still sees all of them (Xuan et al. 2020, "Hard Negative Examples are Hard, but
Useful", is about what happens where only the very hardest are shown).
"""

import numpy as np
import numpy.typing as npt

from skuscan.errors import ModelError

BLOCK = 1024  # rows compared at once: 1024 x 40,000 similarities are 160 MB
LESS_THAN_ANY = -2.0  # cosine

Array = npt.NDArray[np.float32]
Indices = npt.NDArray[np.intp]


def nearest_others(embeddings: Array, groups: npt.NDArray[np.integer], count: int) -> Indices:
    """The instances that each one is most easily taken for.

    Args:
        embeddings: (n, d), a unit row per instance.
        groups: (n,); instances of one group >= 0 cannot be told apart, and are not named as each other's neighbours.
        count: How many.

    Returns:
        (n, min(count, n - 1)), nearest first. An instance whose group is nearly everybody has members of it at the end.
    """
    count = min(count, len(embeddings) - 1)
    found = np.empty((len(embeddings), count), np.intp)
    for start in range(0, len(embeddings), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(embeddings)))
        similarities = embeddings[rows] @ embeddings.T
        same = (groups[rows, np.newaxis] == groups) & (groups[rows, np.newaxis] >= 0)
        similarities[same] = LESS_THAN_ANY
        similarities[np.arange(len(rows)), rows] = 2 * LESS_THAN_ANY
        best = np.argpartition(-similarities, count - 1, axis=1)[:, :count] if count else found[rows]
        order = np.argsort(-np.take_along_axis(similarities, best, axis=1), axis=1, kind="stable")
        found[rows] = np.take_along_axis(best, order, axis=1)
    return found


def hard_batches(neighbours: Indices, batch: int, cluster: int, rng: np.random.Generator) -> list[Indices]:
    """An epoch of batches in which look-alikes meet.

    Args:
        neighbours: (n, k) as from `nearest_others`; several times as many as `cluster`, since some are taken already.
        batch: Instances in a batch.
        cluster: Look-alikes put together, of which a batch holds several; 1: plain random batches.
        rng: Of the order.

    Returns:
        Arrays of `batch` indices, every instance at most once in all; the last few that fill no batch are left out.

    Raises:
        ModelError: A batch does not hold whole clusters.
    """
    if cluster < 1 or batch % cluster:
        raise ModelError("a batch holds whole clusters", f"{batch} places, clusters of {cluster}")
    free = np.ones(len(neighbours), bool)
    clusters, alone = [], []
    for instance in rng.permutation(len(neighbours)):
        if not free[instance]:
            continue
        others = neighbours[instance]
        members = np.append(instance, others[free[others]][: cluster - 1])
        free[members] = False
        if len(members) == cluster:
            clusters.append(members)
        else:
            alone.append(members)
    dealt = [clusters[i] for i in rng.permutation(len(clusters))] + alone
    order = np.concatenate([*dealt, np.empty(0, np.intp)])
    return [order[start : start + batch] for start in range(0, len(order) - batch + 1, batch)]
