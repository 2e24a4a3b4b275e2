"""A whole update with the n-th system call failing, or the power cut there, n = 1, 2, ... until it passes.

After SQLite's habit (sqlite.org/testing.html, "I/O error testing" and "crash testing").
"""

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from skuscan.errors import StoreError
from skuscan.store import Store
from skuscan.store.durable import Disk
from tools.fault_bench.disks import CountingDisk, FailingDisk

SEED = 20


class PowerIsCut(BaseException):
    """Nothing runs after it: each further call raises it again."""


@dataclass
class CutDisk(Disk):
    """Power is cut before the n-th call. What was not synced until then is lost or spoiled, by chance.

    Files that were written and not fsynced lose their end or hold zeros. Names that were made, moved or removed, and
    whose folder was not fsynced since, are as before.
    """

    nth: int
    side: Path  # where replaced and removed files are kept
    calls: int = 0
    spoiled: set[Path] = field(default_factory=set)
    undo: list[tuple[Path, Callable[[], None]]] = field(default_factory=list)
    done: Callable[[], None] | None = None  # what the call before has brought about

    def _step(self, call: str, path: Path, source: Path | None = None) -> None:
        if self.done:
            self.done()
            self.done = None
        self.calls += 1
        if self.calls >= self.nth:
            raise PowerIsCut
        if call in ("create", "write"):
            self.spoiled.add(path)
        elif call == "fsync":
            self.done = lambda: self.spoiled.discard(path)
        elif call == "fsync folder":
            self.done = lambda: self._keep(path)
        else:
            kept = self._save(path)
            self.done = lambda: self._name_changed(path, source, kept)

    def lose(self, rng: random.Random) -> None:
        """Make the disk what it would be after the cut."""
        for path in self.spoiled:
            if path.exists():
                data = path.read_bytes()
                keep = rng.randint(0, len(data))
                path.write_bytes(data[:keep] + (bytes(len(data) - keep) if rng.random() < 0.5 else b""))
        targets = {path for path, _ in self.undo if rng.random() < 0.5}
        for path, undo in reversed(self.undo):
            if path in targets:
                undo()

    def _name_changed(self, path: Path, source: Path | None, kept: Path | None) -> None:
        self.undo.append((path, lambda: self._restore(path, kept)))
        if source in self.spoiled:
            self.spoiled.add(path)

    def _keep(self, folder: Path) -> None:
        self.undo = [(path, undo) for path, undo in self.undo if path.parent != folder]

    def _save(self, path: Path) -> Path | None:
        kept = self.side / str(self.calls)
        if path.is_dir():
            shutil.copytree(path, kept, copy_function=os.link)
        elif path.exists():
            os.link(path, kept)
        else:
            return None
        return kept

    def _restore(self, path: Path, kept: Path | None) -> None:
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if kept and path.parent.is_dir():
            kept.rename(path)


@pytest.fixture
def update(publisher):
    """Three generations: a base, a delta, and another base with a new, a changed and a withdrawn product."""
    publisher.annoy = b"an index"
    first = publisher.rebase()
    before = dict(publisher.state)
    publisher.add("A", price=5)
    second = publisher.change(before)
    publisher.add("G", "B", price=7, seed=1)
    publisher.state = {key: record for key, record in publisher.state.items() if not key[1].startswith("C")}
    return first, second, publisher.rebase()


@pytest.fixture
def enrolled(work, update, identity, pass_probes):
    """Makes copies of a store whose generation 2 is live."""
    store = Store.create(work / "store", identity)
    for generation in update[:2]:
        store.activate(generation.deliver(store), pass_probes)

    def copy(name: str) -> Path:
        return shutil.copytree(store.path, work / name)

    return copy


def run(path: Path, disk: Disk, generation, probe) -> None:
    store = Store.open(path, disk)
    store.activate(generation.deliver(store), probe)
    store.collect_garbage()


def check_one_complete_generation(path: Path, update) -> int:
    """Exactly one generation answers, whole, and it is the old or the new one: its number."""
    generation = Store.open(path).open_generation()
    manifest = update[generation.number - 1].manifest
    assert generation.state_digest() == manifest.state_digest
    assert all(generation.reference(row).embedding for row in range(len(generation.base_embeddings)))
    assert (generation.product("G") is not None) == (generation.number == 3)
    return generation.number


def count_calls(path: Path, update, probe) -> int:
    disk = CountingDisk()
    run(path, disk, update[-1], probe)
    return disk.calls


@pytest.mark.guarantee("G12")
def test_an_update_whose_nth_call_fails_leaves_one_complete_generation(enrolled, update, pass_probes):
    calls = count_calls(enrolled("counted"), update, pass_probes)
    failed = 0
    for nth in range(1, calls + 1):
        number = (errno.ENOSPC, errno.EIO, errno.EROFS)[nth % 3]
        path, for_good = enrolled(f"fail-{nth}"), number == errno.EROFS
        try:
            run(path, FailingDisk(nth, number, for_good), update[-1], pass_probes)
        except StoreError:
            failed += 1
        assert check_one_complete_generation(path, update) in (2, 3)
        assert for_good or not list(path.rglob(".tmp-*")), f"call {nth} left a partial file"
        run(path, Disk(), update[-1], pass_probes)
        assert check_one_complete_generation(path, update) == 3
        shutil.rmtree(path)
    assert failed > calls // 2


@pytest.mark.guarantee("G1")
def test_a_power_cut_before_the_nth_call_leaves_one_complete_generation(enrolled, update, pass_probes, work):
    calls = count_calls(enrolled("counted"), update, pass_probes)
    rng = random.Random(SEED)
    seen = []
    for nth in range(1, calls + 1):
        path, side = enrolled(f"cut-{nth}"), work / f"side-{nth}"
        side.mkdir()
        disk = CutDisk(nth, side)
        with contextlib.suppress(PowerIsCut):
            run(path, disk, update[-1], pass_probes)
        disk.lose(rng)
        seen.append(check_one_complete_generation(path, update))
        run(path, Disk(), update[-1], pass_probes)
        assert check_one_complete_generation(path, update) == 3
        shutil.rmtree(path)
    assert set(seen) == {2, 3}
    assert seen == sorted(seen), "what was live once stays live"
