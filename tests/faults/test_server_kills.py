"""Builders and imports that are killed, and builders that meet: real processes, SIGKILL, the server's own code.

Half of the kills hit before a counted call that changes the disk or the database, the other half at a random time,
within SQLite too.
"""

import csv
import json
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skuscan.store import DeviceIdentity, Store
from skuscan_server.published_metadata import PublishedMetadata, PublishedVersion
from tools.fault_bench.model import write_model
from tools.fault_bench.work import LEASE
from tools.fault_bench.worker import Outcome, Worker

PUBLICATIONS = 400
IMPORTS = 200
RACES = 60
FRESH_EVERY = 20  # kills until the server is a new one: nothing grows without end
SKUS = [f"sku-{number}" for number in range(6)]
ROLES = ("timestamp", "snapshot", "targets", "models")


@dataclass
class Server:
    """A server's data folder, at one path for all tests, so that the workers stay warm."""

    workers: tuple[Worker, Worker]
    template: Path
    data: Path
    model: Path
    root_sha256: str

    def reset(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.template, self.data)

    @property
    def job(self) -> dict[str, str]:
        return {"data": str(self.data), "model": str(self.model)}

    def do(self, work: str, **arguments: Any) -> Outcome:
        """A job of the first worker, which may be killed but must not fail."""
        outcome = self.workers[0].do(work, **self.job, **arguments)
        assert not outcome.error, outcome.error
        return outcome

    def version(self) -> PublishedVersion | None:
        return PublishedMetadata(self.data / "published", "default").live_version()

    def prices_at(self, device: Path) -> dict[str, int]:
        """What a device gets that follows this server, by all checks of a sync: the state is the signed one."""
        taken = self.workers[0].do("take_bundle", store=str(device), bundle=str(self.data / "published"))
        assert not taken.error, taken.error
        generation = Store.open(device).open_generation()
        assert generation.state_digest() == generation.manifest.state_digest
        return {product.sku: product.attributes["price"].money.minor_units for product in generation.products()}

    def query(self, statement: str) -> Any:
        with closing(sqlite3.connect(self.data / "skuscan.db")) as connection:
            return connection.execute(statement).fetchall()

    def device(self, path: Path) -> Path:
        """A new device, that was enrolled here."""
        shutil.rmtree(path, ignore_errors=True)
        urls = {"metadata_url": "tuf/default/metadata", "targets_url": "tuf/default/targets"}
        identity = DeviceIdentity(
            server_url="http://127.0.0.1:9",
            device_id="kiosk-1",
            device_token="secret",
            assortment="default",
            root_sha256=self.root_sha256,
            blobs_url="blobs/sha256",
            **urls,
        )
        Store.create(path, identity)
        return path


@pytest.fixture(scope="module")
def server(memory: Path) -> Iterator[Server]:
    model, data, template = write_model(memory / "model", "little"), memory / "server", memory / "template"
    with Worker() as first, Worker() as second:
        root = first.do_here("set_up", data=str(data), model=str(model))
        shutil.copytree(data, template)
        for worker in (first, second):
            worker.warm(str(data), str(model))
        yield Server((first, second), template, data, model, root)


def draw_kill(rng: random.Random, whole: Outcome) -> dict[str, Any]:
    """When to kill: at a step or at a time, of as many as a whole run took."""
    if rng.random() < 0.5:
        return {"kill_at": rng.randrange(1, whole.steps + 1)}
    return {"kill_after": rng.uniform(0.0, whole.seconds)}


@pytest.mark.guarantee("G18")
def test_a_publication_killed_at_any_moment_leaves_the_old_or_the_new_repository(
    server: Server, memory: Path, faults
) -> None:
    kills, met, whole = faults.count(PUBLICATIONS), Counter[str](), Outcome()
    device, prices = memory / "device", dict[str, int]()
    for seed in range(kills):
        if seed % FRESH_EVERY == 0:
            server.reset()
            device = server.device(memory / "device")
            prices = dict.fromkeys(SKUS, 1)
            server.do("put", prices=prices, picture="first")
            server.do("publish")
            server.do("put", prices={SKUS[0]: 2}, picture="first")
            prices[SKUS[0]] = 2
            whole = server.do("publish")
        rng, before = random.Random(seed), server.version()
        change = {rng.choice(SKUS): 10 + seed}
        server.do("put", prices=change, picture=rng.choice(("first", "second")))
        outcome = server.do("publish", force=rng.choice(("", "", "base")), **draw_kill(rng, whole))
        after = server.version()
        is_new = after.generation > before.generation
        assert is_new or after == before or outcome.killed, f"{seed}: done, and nothing is published"
        assert all(getattr(after, role) >= getattr(before, role) for role in ROLES), f"{seed}: a version fell"
        assert server.prices_at(device) == (prices | change if is_new else prices), f"{seed}"
        prices |= change
        server.do("publish")  # the next one holds everything, whether the killed one was there or not
        assert server.version().generation >= after.generation
        assert server.prices_at(device) == prices, f"{seed}"
        met["done" if not outcome.killed else "new" if is_new else "old"] += 1
    faults.record("G18", "killed publications", kills=kills, bad=0, **met)


@pytest.mark.guarantee("G17")
def test_an_import_killed_at_any_moment_is_nothing_or_whole_and_goes_on(server: Server, memory: Path, faults) -> None:
    kills, met, whole = faults.count(IMPORTS), Counter[str](), Outcome()
    catalogue = write_catalogue(memory / "catalogue")
    for seed in range(kills + 1):
        server.reset()
        if seed == 0:
            whole = server.do("import_csv", csv=str(catalogue))
            continue
        outcome = server.do("import_csv", csv=str(catalogue), **draw_kill(random.Random(seed), whole))
        imported = [sku for (sku,) in server.query("SELECT sku FROM product ORDER BY sku")]
        assert imported in ([], SKUS), f"{seed}: half an import"
        assert imported or outcome.killed
        ((finished,),) = server.query("SELECT count(*) FROM feature")
        again = server.do("import_csv", csv=str(catalogue))
        assert again.value == len(SKUS) - finished, f"{seed}: finished work was done again"
        assert [sku for (sku,) in server.query("SELECT sku FROM product ORDER BY sku")] == SKUS
        assert server.query("PRAGMA integrity_check") == [("ok",)]
        met["whole" if imported else "nothing"] += 1
    faults.record("G17", "killed imports", kills=kills, bad=0, **met)


def write_catalogue(folder: Path) -> Path:
    folder.mkdir()
    with (folder / "catalogue.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "name", "image"))
        for sku in SKUS:
            (folder / f"{sku}.jpg").write_bytes(f"picture of {sku}".encode())
            writer.writerow((sku, f"Product {sku}", f"{sku}.jpg"))
    return folder / "catalogue.csv"


@pytest.mark.guarantee("G19")
def test_of_two_builders_one_builds_also_when_one_of_them_is_killed(server: Server, memory: Path, faults) -> None:
    races, met = faults.count(RACES), Counter[str]()
    server.reset()
    server.do("put", prices=dict.fromkeys(SKUS, 1), picture="first")
    whole, log = server.do("publish"), memory / "builds"
    for seed in range(races):
        rng, before = random.Random(seed), server.version()
        server.do("put", prices={rng.choice(SKUS): 10 + seed}, picture="first")
        log.write_text("")
        kill = {"kill_after": rng.uniform(0.0, whole.seconds)} if rng.random() < 0.5 else {}
        wait = rng.choice((0.0, 10 * LEASE))
        server.workers[0].begin("publish", **server.job, wait=wait, force="delta", log=str(log), **kill)
        server.workers[1].begin("publish", **server.job, wait=wait, force="delta", log=str(log))
        outcomes = [worker.end() for worker in server.workers]
        for outcome in outcomes:
            assert not outcome.error or outcome.error.startswith("BusyError"), outcome.error
        numbers = [outcome.value for outcome in outcomes if outcome.value]
        assert len(set(numbers)) == len(numbers), f"{seed}: one generation twice"
        assert all(number > before.generation for number in numbers)
        check_turns(log, {outcome.pid for outcome in outcomes if outcome.killed})
        met["killed" if outcomes[0].killed else f"{len(numbers)} built"] += 1
        server.do("publish")
    faults.record("G19", "races of two builders", races=races, overlaps=0, **met)


def check_turns(log: Path, killed: set[int]) -> None:
    """A build ends before another begins; one that was killed, a lease ago at least since it held the lock."""
    inside: int | None = None
    for line in log.read_text().splitlines():
        pid, what, _ = json.loads(line)
        if what == "begins":
            assert inside is None or inside in killed, f"{inside} and {pid} build at once"
            inside = pid
        else:
            assert inside == pid
            inside = None
