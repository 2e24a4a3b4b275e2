"""Room for an update within the disk budget, and what is given up for it. See `budget.py`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from skuscan.bundle.manifest import parse_manifest
from skuscan.errors import SkuscanError
from skuscan.proto.catalogue_pb2 import FileRef
from skuscan.store import housekeeping
from skuscan.store.budget import RESERVE_BYTES, Allowance, OverBudgetError
from skuscan.store.generation import Generation
from skuscan.store.pointers import Reusable

if TYPE_CHECKING:
    from skuscan.store.store import Store

BUDGET = "budget"  # the journal's event of what had to give way


def allowance(store: "Store") -> Allowance:
    """What may be written now."""
    budget = store.disk_budget()
    return Allowance(budget, budget - RESERVE_BYTES - used_bytes(store))


def reusable(store: "Store", number: int) -> Reusable | None:
    """The generation whose base files generation `number` may share: the live one, where that is another."""
    current = store.read_current()
    if current is None or current.live.number == number:
        return None
    try:
        contents = store.contents(current.live.number)
        manifest = parse_manifest(store.blobs.read(contents.name.manifest))
        return Reusable(store.folder(current.live.number), contents, manifest)
    except SkuscanError:
        return None


def make_room(store: "Store", needed: int, keep: Iterable[FileRef], generation: int) -> None:
    """See that so many bytes fit. The caller holds the lock.

    Args:
        store: The store.
        needed: Bytes that will be written.
        keep: Blobs that are waited for, or here already, for that purpose.
        generation: That it is for.

    Raises:
        OverBudgetError: They do not fit, whatever is removed that may be.
        StoreError: The disk fails.
    """
    if needed <= allowance(store).left:
        return
    housekeeping.collect_garbage(store, keep)
    excess = needed - allowance(store).left
    held = [display for display in _displays(store) if store.blobs.has(display)]
    if excess > sum(display.length for display in held):
        raise OverBudgetError(
            store.disk_budget(),
            f"generation {generation}, which needs {needed / 1e6:,.1f} MB beside the live and the previous one:"
            f" {excess / 1e6:,.1f} MB too many",
        )
    dropped = 0
    while excess > 0:
        store.blobs.remove(held[dropped])
        excess -= held[dropped].length
        dropped += 1
    if dropped:
        store.journal.note(BUDGET, generation, f"{dropped} display pictures made room for it")


def room_for_displays(store: "Store", live: Generation) -> int:
    """Bytes that display pictures may take: what is left once the next generation can be built."""
    return allowance(store).left - sum(ref.length for ref in live.contents.files.values())


def used_bytes(store: "Store") -> int:
    """Bytes on disk, all in all."""
    return sum(housekeeping.bytes_on_disk(store.path).values())


def _displays(store: "Store") -> list[FileRef]:
    """The display pictures that are removed, those of the previous generation alone first."""
    current = store.read_current()
    by_name: dict[bytes, FileRef] = {}
    for name in reversed(current.names() if current else []):
        try:
            shown = {ref.sha256: ref for ref in store.open_generation(name.number).displays()}
        except SkuscanError:
            return []  # what it needs is not known
        by_name = {sha256: ref for sha256, ref in by_name.items() if sha256 not in shown} | shown
    return list(by_name.values())
