"""Devices whose clock is wrong: 1970, ten years ahead, jumping, as python-tuf itself reads it."""

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from skuscan.store import Store
from skuscan.store.store import METADATA_FOLDER
from skuscan.sync.clock import time_floor
from skuscan_server.keys import init_keys
from tools.fault_bench.clock import COMPILER, ClockedWorker
from tools.fault_bench.history import State, identity_at, new_site, publish_history
from tools.fault_bench.http import Server

CLOCKS = 400
JUMPS = 60
AGES = [timedelta(days=days) for days in (300, 299, 210, 120, 92, 89, 8, 6, 3, 1, 0)]  # of the publications
EPOCH = datetime(1970, 1, 2, tzinfo=timezone.utc)
TEN_YEARS = timedelta(days=3_652)

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler (apt install gcc)")


@dataclass(frozen=True)
class Year:
    """A year of publications, the server that shows any of them, and a store of each day."""

    states: list[State]
    server: Server
    worker: ClockedWorker
    folder: Path

    def device(self, place: int) -> Store:
        """A new copy of the store that took publication `place` on its day."""
        path = self.folder / "device"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.folder / f"device-{place}", path)
        return Store.open(path)

    def sync(self, store: Store) -> str:
        """What a sync came to: a state, or the error's words."""
        outcome = self.worker.do("sync", store=str(store.path))
        assert not outcome.error.startswith("a bug"), outcome.error
        return outcome.error or outcome.value

    def answers(self, store: Store) -> int:
        """The generation that answers under that clock, read whole."""
        return self.worker.expect("read", store=str(store.path))


@pytest.fixture(scope="module")
def year(memory: Path, serve: Callable[[Path], Server], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    site, clock = new_site(memory / "published", init_keys(tmp_path_factory.mktemp("keys")), AGES[0])
    states = publish_history(site, clock, memory, AGES)
    server = serve(states[0].folder)
    Store.create(memory / "device", identity_at(server, site))
    with ClockedWorker(memory) as worker:
        for place, state in enumerate(states):
            server.root = state.folder
            worker.set(state.signed_at)
            assert worker.expect("sync", store=str(memory / "device")) == "activated"
            shutil.copytree(memory / "device", memory / f"device-{place}")
        yield Year(states, server, worker, memory)


def floor_of(store: Store) -> float:
    return time_floor(store.path / METADATA_FOLDER)


def draw_clock(rng: random.Random, right: datetime) -> datetime:
    wrong = (EPOCH, right + TEN_YEARS, right, right - timedelta(days=rng.uniform(0, 400)))
    return rng.choice((*wrong, right + timedelta(days=rng.uniform(0, 400))))


@pytest.mark.guarantee("G13")
def test_an_update_is_taken_exactly_when_it_is_in_date_by_the_later_of_clock_and_floor(year: Year, faults) -> None:
    met, clocks, right = Counter[str](), faults.count(CLOCKS), year.states[-1]
    for seed in range(clocks):
        rng = random.Random(seed)
        place = rng.randrange(len(year.states) - 1)
        store, offered = year.device(place), rng.choice(year.states[place:])
        year.server.root = offered.folder
        clock = draw_clock(rng, right.signed_at)
        year.worker.set(clock)
        floor = max(floor_of(store), offered.signed_at.timestamp())
        result, in_date = year.sync(store), max(clock.timestamp(), floor) < offered.expires
        assert (result in ("activated", "unchanged")) == in_date, f"{seed}: {result} by a clock of {clock}"
        assert in_date or "signatures are in date" in result, f"{seed}: {result}"
        assert year.answers(store) == (offered if in_date else year.states[place]).generation
        met["taken" if in_date else "refused"] += 1
        year.server.root = right.folder
        year.worker.set(right.signed_at)
        year.sync(store)
        assert year.answers(store) == right.generation, f"{seed}: no update with the clock right again"
    faults.record("G13", "wrong clocks", clocks=clocks, bad=0, **met)


@pytest.mark.guarantee("G13")
def test_a_clock_that_jumps_during_a_sync_revives_nothing_and_lasts_no_longer_than_it_does(year: Year, faults) -> None:
    jumps, right, met = faults.count(JUMPS), year.states[-1], Counter[str]()
    times = [EPOCH, right.signed_at, right.signed_at + TEN_YEARS]
    for seed in range(jumps):
        rng = random.Random(seed)
        place = rng.randrange(len(year.states) - 1)
        store, offered = year.device(place), rng.choice(year.states[place:])
        year.server.root = offered.folder
        floor = max(floor_of(store), offered.signed_at.timestamp())
        with year.worker.jumping(rng, times):
            result = year.sync(store)
            assert year.answers(store) in (year.states[place].generation, offered.generation)
        assert result not in ("activated", "unchanged") or floor < offered.expires, f"{seed}: {result}"
        met[result if " " not in result else "refused"] += 1
        year.server.root = right.folder
        year.worker.set(right.signed_at)
        year.sync(store)
        assert year.answers(store) == right.generation, f"{seed}: no update with the clock right again"
    faults.record("G13", "jumping clocks", syncs=jumps, bad=0, **met)
