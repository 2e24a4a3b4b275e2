"""Damage to real files of a store: `python -m tools.fault_bench.corruption FOLDER SCRATCH FIRST LAST`.

Each number stands for one damage, drawn from a seed: which file, and what happens to it. For each a line of JSON tells
what came of it. The caller notices when this process dies on one.
"""

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from skuscan.errors import SkuscanError
from skuscan.layered_index import LayeredIndex
from skuscan.store import Generation, Store
from skuscan.store.generation import KEYPOINTS_FILE, LAYERS
from skuscan.sync.agent import Sync
from skuscan.sync.offline import bundle_source
from tools.fault_bench.device import OPTIONS, World, answers, contents, copy_tree, needed, take

LIVE = "4"
UNTOUCHED = ("lock",)  # holds nothing
LONGEST_CUT = 64  # bytes that are zeroed or added at most, half of the time; the other half up to the whole file

Truth = dict[int, "Known"]


@dataclass(frozen=True)
class Known:
    """What a generation holds."""

    records: dict[tuple[int, str], bytes]
    arrays: tuple[bytes, ...]  # embeddings, keypoint indexes
    index: bytes  # of the search; empty: searched exactly


@dataclass(frozen=True)
class Outcome:
    """What one damage came to.

    Attributes:
        number: Which.
        file: What was damaged, relative to the store.
        harm: How.
        found: Where it was noticed: "opening", "reading", "sweep", "sync", or "" when it had no effect.
        answered: Whether scans were answered from one whole generation before anything was repaired.
        wrong: What must not be; empty: nothing.
    """

    number: int
    file: str
    harm: str
    found: str
    answered: bool
    wrong: str


def flip(data: bytearray, rng: random.Random) -> None:
    """One bit."""
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def cut(data: bytearray, rng: random.Random) -> None:
    """The end is lost."""
    del data[rng.randrange(len(data)) if data else 0 :]


def zero(data: bytearray, rng: random.Random) -> None:
    """A stretch is zeros."""
    start = rng.randrange(len(data)) if data else 0
    end = len(data) if rng.random() < 0.5 else min(len(data), start + rng.randint(1, LONGEST_CUT))
    data[start:end] = bytes(end - start)


def extend(data: bytearray, rng: random.Random) -> None:
    """Something is added, at times the file itself again."""
    data += bytes(data) if rng.random() < 0.5 else rng.randbytes(rng.randint(1, LONGEST_CUT))


IN_PLACE: dict[str, Callable[[bytearray, random.Random], None]] = {
    "flipped": flip,
    "cut": cut,
    "zeroed": zero,
    "extended": extend,
}
HARMS = (*IN_PLACE, "swapped", "deleted")


def damage(store: Path, number: int) -> tuple[str, str]:
    """Do the damage of a number: which file, and what. Every name of a file that has two sees it."""
    rng = random.Random(number)
    files = sorted(path for path in store.rglob("*") if path.is_file() and path.name not in UNTOUCHED)
    kinds = sorted({_kind(store, path) for path in files})
    path = rng.choice([path for path in files if _kind(store, path) == kinds[number % len(kinds)]])
    harm = HARMS[(number // len(kinds)) % len(HARMS)]
    if harm == "deleted":
        path.unlink()
    elif harm == "swapped":
        other = rng.choice([file for file in files if file.name == path.name and file != path] or files)
        mine, others = path.read_bytes(), other.read_bytes()
        path.write_bytes(others)
        other.write_bytes(mine)
    else:
        data = bytearray(path.read_bytes())
        IN_PLACE[harm](data, rng)
        path.write_bytes(data)
    return str(path.relative_to(store)), harm


def _kind(store: Path, path: Path) -> str:
    """Files that are alike: blobs are one kind, any other file is one with its namesakes."""
    return "blob" if path.is_relative_to(store / "blobs") else path.name


def known(generation: Generation) -> Known:
    """Everything that a scan may use of a generation, as it is read now. Raises SkuscanError."""
    LayeredIndex.open(generation)
    index = b"" if generation.annoy_file is None else generation.annoy_file.read_bytes()
    arrays = (generation.base_embeddings.tobytes(), generation.delta_embeddings.tobytes())
    mapped = tuple((generation.folder / layer / KEYPOINTS_FILE).read_bytes() for layer in LAYERS)
    return Known(contents(generation), arrays + mapped, index)


def try_out(world: World, truth: Truth, store: Path, number: int) -> Outcome:
    """Damage a copy, let a device meet it, and let it be repaired."""
    file, harm = damage(store, number)
    wrong: list[str] = []
    found, answered = _meet(truth, store, wrong)
    try:
        if _heal(world, store) and not found:
            found = "sweep"
        take(world, store, LIVE)
        after = Store.open(store)
        if after.open_generation().number != int(LIVE) or after.open_generation().degraded:
            wrong.append("not repaired by a sync")
        elif known(after.open_generation()) != truth[int(LIVE)]:
            wrong.append("another content after a sync")
        elif lacking := [ref for ref in needed(after.open_generation()) if not after.blobs.is_intact(ref)]:
            wrong.append(f"{len(lacking)} files are missing after a sync")
    except SkuscanError as error:
        wrong.append(f"not repaired: {type(error).__name__}: {error}")
    return Outcome(number, file, harm, found, answered, "; ".join(wrong))


def _heal(world: World, store: Path) -> bool:
    """The daily sweep, which fetches again what it takes out; whether it found anything."""
    opened = Store.open(store)
    source = bundle_source(world.published(LIVE), opened.identity.assortment, OPTIONS.limits)
    return bool(Sync(opened, OPTIONS, answers, lambda done, total: None, source).heal().done)


def _meet(truth: Truth, path: Path, wrong: list[str]) -> tuple[str, bool]:
    """Open and read as a scan does: where damage was noticed, and whether there was an answer."""
    try:
        store = Store.open(path)
        generation = store.open_generation()
    except SkuscanError:
        return "opening", False
    noticed = "opening" if generation.degraded or _repaired(store) else ""
    try:
        seen = known(generation)
    except SkuscanError:
        return "reading", False
    right = truth[generation.number]
    if seen not in (right, replace(right, index=b"")):  # without its Annoy file it is searched exactly
        wrong.append(f"damage of generation {generation.number} was used")
    if store.floor() < generation.number:
        wrong.append(f"floor {store.floor()}")
    return noticed, True


def _repaired(store: Store) -> bool:
    return any(event["event"] == "repaired" for event in store.journal.last(2))


def outcomes(world: World, scratch: Path, numbers: range) -> Iterator[Outcome]:
    """Of each of these damages."""
    whole = Store.open(world.store(LIVE))
    truth = {number: known(whole.open_generation(number)) for number in (int(LIVE) - 1, int(LIVE))}
    for number in numbers:
        store = copy_tree(world.store(LIVE), scratch / f"damaged-{number}")
        yield try_out(world, truth, store, number)
        shutil.rmtree(store)


def main() -> None:
    folder, scratch, first, last = sys.argv[1:]
    for outcome in outcomes(World(Path(folder)), Path(scratch), range(int(first), int(last))):
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    main()
